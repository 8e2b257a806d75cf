// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The index of a static catalogue: `catalog.txt`, a clear-signed JSON text.
///
/// ```json
/// {"kind": "plugin-catalog", "schemaVersion": 1, "name": "Acme", "serial": 7, "expires": 1798761600, "plugins": [
///   {"id": "acme-sine-datasource", "name": "Sine", "type": "datasource", "description": "…", "author": "Acme",
///    "keywords": ["wave"], "versions": [
///      {"version": "1.2.0", "serverRange": ">=12.0.0", "builds": {
///        "linux-amd64": {"path": "acme-sine-datasource-1.2.0.zip", "size": 5324, "sha256": "…"}}}]}]}
/// ```
struct CatalogIndex: Sendable, Equatable {
    /// One version with its archives.
    struct Version: Sendable, Equatable {
        var version: String
        var serverRange: String
        /// By `linux-amd64` or `any`.
        var builds: [String: ListedVersion.Build]
    }

    struct Plugin: Sendable, Equatable {
        var listed: ListedPlugin
        /// Newest first.
        var versions: [Version]
    }

    static let fileName = "catalog.txt"
    static let kind = "plugin-catalog"
    static let schemaVersion = 1
    /// More than an index of ten thousand plugins takes; it is read before anybody knows who signed it.
    static let largest = 16 << 20

    var name: String
    var serial: Int64
    /// Seconds since 1970.
    var expires: Int64
    var plugins: [Plugin]

    init(name: String, serial: Int64, expires: Int64, plugins: [Plugin]) {
        self.name = name
        self.serial = serial
        self.expires = expires
        self.plugins = plugins
    }

    /// - Throws: ``CatalogError`` `.catalogMalformed`.
    init(_ text: [UInt8], location: String) throws {
        func malformed(_ fact: String) -> CatalogError {
            CatalogError(
                .catalogMalformed,
                "'\(location)': its index is malformed (\(fact)); build it again with grafana-cli catalog build")
        }
        guard let json = try? JSONValue(parsing: text), let serial = json["serial"]?.int, serial > 0,
            let expires = json["expires"]?.int, let list = json["plugins"]?.array
        else { throw malformed("it has no serial, expires or plugins") }
        guard json["schemaVersion"]?.int == Self.schemaVersion else { throw malformed("its schemaVersion is unknown") }
        name = json["name"]?.string ?? ""
        self.serial = Int64(serial)
        self.expires = Int64(expires)
        plugins = try list.map { item in
            guard let plugin = Plugin(item) else { throw malformed("a plugin is incomplete") }
            return plugin
        }
        guard Set(plugins.map(\.listed.id)).count == plugins.count else { throw malformed("an id occurs twice") }
    }

    var json: JSONValue {
        [
            "kind": .string(Self.kind), "schemaVersion": .integer(Int64(Self.schemaVersion)), "name": .string(name),
            "serial": .integer(serial), "expires": .integer(expires), "plugins": .array(plugins.map(\.json)),
        ]
    }
}

extension CatalogIndex.Plugin {
    fileprivate init?(_ json: JSONValue) {
        guard let id = json["id"]?.string, PluginID.isValid(id), let list = json["versions"]?.array else { return nil }
        listed = ListedPlugin(id: id)
        listed.name = json["name"]?.string ?? ""
        listed.description = json["description"]?.string ?? ""
        listed.author = json["author"]?.string ?? ""
        listed.category = json["type"]?.string ?? ""
        listed.keywords = (json["keywords"]?.array ?? []).compactMap(\.string)
        versions = []
        for item in list {
            guard let version = item["version"]?.string, let builds = item["builds"]?.object else { return nil }
            var known: [String: ListedVersion.Build] = [:]
            for (machine, build) in builds {
                guard let path = build["path"]?.string, (try? SafeName(Array(path.utf8))) != nil,
                    let hash = build["sha256"]?.string, hash.utf8.count == 64, let size = build["size"]?.int, size >= 0
                else { return nil }
                known[machine] = ListedVersion.Build(hash: hash.lowercased(), size: UInt64(size), path: path)
            }
            guard !known.isEmpty else { return nil }
            versions.append(
                .init(version: version, serverRange: item["serverRange"]?.string ?? "", builds: known))
        }
        versions.sort { SemanticVersion.isOlder($1.version, than: $0.version) }
    }

    fileprivate var json: JSONValue {
        let versions = versions.map { version -> JSONValue in
            let builds = version.builds.sorted { $0.key < $1.key }.map { machine, build -> (String, JSONValue) in
                (
                    machine,
                    [
                        "path": .string(build.path ?? ""), "size": .integer(Int64(clamping: build.size ?? 0)),
                        "sha256": .string(build.hash ?? ""),
                    ]
                )
            }
            return [
                "version": .string(version.version), "serverRange": .string(version.serverRange),
                "builds": .object(JSONObject(builds.map { (key: $0.0, value: $0.1) })),
            ]
        }
        return [
            "id": .string(listed.id), "name": .string(listed.name), "type": .string(listed.category),
            "description": .string(listed.description), "author": .string(listed.author),
            "keywords": .array(listed.keywords.map { .string($0) }), "versions": .array(versions),
        ]
    }
}
