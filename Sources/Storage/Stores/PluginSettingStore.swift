// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// One organisation's settings of one plugin.
public struct PluginSetting: Sendable, Equatable {
    /// The organisation.
    public var orgID: Int64
    /// The plugin.
    public var pluginID: String
    /// Whether the plugin may be used.
    public var isEnabled: Bool
    /// Whether the menu shows it.
    public var isPinned: Bool
    /// A JSON object as text.
    public var jsonData: String
    /// The names of the secrets that are set, sorted.
    public var secureFieldNames: [String]
    /// Counts changes, from 1.
    public var version: Int
    /// When it was last changed; a change replaces the plugin's instance.
    public var updated: Date
}

/// A change of one plugin's settings; nil keeps a value, or takes the default for a new row.
public struct PluginSettingUpdate: Sendable {
    /// Whether the plugin may be used; a new row has true.
    public var isEnabled: Bool?
    /// Whether the menu shows it; a new row has false.
    public var isPinned: Bool?
    /// A JSON object as text; a new row has `{}`.
    public var jsonData: String?
    /// Secrets to set; those not named stay.
    public var secrets: [String: Secret] = [:]
    /// The version that the caller read, 0 for a row that must be new; nil to overwrite whatever is there.
    public var expectedVersion: Int?

    /// Describes a change of nothing.
    public init() {}
}

/// Settings of plugins.
public struct PluginSettingStore: Sendable {
    let database: Database
    let secretsService: SecretsService
    let clock: StoreClock

    init(database: Database, secrets: SecretsService, clock: StoreClock) {
        self.database = database
        secretsService = secrets
        self.clock = clock
    }

    /// The settings of a plugin; nil when none were saved.
    public func find(orgID: Int64, pluginID: String) async throws -> PluginSetting? {
        try await database.read { try Self.row(orgID, pluginID, in: $0).map(PluginSetting.init(row:)) }
    }

    /// All settings of an organisation, by plugin.
    public func list(orgID: Int64) async throws -> [PluginSetting] {
        let rows = try await database.read { connection in
            try connection.query("SELECT * FROM plugin_setting WHERE org_id = ? ORDER BY plugin_id", [.integer(orgID)])
        }
        return try rows.map(PluginSetting.init(row:))
    }

    /// Saves the settings of a plugin, new or not.
    ///
    /// - Throws: ``StorageError`` `.versionMismatch`, or `.invalidValue` for an impossible plugin id.
    public func save(orgID: Int64, pluginID: String, _ update: PluginSettingUpdate) async throws -> PluginSetting {
        try checkName(pluginID, of: "plugin setting")
        let key = update.secrets.isEmpty ? nil : try await secretsService.currentKey(scope: "org:\(orgID)")
        let now = clock.now()
        return try await database.write { connection in
            let row = try Self.row(orgID, pluginID, in: connection)
            let current = try row.map(PluginSetting.init(row:))
            if let expected = update.expectedVersion, expected != current?.version ?? 0 {
                throw StorageError(
                    .versionMismatch,
                    "plugin '\(pluginID)': its settings are at version \(current?.version ?? 0); read them again and repeat"
                )
            }
            var sealed = try row.map { try SecretFields(json: try $0.text("secure_json_data")) } ?? SecretFields()
            if let key { try sealed.set(update.secrets, under: key, place: Self.place(orgID, pluginID)) }
            let columns = [
                "org_id", "plugin_id", "enabled", "pinned", "json_data", "secure_json_data", "version", "created",
                "updated",
            ]
            let sql = connection.dialect.upsert(
                into: "plugin_setting", columns: columns, conflict: ["org_id", "plugin_id"],
                update: columns.filter { !["org_id", "plugin_id", "created"].contains($0) })
            try connection.execute(
                sql,
                [
                    .integer(orgID), .text(pluginID), .bool(update.isEnabled ?? current?.isEnabled ?? true),
                    .bool(update.isPinned ?? current?.isPinned ?? false),
                    .text(update.jsonData ?? current?.jsonData ?? "{}"),
                    .text(try sealed.json), .integer(Int64(current?.version ?? 0) + 1), .time(now), .time(now),
                ])
            guard let saved = try Self.row(orgID, pluginID, in: connection) else {
                throw StorageError.notFound("plugin setting '\(pluginID)'")
            }
            return try PluginSetting(row: saved)
        }
    }

    /// Forgets the settings of a plugin; doing so twice is fine.
    public func delete(orgID: Int64, pluginID: String) async throws {
        try await database.write { connection in
            try connection.execute(
                "DELETE FROM plugin_setting WHERE org_id = ? AND plugin_id = ?", [.integer(orgID), .text(pluginID)])
        }
    }

    /// The decrypted secrets of a plugin by name; empty when none were saved.
    public func secrets(orgID: Int64, pluginID: String) async throws -> [String: Secret] {
        guard let row = try await database.read({ try Self.row(orgID, pluginID, in: $0) }) else { return [:] }
        let sealed = try SecretFields(json: try row.text("secure_json_data"))
        return try await sealed.open(place: Self.place(orgID, pluginID), with: secretsService)
    }

    static func place(_ orgID: Int64, _ pluginID: String) -> String { "plugin_setting/\(orgID)/\(pluginID)" }

    private static func row(_ orgID: Int64, _ pluginID: String, in connection: any DatabaseConnection) throws -> Row? {
        try connection.first(
            "SELECT * FROM plugin_setting WHERE org_id = ? AND plugin_id = ?", [.integer(orgID), .text(pluginID)])
    }
}

extension PluginSetting {
    fileprivate init(row: Row) throws {
        self.init(
            orgID: try row.integer("org_id"), pluginID: try row.text("plugin_id"), isEnabled: try row.bool("enabled"),
            isPinned: try row.bool("pinned"), jsonData: try row.text("json_data"),
            secureFieldNames: try SecretFields(json: try row.text("secure_json_data")).names,
            version: Int(try row.integer("version")), updated: try row.time("updated"))
    }
}
