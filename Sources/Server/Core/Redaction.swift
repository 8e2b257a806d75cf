// SPDX-License-Identifier: Apache-2.0

/// What of a request may be written to a log.
enum Redaction {
    /// Parts of parameter names whose values are secrets.
    private static let secretWords = [
        "token", "password", "passwd", "secret", "key", "auth", "signature", "credential",
    ]

    /// The request target with the values of secret parameters as `redacted`, at most 512 bytes.
    ///
    /// `/login?token=abc&x=1` becomes `/login?token=redacted&x=1`.
    static func target(_ target: String) -> String {
        guard let mark = target.firstIndex(of: "?") else { return String(target.prefix(512)) }
        let query = target[target.index(after: mark)...].split(separator: "&", omittingEmptySubsequences: false)
        let parts = query.map { part -> Substring in
            guard let sign = part.firstIndex(of: "=") else { return part }
            let name = (String(part[..<sign]).removingPercentEscapes ?? "key").lowercased()
            return secretWords.contains(where: name.contains) ? part[..<sign] + "=redacted" : part
        }
        return String((target[...mark] + parts.joined(separator: "&")).prefix(512))
    }
}
