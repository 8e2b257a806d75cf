// SPDX-License-Identifier: Apache-2.0
import CADBC
import CPluginABI
import PluginABI
import Synchronization

/// Stops what a connection of a driver does.
///
/// ADBC 1.1 lets both functions be called from any thread while a statement runs. Older drivers have neither: their
/// statements run to their end.
final class ADBCInterrupter: SQLInterrupter {
    /// Addresses of what runs; 0: nothing.
    private struct Running {
        var connection: UInt
        var statement: UInt = 0
    }

    private let caller: ADBCCaller
    private let running: Mutex<Running>

    init(_ caller: ADBCCaller, _ connection: UnsafeMutablePointer<AdbcConnection>) {
        self.caller = caller
        running = Mutex(Running(connection: UInt(bitPattern: connection)))
    }

    func cancel() {
        running.withLock { running in
            let table = caller.table
            var error = AdbcError()
            if let statement = UnsafeMutablePointer<AdbcStatement>(bitPattern: running.statement),
                let cancel = table.StatementCancel
            {
                _ = cancel(statement, &error)
            } else if let connection = UnsafeMutablePointer<AdbcConnection>(bitPattern: running.connection) {
                _ = table.ConnectionCancel?(connection, &error)
            }
            let release = error.release
            release?(&error)
        }
    }

    /// There is no line to cut: the driver has it.
    func abort() { cancel() }

    /// A statement is about to run, or, with nil, about to be released.
    func runs(_ statement: UnsafeMutablePointer<AdbcStatement>?) {
        running.withLock { $0.statement = UInt(bitPattern: statement) }
    }

    /// The connection is about to be released.
    func forget() { running.withLock { $0 = Running(connection: 0) } }
}

/// One connection of a driver.
final class ADBCConnection: SQLConnection {
    let database: ADBCDatabase
    let handle: UnsafeMutablePointer<AdbcConnection>
    let interrupter: ADBCInterrupter
    private var statement: UnsafeMutablePointer<AdbcStatement>?
    private var stream: ADBCStream?
    private var pieces: ADBCPieces?
    private var isInTransaction = false
    private(set) var isAlive = true

    var caller: ADBCCaller { database.caller }

    init(_ database: ADBCDatabase, _ handle: UnsafeMutablePointer<AdbcConnection>) {
        self.database = database
        self.handle = handle
        interrupter = ADBCInterrupter(database.caller, handle)
    }

    // MARK: Statements

    func begin(_ query: SQLQuery) throws -> [String] {
        let sql = query.text.literal
        if database.settings.isReadOnly {
            try database.settings.dialect.checkReadOnly(sql)
            try beginReading()
        }
        return try execute(sql)
    }

    private func execute(_ sql: String) throws -> [String] {
        let place = UnsafeMutablePointer<AdbcStatement>.allocate(capacity: 1)
        place.initialize(to: AdbcStatement(private_data: nil, private_driver: caller.driver.table))
        do {
            try caller.call("making a statement") { caller.table.StatementNew?(handle, place, $0) }
        } catch {
            place.deallocate()
            throw noticed(error)
        }
        statement = place
        do {
            for (name, value) in database.settings.statementOptions {
                try caller.call("setting the statement option \(name)") {
                    caller.table.StatementSetOption?(place, name, value, $0)
                }
            }
            try caller.call("preparing the query", isQuery: true) { caller.table.StatementSetSqlQuery?(place, sql, $0) }
            interrupter.runs(place)
            let stream = try ADBCStream(caller, "running the query", isQuery: true) {
                caller.table.StatementExecuteQuery?(place, $0, nil, $1)
            }
            self.stream = stream
            return stream.fields.map(\.name)
        } catch {
            throw noticed(error)
        }
    }

    /// A line that broke is not used again.
    private func noticed(_ error: any Error) -> any Error {
        if let error = error as? PluginError, [.io, .timeout, .badData].contains(error.code) { isAlive = false }
        return error
    }

    func fetch(_ limit: SQLBatchLimit) throws -> SQLBatch {
        if let next = pieces?.next() { return next }
        pieces = nil
        guard let stream else { return SQLBatch(columns: [], rowCount: 0, isLast: true) }
        do {
            guard let batch = try stream.next() else { return SQLBatch(columns: [], rowCount: 0, isLast: true) }
            guard batch.rowCount > 0 else { return SQLBatch(columns: [], rowCount: 0, isLast: false) }
            let (columns, lost) = batch.frame()
            var made = ADBCPieces(columns: columns, rowCount: batch.rowCount, bytes: limit.bytes)
            // '!' is fine: a batch with rows has a piece
            var first = made.next()!
            for (index, count) in lost.enumerated() where count > 0 {
                first.lost[stream.fields[index].name, default: 0] += count
            }
            pieces = made
            return first
        } catch {
            throw noticed(error)
        }
    }

    func reset() -> Bool {
        pieces = nil
        stream = nil
        interrupter.runs(nil)
        if let statement {
            var error = AdbcError()
            _ = caller.table.StatementRelease?(statement, &error)
            let release = error.release
            release?(&error)
            statement.deallocate()
        }
        statement = nil
        return isAlive && endReading()
    }

    func ping() throws {
        _ = try execute("SELECT 1")
        while try !fetch(SQLBatchLimit()).isLast {}
    }

    func close() {
        _ = reset()
        interrupter.forget()
        database.close(handle)
    }

    // MARK: Reading only

    /// Begins what is never committed.
    ///
    /// Drivers without transactions have only the words of the statement to go by.
    private func beginReading() throws {
        isInTransaction = try setAutocommit(ADBC_OPTION_VALUE_DISABLED)
    }

    /// Ends the transaction without a trace.
    ///
    /// - Returns: Whether the connection is as before.
    private func endReading() -> Bool {
        guard isInTransaction else { return true }
        isInTransaction = false
        do {
            try caller.call("ending the transaction") { caller.table.ConnectionRollback?(handle, $0) }
            return try setAutocommit(ADBC_OPTION_VALUE_ENABLED)
        } catch {
            return false
        }
    }

    /// - Returns: Whether the driver has transactions.
    private func setAutocommit(_ value: String) throws -> Bool {
        do {
            return try caller.attempt("setting autocommit") {
                caller.table.ConnectionSetOption?(handle, ADBC_CONNECTION_OPTION_AUTOCOMMIT, value, $0)
            }
        } catch {
            throw noticed(error)
        }
    }
}
