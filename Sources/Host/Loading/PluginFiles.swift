// SPDX-License-Identifier: Apache-2.0
public import Signing

/// The files of one plugin, by their paths relative to the folder of plugin.json (separator `/`).
public struct PluginFiles: Sendable, Equatable {
    /// How membership is decided.
    public enum Listing: Sendable, Equatable {
        /// The list as it was at discovery: a file that came later does not exist (production).
        case frozen(Set<String>)
        /// Whatever is in the folder now (development).
        case live
    }

    /// The folder of plugin.json.
    public let root: String
    /// Whether the list is frozen.
    public let listing: Listing
    /// Of a plugin with a valid signature: the SHA-256 that was signed, by path; no other file is the plugin's.
    public var signed: [String: FileDigest]?

    /// The files of a plugin without a signature; see ``signed``.
    public init(root: String, listing: Listing) {
        self.root = root
        self.listing = listing
    }

    /// Whether the plugin has the file; false for paths that are absolute, climb with `..` or leave through a symlink.
    public func contains(_ path: String) -> Bool { location(of: path) != nil }

    /// The place of one file on disk, or nil when the plugin does not have it.
    ///
    /// - Parameter path: relative, as it comes from a URL or from plugin.json; a leading `./` is fine.
    public func location(of path: String) -> String? {
        guard let relative = FilePath.normalized(path) else { return nil }
        if let signed, signed[relative] == nil { return nil }
        if case .frozen(let names) = listing, !names.contains(relative) { return nil }
        let full = FilePath.join(root, relative)
        guard let real = FileSystem.realPath(full), let realRoot = FileSystem.realPath(root),
            FilePath.isInside(real, folder: realRoot), FileSystem.status(of: full)?.isFile == true
        else { return nil }
        return full
    }

    /// The SHA-256 that was signed for a file; nil when the plugin is unsigned or has no such file.
    public func signedDigest(of path: String) -> FileDigest? {
        FilePath.normalized(path).flatMap { signed?[$0] }
    }

    /// Every file, sorted: the names that a signature must cover.
    ///
    /// - Throws: ``PluginRefusal`` when a live folder cannot be listed or a symlink leaves it.
    public func names() throws -> [String] {
        switch listing {
        case .frozen(let names): names.sorted()
        case .live: try FolderListing.files(in: root).sorted()
        }
    }
}
