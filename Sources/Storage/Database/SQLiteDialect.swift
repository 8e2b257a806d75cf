// SPDX-License-Identifier: Apache-2.0

/// SQLite's way of saying things.
public struct SQLiteDialect: Dialect {
    /// SQLite's name in the settings.
    public let name = "sqlite3"
    /// AUTOINCREMENT: ids of deleted rows do not come back.
    public let primaryKey = "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL"
    /// SQLite has no boolean type; flags are 0 and 1.
    public let boolean = "INTEGER"
    /// Up to 64 bits.
    public let integer = "INTEGER"
    /// Indexes take texts of any length.
    public let name190 = "TEXT"
    /// Texts of any length.
    public let text = "TEXT"
    /// Bytes of any length.
    public let blob = "BLOB"
    /// Asks SQLite's own table of tables.
    public let tableExists = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?"

    /// Creates the dialect.
    public init() {}

    /// The statement itself: SQLite's placeholders are the portable ones.
    public func placeholders(_ sql: String) -> String { sql }

    /// An INSERT with ON CONFLICT.
    public func upsert(into table: String, columns: [String], conflict: [String], update: [String]) -> String {
        let names = columns.map { "\"\($0)\"" }.joined(separator: ", ")
        let marks = columns.map { _ in "?" }.joined(separator: ", ")
        let keys = conflict.map { "\"\($0)\"" }.joined(separator: ", ")
        let changes = update.map { "\"\($0)\" = excluded.\"\($0)\"" }.joined(separator: ", ")
        return "INSERT INTO \"\(table)\" (\(names)) VALUES (\(marks)) ON CONFLICT (\(keys)) DO UPDATE SET \(changes)"
    }
}
