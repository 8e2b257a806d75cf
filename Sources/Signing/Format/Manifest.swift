// SPDX-License-Identifier: Apache-2.0

/// What MANIFEST.txt says about a plugin: who signed which files of which version.
///
/// - SeeAlso: Grafana, `pkg/plugins/manager/signature/manifest.go`, `PluginManifest`.
public struct Manifest: Sendable, Equatable {
    /// For whom a plugin is signed; raw values are those of the file.
    public enum SignatureType: String, Sendable, Hashable, CaseIterable {
        case grafana, commercial, community
        case privatePlugin = "private"
        case privateGlob = "private-glob"
    }

    /// A listed file.
    public struct File: Sendable, Hashable {
        /// Relative to the plugin's folder, with `/`.
        public var path: String
        /// The digest of its content.
        public var digest: FileDigest

        /// Makes an entry.
        public init(path: String, digest: FileDigest) {
            self.path = path
            self.digest = digest
        }
    }

    /// The plugin's id.
    public var plugin: String
    /// The plugin's version.
    public var version: String
    /// The id of the key that signed, 16 lower-case hexadecimal digits.
    public var keyID: String
    /// When it was signed, milliseconds since 1970.
    public var timeMilliseconds: Int64
    /// The files, sorted by the bytes of their paths; no path occurs twice.
    public var files: [File]
    /// `2.0.0`; empty in the first version of the format, which is no longer accepted.
    public var manifestVersion: String
    /// Nil in the first version of the format.
    public var signatureType: SignatureType?
    /// The short name of the signer.
    public var organization: String
    /// The display name of the signer.
    public var organizationName: String
    /// The servers that may load the plugin; empty for all.
    public var rootURLs: [String]

    /// The largest file that is read: 16 MiB, some 100,000 files.
    public static let maximumBytes = 16 << 20
    /// The file's name, in the root of the plugin's folder.
    public static let fileName = "MANIFEST.txt"

    /// Makes a manifest to be signed; sorts the files.
    public init(
        plugin: String, version: String, keyID: String, timeMilliseconds: Int64, files: [File],
        signatureType: SignatureType
    ) {
        self.plugin = plugin
        self.version = version
        self.keyID = keyID
        self.timeMilliseconds = timeMilliseconds
        self.files = files.sorted { PathOrder.precedes($0.path, $1.path) }
        self.manifestVersion = "2.0.0"
        self.signatureType = signatureType
        organization = ""
        organizationName = ""
        rootURLs = []
    }

    /// Whether the format is one that is still accepted.
    public var isSupportedVersion: Bool { manifestVersion.hasPrefix("2.") }
}

/// The order of paths: by their bytes, so that strings which only look equal stay apart.
enum PathOrder {
    static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

/// Rules for the paths in a manifest.
enum ManifestPath {
    /// What is wrong with a path, or nil: it has to be relative, with `/`, and without empty parts, `.` and `..`.
    static func fault(of path: String) -> String? {
        if path.isEmpty { return "it is empty" }
        if path.hasPrefix("/") { return "it is absolute" }
        if path.utf8.contains(0x5C) { return "it has a backslash" }
        // By bytes, as files are named: to a character "/" and an accent are one.
        for part in path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            if part.isEmpty { return "it has an empty part" }
            if part.elementsEqual(".".utf8) { return "it has the part '.'" }
            if part.elementsEqual("..".utf8) { return "it has the part '..'" }
        }
        return path == Manifest.fileName ? "it is the manifest itself" : nil
    }
}
