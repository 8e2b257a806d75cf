// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A plugin's folder on disk, walked as Grafana does.
///
/// - SeeAlso: Grafana, `pkg/plugins/localfiles.go`.
public struct FolderContent: PluginContent {
    /// The folder, with all links resolved.
    public let folder: String
    /// See ``PluginContent/paths``; sorted by bytes.
    public let paths: [String]

    /// The deepest folder below the plugin's own, so that no tree makes the walk endless.
    private static let maximumDepth = 64

    /// Lists the files.
    ///
    /// - Throws: ``SigningError``: `.fileUnreadable`; `.linkOutside` for a link that leads out of the folder or to
    ///   nothing; `.fileSpecial` for a device, a pipe or a socket.
    public init(_ folder: String) throws(SigningError) {
        guard let real = FileAccess.realPath(folder) else {
            throw SigningError(.fileUnreadable, "'\(folder)' cannot be opened: \(FileAccess.reason(errno))")
        }
        self.folder = real
        var paths: [String] = []
        try Self.walk(real, below: "", depth: 0, into: &paths)
        self.paths = paths.sorted(by: PathOrder.precedes)
    }

    /// The whole content of a file.
    public func bytes(of path: String, limit: Int) throws(SigningError) -> [UInt8] {
        try FileAccess.bytes(of: resolved(path), limit: limit)
    }

    /// The digest of a file.
    public func digest(of path: String) throws(SigningError) -> FileDigest {
        try FileHasher.digest(ofFile: resolved(path))
    }

    private func resolved(_ path: String) throws(SigningError) -> String {
        try Self.resolved("\(folder)/\(path)", in: folder, path: path)
    }

    private static func walk(
        _ root: String, below folder: String, depth: Int, into paths: inout [String]
    ) throws(SigningError) {
        guard depth <= maximumDepth else {
            throw SigningError(.fileUnreadable, "'\(folder)' is nested deeper than \(maximumDepth) folders")
        }
        let full = folder.isEmpty ? root : "\(root)/\(folder)"
        for name in try FileAccess.names(in: full) {
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            switch try kind("\(root)/\(path)", path: path) {
            case S_IFDIR: try walk(root, below: path, depth: depth + 1, into: &paths)
            case S_IFREG: paths.append(path)
            case S_IFLNK:
                let target = try resolved("\(root)/\(path)", in: root, path: path)
                switch try kind(target, path: path) {
                case S_IFDIR: continue
                case S_IFREG: paths.append(path)
                default: throw special(path)
                }
            default: throw special(path)
            }
        }
    }

    private static func kind(_ full: String, path: String) throws(SigningError) -> mode_t {
        var status = stat()
        guard lstat(full, &status) == 0 else {
            throw SigningError(.fileUnreadable, "'\(path)' cannot be read: \(FileAccess.reason(errno))")
        }
        return status.st_mode & S_IFMT
    }

    private static func resolved(_ full: String, in root: String, path: String) throws(SigningError) -> String {
        guard let real = FileAccess.realPath(full) else {
            throw SigningError(.linkOutside, "'\(path)' leads to nothing: \(FileAccess.reason(errno))")
        }
        guard real.hasPrefix(root.hasSuffix("/") ? root : root + "/") else {
            throw SigningError(.linkOutside, "'\(path)' leads out of the plugin's folder, to '\(real)'")
        }
        return real
    }

    private static func special(_ path: String) -> SigningError {
        SigningError(.fileSpecial, "'\(path)' is neither a file nor a folder")
    }
}
