// SPDX-License-Identifier: Apache-2.0
import CMariaDB
import Glibc
import PluginABI

/// Stops a MySQL connection.
final class MySQLInterrupter: SQLInterrupter {
    let line: SQLLine
    private let kill: @Sendable () throws -> Void

    /// - Parameter kill: Ends the statement over another connection.
    init(_ line: SQLLine, kill: @escaping @Sendable () throws -> Void) {
        self.line = line
        self.kill = kill
    }

    func cancel() {
        do { try kill() } catch { line.cut() }
    }

    func abort() { line.cut() }
}

/// One connection to a MySQL server; rows are read as they come and not collected by the library.
///
/// The library's calls that talk to the server run in steps, and this program waits in between: every wait has bounds of
/// time or can be ended by cutting the line, and what comes without ending a row is counted.
final class MySQLConnection: SQLConnection {
    private let handle: UnsafeMutablePointer<MYSQL>
    private let interrupter: MySQLInterrupter
    private let settings: MySQLSettings
    private var wait: SQLWait
    private var result: UnsafeMutablePointer<MYSQL_RES>?
    private var columns: [any SQLTextColumn] = []
    private var names: [String] = []
    private var isAtEnd = true
    private var isBroken = false

    /// Connects.
    ///
    /// - Throws: ``PluginError``, without the password in any text.
    static func open(_ settings: MySQLSettings, secret: @escaping @Sendable (String) -> String?) throws -> SQLOpened {
        let handle = try MySQLHandle.connect(settings, secret, withinMilliseconds: SQLWait.setUpMilliseconds)
        let id = mysql_thread_id(handle)
        let line: SQLLine
        do {
            line = try SQLLine(Int32(mysql_get_socket(handle)))
        } catch {
            mysql_close(handle)
            throw error
        }
        let interrupter = MySQLInterrupter(line) { try kill(id, settings, secret) }
        let connection = MySQLConnection(handle, interrupter, settings)
        do {
            try connection.setUp()
        } catch {
            connection.close()
            throw error
        }
        return SQLOpened(connection: connection, interrupter: interrupter)
    }

    /// How long a server may take for a request to cancel.
    private static let killMilliseconds = 5000

    private static func kill(_ id: UInt, _ settings: MySQLSettings, _ secret: (String) -> String?) throws {
        let other = try MySQLHandle.connect(settings, secret, withinMilliseconds: killMilliseconds)
        defer { mysql_close(other) }
        var wait = SQLWait(try SQLLine(Int32(mysql_get_socket(other))))
        wait.expire(inMilliseconds: killMilliseconds)
        try MySQLHandle.execute("KILL QUERY \(id)", other, &wait)
    }

    private init(
        _ handle: UnsafeMutablePointer<MYSQL>, _ interrupter: MySQLInterrupter, _ settings: MySQLSettings
    ) {
        self.handle = handle
        self.interrupter = interrupter
        self.settings = settings
        wait = SQLWait(interrupter.line)
    }

    /// What the session differs in from the server's own settings.
    private func setUp() throws {
        wait.expire(inMilliseconds: SQLWait.setUpMilliseconds)
        defer { wait.deadline = nil }
        var sql = "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci"
        if !settings.timezone.isEmpty { sql += ", time_zone = \(literal(settings.timezone))" }
        try execute(sql)
    }

    private func execute(_ sql: String) throws { try noticing { try MySQLHandle.execute(sql, handle, &wait) } }

