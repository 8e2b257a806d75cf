// SPDX-License-Identifier: Apache-2.0
public import PluginABI

/// plugins.lock.json: what is installed, so that another machine can get exactly the same.
///
/// ```json
/// {"schemaVersion": 1,
///  "plugins": {"acme-sine-datasource": {"version": "1.2.0", "folder": "acme-sine-datasource", "archiveHash": "…",
///     "treeHash": "…", "signature": {"status": "valid", "fingerprint": "…", "type": "private"},
///     "source": {"kind": "catalog", "location": "https://plugins.example.com"}, "permissions": [],
///     "pinned": false, "installed": "2026-11-28T00:00:00Z"}},
///  "publishers": {"acme-sine-datasource": "…"}}
/// ```
public struct PluginLockFile: Sendable, Equatable {
    /// The version of the form.
    static let schemaVersion = 1

    /// By id.
    public var plugins: [String: LockedPlugin] = [:]
    /// The publisher of each id that was ever installed, by fingerprint, or `unsigned`; stays when a plugin goes.
    public var publishers: [String: String] = [:]

    init() {}

    /// Reads the file of a plugins folder; without one nothing is recorded.
    ///
    /// - Throws: ``CatalogError`` `.lockFileInvalid`, `.folderFailed`.
    public init(of folder: PluginsFolder) throws { try self.init(path: folder.lockFile, isRequired: false) }

    /// Reads a file from elsewhere.
    ///
    /// - Throws: ``CatalogError`` `.lockFileInvalid`, `.folderFailed`.
    public init(path: String) throws { try self.init(path: path, isRequired: true) }

    private init(path: String, isRequired: Bool) throws {
        guard let bytes = try FileTree.read(path) else {
            guard !isRequired else { throw CatalogError.system("open", path, 2) }
            return
        }
        guard let json = try? JSONValue(parsing: bytes), let list = json["plugins"]?.object,
            let version = json["schemaVersion"]?.int
        else { throw Self.invalid(path, "it is not JSON of this form") }
        guard version == Self.schemaVersion else {
            throw Self.invalid(path, "its schemaVersion is \(version), this program knows \(Self.schemaVersion)")
        }
        for (id, value) in list {
            guard let plugin = LockedPlugin(id: id, json: value) else {
                throw Self.invalid(path, "the entry '\(id)' is incomplete")
            }
            plugins[id] = plugin
        }
        for (id, value) in json["publishers"]?.object ?? [:] { publishers[id] = value.string }
    }

    private static func invalid(_ path: String, _ fact: String) -> CatalogError {
        CatalogError(
            .lockFileInvalid,
            "'\(path)': \(fact); restore it from a backup, or move it away: then nothing is pinned or recorded any more"
        )
    }

    var bytes: [UInt8] {
        var list = JSONObject()
        for (id, plugin) in plugins.sorted(by: { $0.key < $1.key }) { list[id] = plugin.json }
        var pins = JSONObject()
        for (id, pin) in publishers.sorted(by: { $0.key < $1.key }) { pins[id] = .string(pin) }
        let value: JSONValue = [
            "schemaVersion": .integer(Int64(Self.schemaVersion)), "plugins": .object(list), "publishers": .object(pins),
        ]
        return Array((JSONText.indented(value) + "\n").utf8)
    }

    func save(to folder: PluginsFolder) throws {
        try FileTree.replace(folder.lockFile, with: bytes, temporary: folder.newLockFile)
    }
}

/// JSON for people.
public enum JSONText {
    static func parsed(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }

    /// Two spaces a level; short lists stay on one line.
    public static func indented(_ value: JSONValue, level: Int = 0) -> String {
        let inner = String(repeating: "  ", count: level + 1)
        let outer = String(repeating: "  ", count: level)
        switch value {
        case .object(let object) where !object.isEmpty:
            let lines = object.map {
                "\(inner)\(JSONValue.string($0.key).encoded()): \(indented($0.value, level: level + 1))"
            }
            return "{\n\(lines.joined(separator: ",\n"))\n\(outer)}"
        case .array(let items) where items.contains { $0.object != nil || $0.array != nil }:
            let lines = items.map { inner + indented($0, level: level + 1) }
            return "[\n\(lines.joined(separator: ",\n"))\n\(outer)]"
        default: return value.encoded()
        }
    }
}
