// SPDX-License-Identifier: Apache-2.0

/// The files of a plugin, wherever they are.
///
/// The host gives the digests that it made while it read: what was hashed is what is loaded.
public protocol PluginContent: Sendable {
    /// The paths of all files, relative to the plugin's folder with `/`, in any order.
    ///
    /// Hidden files and files of nested plugins count, and MANIFEST.txt is one of them. A link to a file counts under its
    /// own path; links to folders and folders do not count.
    var paths: [String] { get }

    /// The whole content of a file.
    ///
    /// - Throws: ``SigningError`` `.fileTooLarge` past `limit` bytes, any other when it cannot be read.
    func bytes(of path: String, limit: Int) throws(SigningError) -> [UInt8]

    /// The digest of a file; called from many threads at once.
    ///
    /// - Throws: ``SigningError`` `.linkOutside`, `.fileSpecial`, or any other when it cannot be read.
    func digest(of path: String) throws(SigningError) -> FileDigest
}

/// What plugin.json says that the manifest has to repeat.
public struct PluginIdentity: Sendable, Equatable {
    /// The plugin's id.
    public var id: String
    /// `info.version`.
    public var version: String

    /// The largest plugin.json that is read: 8 MiB.
    public static let maximumBytes = 8 << 20

    /// Makes an identity.
    public init(id: String, version: String) {
        self.id = id
        self.version = version
    }

    /// Reads the text of a plugin.json.
    ///
    /// - Throws: ``SigningError`` `.contentUnsignable` when it is no JSON object or has no id.
    public init(pluginJSON bytes: [UInt8]) throws(SigningError) {
        let json: StrictJSON
        do throws(FormatError) {
            json = try StrictJSON(lenient: bytes)
        } catch {
            throw SigningError(.contentUnsignable, "plugin.json is no JSON: \(error.message); correct it")
        }
        guard case .string(let id)? = json["id"], !id.isEmpty else {
            throw SigningError(.contentUnsignable, "plugin.json has no \"id\"; add it")
        }
        self.id = id
        if case .string(let version)? = json["info"]?["version"] {
            self.version = version
        } else {
            version = ""
        }
    }
}