    /// Runs the body; a lost line makes the connection useless.
    private func noticing<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            if MySQLFailure.isOfLine(handle) || wait.isOver { isBroken = true }
            throw error
        }
    }

    /// A text as a literal, with the escapes of the session.
    private func literal(_ text: String) -> String {
        var escaped = [CChar](repeating: 0, count: text.utf8.count * 2 + 1)
        let count = Int(mysql_real_escape_string(handle, &escaped, text, UInt(text.utf8.count)))
        return "'" + String(decoding: escaped.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) + "'"
    }

    // MARK: Statements

    func begin(_ query: SQLQuery) throws -> [String] {
        let sql = query.text.literal
        if settings.isReadOnly {
            // Whether `\` escapes is a setting of the session, of which the server tells with each answer.
            let hasEscapes = handle.pointee.server_status & UInt32(SERVER_STATUS_NO_BACKSLASH_ESCAPES) == 0
            try SQLReadOnly.check(
                sql, SQLLexer.Rules(hasBackslashEscapes: hasEscapes, isMySQL: true), forbidden: ["INTO"])
            try execute("START TRANSACTION READ ONLY")
        }
        try execute(sql)
        guard let result = mysql_use_result(handle) else {
            guard mysql_errno(handle) == 0 else { return try noticing { throw MySQLFailure.statement(handle) } }
            return []
        }
        self.result = result
        isAtEnd = false
        wait.hasProgressed()
        let count = Int(mysql_num_fields(result))
        guard count > 0, let fields = mysql_fetch_fields(result) else { return [] }
        names = (0..<count).map { index in fields[index].name.map { String(cString: $0) } ?? "" }
        columns = (0..<count).map { MySQLType.column(for: fields[$0]) }
        return names
    }

    /// The next row; nil at the end.
    private func nextRow(atMost limit: Int = SQLWait.maximumRowBytes) throws -> MYSQL_ROW? {
        guard !isAtEnd else { return nil }
        var row: MYSQL_ROW?
        try noticing {
            try MySQLHandle.run(
                handle, &wait, atMost: limit, { mysql_fetch_row_start(&row, result) },
                { mysql_fetch_row_cont(&row, result, $0) })
            guard row == nil else { return }
            isAtEnd = true
            guard mysql_errno(handle) == 0 else { throw MySQLFailure.statement(handle) }
        }
        return row
    }

    func fetch(_ limit: SQLBatchLimit) throws -> SQLBatch {
        var rows = 0
        var bytes = 0
        while rows < limit.rows, bytes < limit.bytes, let row = try nextRow() {
            wait.hasProgressed()
            let lengths = mysql_fetch_lengths(result)
            for index in columns.indices {
                guard let value = row[index], let length = lengths?[index] else {
                    columns[index].appendNull()
                    continue
                }
                value.withMemoryRebound(to: UInt8.self, capacity: Int(length)) {
                    columns[index].append(UnsafeBufferPointer(start: $0, count: Int(length)))
                }
                bytes += Int(length) + 8
            }
            rows += 1
        }
        return SQLTextColumns.batch(columns, names, rowCount: rows, isLast: isAtEnd)
    }

    // MARK: The end

    func reset() -> Bool {
        columns = []
        guard !isBroken, hasEnded() else { return false }
        do {
            wait.expire(inMilliseconds: SQLWait.setUpMilliseconds)
            // Transaction, variables, locks and temporary tables: the session is as new.
            try noticing {
                var status: Int32 = 0
                try MySQLHandle.run(
                    handle, &wait, { mysql_reset_connection_start(&status, handle) },
                    { mysql_reset_connection_cont(&status, handle, $0) })
                guard status == 0 else { throw MySQLFailure.statement(handle) }
            }
            try setUp()
            return true
        } catch {
            return false
        }
    }

    /// Reads on when little is left of the answer; false when the statement goes on.
    private func hasEnded() -> Bool {
        wait.hasProgressed()
        wait.expire(inMilliseconds: SQLWait.drainMilliseconds)
        defer { wait.deadline = nil }
        do {
            for _ in 0..<SQLWait.drainRows {
                if result != nil {
                    guard try nextRow(atMost: SQLWait.drainBytes) == nil else { continue }
                    mysql_free_result(result)
                    result = nil
                }
                // Only what more than one statement or a procedure returned.
                guard mysql_more_results(handle) != 0 else { return true }
                var status: Int32 = 0
                try MySQLHandle.run(
                    handle, &wait, atMost: SQLWait.drainBytes, { mysql_next_result_start(&status, handle) },
                    { mysql_next_result_cont(&status, handle, $0) })
                guard status == 0 else { return false }
                result = mysql_use_result(handle)
                isAtEnd = result == nil
            }
            return false
        } catch {
            return false
        }
    }

    var isAlive: Bool { !isBroken && SQLLine.isQuiet(Int32(mysql_get_socket(handle))) }

    func ping() throws {
        try noticing {
            var status: Int32 = 0
            try MySQLHandle.run(
                handle, &wait, { mysql_ping_start(&status, handle) }, { mysql_ping_cont(&status, handle, $0) })
            guard status == 0 else { throw MySQLFailure.statement(handle) }
        }
    }

    func close() {
        // Without the line, nothing waits: neither for the rest of the rows nor for a server that does not read.
        if result != nil || isBroken { interrupter.line.cut() }
        if let result { mysql_free_result(result) }
        result = nil
        interrupter.line.close()
        mysql_close(handle)
    }
}
