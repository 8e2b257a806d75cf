// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Rows of an answer as columns, in the types that they keep for the whole answer.
struct SQLBatch: Sendable {
    var columns: [Column]
    var rowCount: Int
    /// Values that no column of their type can hold and that became null, by the name of the column.
    var lost: [String: Int] = [:]
    /// Whole numbers that lost digits in a float64, by the name of the column.
    var rounded: [String: Int] = [:]
    /// Whether no more rows follow.
    var isLast: Bool
}

/// How much one batch may hold.
struct SQLBatchLimit: Sendable {
    var rows = 8192
    var bytes = 2 << 20
}

/// A connection of one of the C libraries; it lives on one thread and may block.
protocol SQLConnection: AnyObject {
    /// Sends a statement and waits for the names of its columns; none when it returns no rows.
    func begin(_ query: SQLQuery) throws -> [String]
    /// Waits for rows, as many as the limit says at the most.
    func fetch(_ limit: SQLBatchLimit) throws -> SQLBatch
    /// Ends the statement, also in its middle.
    ///
    /// - Returns: Whether the connection is as new, for the next statement.
    func reset() -> Bool
    /// Whether the other side is still there, without asking it.
    var isAlive: Bool { get }
    /// Asks the other side for a sign of life.
    func ping() throws
    func close()
}

/// Stops what a connection does, from any thread and at any time, also after the connection was closed.
protocol SQLInterrupter: Sendable {
    /// Asks the server to give up the statement; may block.
    func cancel()
    /// Cuts the line, so that a blocked call returns.
    func abort()
}

/// A connection that was made, and the way to stop it.
struct SQLOpened {
    var connection: any SQLConnection
    var interrupter: any SQLInterrupter
}
