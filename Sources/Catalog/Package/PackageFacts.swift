// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What an installer has to know of a plugin.json.
public struct PackageFacts: Sendable, Equatable {
    /// The id.
    public var id: String
    /// Such as `datasource`.
    public var type: String
    /// The display name.
    public var name: String
    /// As plugin.json has it; empty for a build without one.
    public var version: String
    /// What the plugin does.
    public var description: String
    /// Who made it.
    public var author: String
    /// Words to find it by.
    public var keywords: [String]
    /// The range of server versions, as written.
    public var serverRange: String
    /// The ids of the plugins that it needs.
    public var dependencies: [String]
    /// What it asks for, a line each, such as `hosts: api.example.com`.
    public var permissions: [String]
    /// The first part of its library's file name.
    var library: String?
    /// The first part of its program's file name.
    var executable: String?

    /// Its other names, and the ids and other names of the plugins that are nested in its folder.
    ///
    /// - Throws: ``CatalogError``, `.packageInvalid` for a nested plugin.json that says no id.
    static func companions(folder: String) throws -> [String] {
        let places = try FileTree.entries(of: folder).filter {
            $0.kind == .file && ($0.path == "plugin.json" || $0.path.hasSuffix("/plugin.json"))
        }
        return try places.flatMap { place -> [String] in
            let path = "\(folder)/\(place.path)"
            let bytes = try FileTree.read(path, limit: largest) ?? []
            guard let json = try? JSONValue(parsing: bytes), let id = json["id"]?.string else {
                throw CatalogError(.packageInvalid, "'\(path)' names no id; ask the plugin's author")
            }
            return [id] + (json["aliasIDs"]?.array ?? []).compactMap(\.string)
        }
    }

    /// More bytes than any plugin.json has.
    static let largest = 4 << 20

    /// Reads plugin.json, or dist/plugin.json, of a folder.
    ///
    /// - Throws: ``CatalogError`` `.packageInvalid`.
    public init(folder: String) throws {
        for place in ["\(folder)/dist/plugin.json", "\(folder)/plugin.json"] {
            guard let bytes = try FileTree.read(place, limit: Self.largest) else { continue }
            try self.init(pluginJSON: bytes, subject: "'\(place)'")
            return
        }
        throw CatalogError(
            .packageInvalid,
            "could not find plugin.json or dist/plugin.json in '\(folder)'; it is no plugin: name the folder or archive "
                + "of one")
    }

    init(pluginJSON bytes: [UInt8], subject: String) throws {
        guard let json = try? JSONValue(parsing: bytes), let id = json["id"]?.string, let type = json["type"]?.string,
            !type.isEmpty
        else {
            throw CatalogError(
                .packageInvalid,
                "\(subject): did not find valid type or id properties in plugin.json; ask the plugin's author")
        }
        guard PluginID.isValid(id) else {
            throw CatalogError(
                .packageInvalid, "\(subject): its id could not be the name of a folder; ask the plugin's author")
        }
        let info = json["info"]
        self.id = id
        self.type = type
        name = json["name"]?.string ?? id
        version = Self.clean(info?["version"]?.string)
        description = info?["description"]?.string ?? ""
        author = info?["author"]?["name"]?.string ?? ""
        keywords = (info?["keywords"]?.array ?? []).compactMap(\.string)
        serverRange = json["dependencies"]?["grafanaDependency"]?.string ?? ""
        dependencies = (json["dependencies"]?["plugins"]?.array ?? []).compactMap { $0["id"]?.string }
        permissions = Self.permissions(json["permissions"])
        let hasBackend = json["backend"]?.bool == true
        library = hasBackend ? json["library"]?.string : nil
        executable = hasBackend ? json["executable"]?.string : nil
    }

    /// A version that is safe to print and to keep; a mark that a build left counts as none.
    private static func clean(_ version: String?) -> String {
        guard let version, version != "%VERSION%" else { return "" }
        return String(
            version.unicodeScalars.filter { $0.isASCII && $0.value > 0x20 && $0 != "/" }.prefix(128).map(Character.init)
        )
    }

    private static func permissions(_ value: JSONValue?) -> [String] {
        guard let object = value?.object else { return [] }
        return object.sorted { $0.key < $1.key }.flatMap { name, value -> [String] in
            if let list = value.array { return list.map { "\(name): \($0.string ?? $0.encoded())" } }
            return ["\(name): \(value.string ?? value.encoded())"]
        }
    }
}
