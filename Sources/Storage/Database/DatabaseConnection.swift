// SPDX-License-Identifier: Apache-2.0

/// One open connection, used by one thread at a time and only inside of ``Database/read(_:)`` or
/// ``Database/write(_:)``.
///
/// Calls block.
public protocol DatabaseConnection: AnyObject {
    /// How this database says things.
    var dialect: any Dialect { get }

    /// Runs one statement and returns the number of rows that it changed.
    @discardableResult
    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int

    /// Runs an INSERT into a table with an `id` primary key and returns the new id.
    func insert(_ sql: String, _ values: [SQLValue]) throws -> Int64

    /// Runs a query and returns all rows of its answer.
    func query(_ sql: String, _ values: [SQLValue]) throws -> [Row]
}

extension DatabaseConnection {
    /// Runs one statement without values.
    @discardableResult
    public func execute(_ sql: String) throws -> Int { try execute(sql, []) }

    /// Runs a query without values.
    public func query(_ sql: String) throws -> [Row] { try query(sql, []) }

    /// The first row of an answer, or nil.
    public func first(_ sql: String, _ values: [SQLValue] = []) throws -> Row? { try query(sql, values).first }

    /// The number in column `n` of the only row, as `SELECT COUNT(*) AS n` gives it.
    public func count(_ sql: String, _ values: [SQLValue] = []) throws -> Int {
        guard let row = try first(sql, values) else { return 0 }
        return Int(try row.optionalInteger("n") ?? 0)
    }
}
