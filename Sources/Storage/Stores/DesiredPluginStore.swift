// SPDX-License-Identifier: Apache-2.0

/// A plugin that every server of the database should have, or should no longer have.
public struct DesiredPlugin: Sendable, Equatable {
    /// The plugin.
    public var pluginID: String
    /// False once it was removed.
    public var isPresent: Bool
    /// The version.
    public var version: String
    /// Where it comes from and its hashes, as JSON; empty for one that was removed.
    public var entry: String
    /// Counts the changes of this plugin, from 1.
    public var revision: Int64
}

/// The plugins that all servers of the database should have.
public struct DesiredPluginStore: Sendable {
    let database: Database
    let clock: StoreClock

    /// All of them, also those that were removed, by id.
    public func list() async throws -> [DesiredPlugin] {
        let rows = try await database.read { connection in
            try connection.query(
                "SELECT plugin_id, present, version, entry, revision FROM desired_plugin ORDER BY plugin_id", [])
        }
        return try rows.map { row in
            DesiredPlugin(
                pluginID: try row.text("plugin_id"), isPresent: try row.bool("present"),
                version: try row.text("version"), entry: try row.text("entry"), revision: try row.integer("revision"))
        }
    }

    /// Says what every server should have of a plugin.
    ///
    /// - Returns: The revision of this change.
    @discardableResult
    public func set(_ pluginID: String, isPresent: Bool, version: String, entry: String) async throws -> Int64 {
        let now = clock.now()
        return try await database.write { connection in
            let changed = try connection.execute(
                "UPDATE desired_plugin SET present = ?, version = ?, entry = ?, revision = revision + 1, updated = ? "
                    + "WHERE plugin_id = ?",
                [.bool(isPresent), .text(version), .text(entry), .time(now), .text(pluginID)])
            guard changed == 0 else {
                let row = try connection.first(
                    "SELECT revision FROM desired_plugin WHERE plugin_id = ?", [.text(pluginID)])
                return try row?.integer("revision") ?? 1
            }
            try connection.execute(
                "INSERT INTO desired_plugin (plugin_id, present, version, entry, revision, updated) "
                    + "VALUES (?, ?, ?, ?, 1, ?)",
                [.text(pluginID), .bool(isPresent), .text(version), .text(entry), .time(now)])
            return 1
        }
    }
}
