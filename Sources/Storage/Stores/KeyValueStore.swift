// SPDX-License-Identifier: Apache-2.0

/// A value that was kept under a key.
public struct KeyValue: Sendable, Equatable {
    /// The bytes.
    public var value: [UInt8]
    /// Counts changes, from 1.
    public var version: Int
}

/// Values that plugins and the server keep by organisation, namespace and key.
///
/// Organisation 0 is the server itself.
public struct KeyValueStore: Sendable {
    /// The namespace whose keys are the plugins that an administrator switched off.
    public static let disabledPlugins = "plugins.disabled"

    let database: Database
    let clock: StoreClock

    /// The value of a key; nil when there is none.
    public func find(orgID: Int64, namespace: String, key: String) async throws -> KeyValue? {
        try await database.read { try Self.find(orgID, namespace, key, in: $0) }
    }

    /// Sets the value of a key and returns its new version.
    ///
    /// - Parameters:
    ///   - expectedVersion: The version that the caller read, 0 for a key that must be new; nil to overwrite.
    ///   - quotaBytes: The most that all keys and values of the namespace may take together; nil for no limit.
    /// - Throws: ``StorageError`` `.quotaExceeded`, `.versionMismatch`, or `.invalidValue` for an empty or too long key.
    @discardableResult
    public func set(
        orgID: Int64, namespace: String, key: String, to value: [UInt8], expectedVersion: Int? = nil,
        quotaBytes: Int? = nil
    ) async throws -> Int {
        try checkName(namespace, of: "key-value namespace")
        try checkName(key, of: "key")
        let now = SQLValue.time(clock.now())
        let size = key.utf8.count + value.count
        return try await database.write { connection in
            let current = try Self.find(orgID, namespace, key, in: connection)
            if let expectedVersion, expectedVersion != current?.version ?? 0 {
                throw StorageError(
                    .versionMismatch,
                    "key '\(key)': it is at version \(current?.version ?? 0); read it again and repeat")
            }
            let used = try Self.totalSize(orgID, namespace, in: connection)
            let replaced = current.map { $0.value.count + key.utf8.count } ?? 0
            if let quotaBytes, used - replaced + size > quotaBytes {
                throw StorageError(
                    .quotaExceeded,
                    "key '\(key)': namespace '\(namespace)' would hold more than \(quotaBytes) bytes; delete other keys first"
                )
            }
            let columns = ["org_id", "namespace", "key", "value", "size", "version", "created", "updated"]
            let sql = connection.dialect.upsert(
                into: "kv_store", columns: columns, conflict: ["org_id", "namespace", "key"],
                update: ["value", "size", "version", "updated"])
            let version = (current?.version ?? 0) + 1
            try connection.execute(
                sql,
                [
                    .integer(orgID), .text(namespace), .text(key), .blob(value), .integer(Int64(size)),
                    .integer(Int64(version)), now, now,
                ])
            return version
        }
    }

    /// Deletes a key; false when there was none.
    @discardableResult
    public func delete(orgID: Int64, namespace: String, key: String) async throws -> Bool {
        try await database.write { connection in
            try connection.execute(
                "DELETE FROM kv_store WHERE org_id = ? AND namespace = ? AND \"key\" = ?",
                [.integer(orgID), .text(namespace), .text(key)]) > 0
        }
    }

    /// The keys of a namespace that begin with `prefix`, sorted.
    public func keys(orgID: Int64, namespace: String, prefix: String = "") async throws -> [String] {
        let rows = try await database.read { connection in
            try connection.query(
                "SELECT \"key\" FROM kv_store WHERE org_id = ? AND namespace = ? ORDER BY \"key\"",
                [.integer(orgID), .text(namespace)])
        }
        return try rows.map { try $0.text("key") }.filter { $0.hasPrefix(prefix) }
    }

    /// The bytes that all keys and values of a namespace take.
    public func totalSize(orgID: Int64, namespace: String) async throws -> Int {
        try await database.read { try Self.totalSize(orgID, namespace, in: $0) }
    }

    private static func find(
        _ orgID: Int64, _ namespace: String, _ key: String, in connection: any DatabaseConnection
    ) throws -> KeyValue? {
        try connection.first(
            "SELECT \"value\", version FROM kv_store WHERE org_id = ? AND namespace = ? AND \"key\" = ?",
            [.integer(orgID), .text(namespace), .text(key)]
        ).map { KeyValue(value: try $0.blob("value"), version: Int(try $0.integer("version"))) }
    }

    private static func totalSize(
        _ orgID: Int64, _ namespace: String, in connection: any DatabaseConnection
    ) throws -> Int {
        try connection.count(
            "SELECT COALESCE(SUM(size), 0) AS n FROM kv_store WHERE org_id = ? AND namespace = ?",
            [.integer(orgID), .text(namespace)])
    }
}
