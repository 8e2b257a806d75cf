// SPDX-License-Identifier: Apache-2.0

/// The rules of paths that clients send on to the server behind a data source.
enum ResourcePath {
    /// Whether a path can only lead below the URL of the data source.
    static func isBelowRoot(_ path: String) -> Bool {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = segments.first, !first.contains(":"), !path.contains("?"), !path.contains("#"),
            !path.contains("\\")
        else { return false }
        return !segments.contains { [".", ".."].contains(FormEncoding.unescape($0)) }
    }
}
