// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc

/// One SQLite connection with its prepared statements.
///
/// Answers are read to their end before a call returns, so that no statement stays open between calls.
final class SQLiteConnection: DriverConnection {
    /// What the connection may do.
    enum Mode {
        case read
        case write
    }

    let dialect: any Dialect
    private let handle: OpaquePointer
    private let path: String
    private var statements: [String: OpaquePointer] = [:]

    /// Statements kept prepared.
    ///
    /// The stores use fewer; the limit only guards against SQL that is put together at run time.
    private static let statementLimit = 256

    init(path: String, dialect: any Dialect, mode: Mode, busyTimeout: Duration) throws {
        self.dialect = dialect
        self.path = path
        if mode == .write { try Self.createFile(path) }
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let status = sqlite3_open_v2(path, &opened, flags, nil)
        guard status == SQLITE_OK, let handle = opened else {
            let error = SQLiteFailure(status: status, handle: opened, path: path).storageError
            sqlite3_close_v2(opened)
            throw error
        }
        self.handle = handle
        do {
            try configure(mode, busyTimeout: busyTimeout)
        } catch {
            closeHandle()
            throw error
        }
    }

    deinit {
        closeHandle()
    }

    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int {
        try run(sql, values) { _ in }
        return Int(sqlite3_changes(handle))
    }

    func insert(_ sql: String, _ values: [SQLValue]) throws -> Int64 {
        try run(sql, values) { _ in }
        return sqlite3_last_insert_rowid(handle)
    }

    func query(_ sql: String, _ values: [SQLValue]) throws -> [Row] {
        var rows: [Row] = []
        var columns: [String]?
        try run(sql, values) { statement in
            let names = columns ?? SQLiteStatement.columnNames(statement)
            columns = names
            rows.append(Row(columns: names, values: SQLiteStatement.values(statement)))
        }
        return rows
    }

    func transaction<Value>(_ mode: TransactionMode, _ body: () throws -> Value) throws -> Value {
        try execute(mode == .immediate ? "BEGIN IMMEDIATE" : "BEGIN")
        do {
            let value = try body()
            try execute("COMMIT")
            return value
        } catch {
            // SQLite has already rolled back after some failures, such as a full disk.
            if sqlite3_get_autocommit(handle) == 0 { _ = try? execute("ROLLBACK") }
            throw error
        }
    }

    private func configure(_ mode: Mode, busyTimeout: Duration) throws {
        let seconds = min(max(busyTimeout.components.seconds, 0), 3600)
        let milliseconds = seconds * 1000 + busyTimeout.components.attoseconds / 1_000_000_000_000_000
        sqlite3_busy_timeout(handle, Int32(milliseconds))
        try execute("PRAGMA foreign_keys = ON")
        // Values of other programs' schemas must not run code in ours.
        try execute("PRAGMA trusted_schema = OFF")
        guard mode == .write else {
            try execute("PRAGMA query_only = ON")
            return
        }
        guard try first("PRAGMA journal_mode = WAL")?.text("journal_mode") == "wal" else {
            throw StorageError(
                .cannotOpen,
                "database '\(path)': the file system cannot hold a write-ahead log; put [database] path on a local disk"
            )
        }
        try execute("PRAGMA synchronous = FULL")
    }

    private func run(_ sql: String, _ values: [SQLValue], onRow: (OpaquePointer) throws -> Void) throws {
        let statement = try prepared(sql)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        guard Int(sqlite3_bind_parameter_count(statement)) == values.count else {
            throw StorageError(.databaseFailure, "database: a statement got \(values.count) values; this is a defect")
        }
        for (index, value) in values.enumerated() {
            try check(SQLiteStatement.bind(value, to: statement, at: Int32(index + 1)))
        }
        while true {
            let status = sqlite3_step(statement)
            if status == SQLITE_DONE { return }
            guard status == SQLITE_ROW else { return try check(status) }
            try onRow(statement)
        }
    }

    private func prepared(_ sql: String) throws -> OpaquePointer {
        if let statement = statements[sql] { return statement }
        if statements.count >= Self.statementLimit { finalizeStatements() }
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil))
        guard let statement else {
            throw StorageError(.databaseFailure, "database: a statement is empty; this is a defect")
        }
        statements[sql] = statement
        return statement
    }

    private func check(_ status: Int32) throws {
        guard status == SQLITE_OK else { throw SQLiteFailure(status: status, handle: handle, path: path).storageError }
    }

    private func finalizeStatements() {
        for statement in statements.values { sqlite3_finalize(statement) }
        statements = [:]
    }

    private func closeHandle() {
        finalizeStatements()
        sqlite3_close_v2(handle)
    }

    /// Creates the file so that only the owner writes and only the group reads; SQLite gives the log the same mode.
    private static func createFile(_ path: String) throws {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw StorageError(
                .cannotOpen,
                "database '\(path)': cannot be opened for writing (\(systemMessage(errno))); check the folder of "
                    + "[database] path and its owner")
        }
        Glibc.close(descriptor)
    }
}

/// The system's text for an errno value.
func systemMessage(_ code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "errno \(code)"
}
