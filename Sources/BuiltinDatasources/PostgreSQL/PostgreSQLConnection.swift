// SPDX-License-Identifier: Apache-2.0
import CPostgreSQL
import Glibc
import PluginABI
import Synchronization

/// Stops a PostgreSQL connection.
///
/// Safety: `PQcancel` may be called from any thread; the cancel object is freed in deinit, when nobody holds it.
final class PostgreSQLInterrupter: SQLInterrupter, @unchecked Sendable {
    private let request: OpaquePointer?
    let line: SQLLine

    init(_ handle: OpaquePointer) {
        request = PQgetCancel(handle)
        line = SQLLine(PQsocket(handle))
    }

    deinit { PQfreeCancel(request) }

    func cancel() {
        guard let request else { return line.cut() }
        var text = [CChar](repeating: 0, count: 256)
        if PQcancel(request, &text, Int32(text.count)) == 0 { line.cut() }
    }

    func abort() { line.cut() }
}

/// One connection to a PostgreSQL server; rows come one by one and are not collected by the library.
final class PostgreSQLConnection: SQLConnection {
    private let handle: OpaquePointer
    private let interrupter: PostgreSQLInterrupter
    private let isReadOnly: Bool
    private var columns: [any SQLTextColumn] = []
    private var names: [String] = []
    /// A result that was read and not used yet.
    private var pending: OpaquePointer?
    /// Whether results of the statement may still come.
    private var isRunning = false

    /// Connects.
    ///
    /// - Throws: ``PluginError``, without the password in any text.
    static func open(_ settings: PostgreSQLSettings, secret: (String) -> String?) throws -> SQLOpened {
        let certificates = try settings.certificates(secret)
        let parameters = settings.parameters(password: secret("password") ?? "", certificates)
        let handle = withExtendedLifetime(certificates) { connect(parameters) }
        guard let handle else { throw PluginError(.noMemory, "no memory for a connection", source: .host) }
        guard PQstatus(handle) == CONNECTION_OK else {
            let error = PostgreSQLFailure.connection(String(cString: PQerrorMessage(handle)))
            PQfinish(handle)
            throw error
        }
        // Remarks of the server would go to standard error.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        let connection = PostgreSQLConnection(handle, isReadOnly: settings.isReadOnly)
        do {
            try connection.execute(
                "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; "
                    + "SET extra_float_digits = 1")
        } catch {
            connection.close()
            throw error
        }
        return SQLOpened(connection: connection, interrupter: connection.interrupter)
    }

    private static func connect(_ parameters: [(String, String)]) -> OpaquePointer? {
        let texts = parameters.map { (strdup($0.0), strdup($0.1)) }
        defer {
            for (key, value) in texts {
                free(key)
                // One of them is the password.
                if let value { memset(value, 0, strlen(value)) }
                free(value)
            }
        }
        let keys = texts.map { UnsafePointer($0.0) } + [nil]
        let values = texts.map { UnsafePointer($0.1) } + [nil]
        return PQconnectdbParams(keys, values, 0)
    }

    private init(_ handle: OpaquePointer, isReadOnly: Bool) {
        self.handle = handle
        self.isReadOnly = isReadOnly
        interrupter = PostgreSQLInterrupter(handle)
    }

    private func execute(_ sql: String) throws {
        let result = PQexec(handle, sql)
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return
        default: throw PostgreSQLFailure.statement(result, handle)
        }
    }

    // MARK: Statements

    func begin(_ query: SQLQuery) throws -> [String] {
        if isReadOnly {
            try SQLReadOnly.check(query.text.literal, .postgreSQL)
            try execute("BEGIN READ ONLY")
        }
        try send(query.text)
        isRunning = true
        guard PQsetSingleRowMode(handle) == 1 else { throw PostgreSQLFailure.statement(nil, handle) }
        guard let result = try nextRows() else { return [] }
        pending = result
        names = (0..<PQnfields(result)).map { PQfname(result, $0).map { String(cString: $0) } ?? "" }
        columns = (0..<PQnfields(result)).map { PostgreSQLType.column(oid: PQftype(result, $0)) }
        return names
    }

    /// Sends the values of macros as parameters where the statement has a place for them, else as text.
    private func send(_ text: SQLText) throws {
        let (sql, parameters) = text.parameterized { "$\($0)" }
        let sent: Int32
        if !parameters.isEmpty, SQLParameters.fit(sql, text, .postgreSQL) {
            let values = parameters.map { strdup($0) }
            defer { values.forEach { free($0) } }
            sent = PQsendQueryParams(
                handle, sql, Int32(values.count), parameters.map(Self.type), values.map { UnsafePointer($0) }, nil, nil,
                0)
        } else if isReadOnly {
            // This form takes one statement only: the server itself refuses a second one.
            sent = PQsendQueryParams(handle, text.literal, 0, nil, nil, nil, nil, 0)
        } else {
            sent = PQsendQuery(handle, text.literal)
        }
        guard sent == 1 else { throw PostgreSQLFailure.statement(nil, handle) }
    }

    /// The type that a literal would have: int4 or int8 for a number, none for a text.
    private static func type(of parameter: String) -> Oid {
        guard let number = Int64(parameter) else { return 0 }
        return Int32(exactly: number) == nil ? 20 : 23
    }

    /// The next result with columns; nil at the end of all statements.
    private func nextRows() throws -> OpaquePointer? {
        while let result = PQgetResult(handle) {
            switch PQresultStatus(result) {
            case PGRES_SINGLE_TUPLE, PGRES_TUPLES_OK: return result
            case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: PQclear(result)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                PQclear(result)
                interrupter.line.cut()
                throw PluginError(.unsupported, "db query error: COPY is not supported; use SELECT", source: .user)
            default:
                defer { PQclear(result) }
                throw PostgreSQLFailure.statement(result, handle)
            }
        }
        isRunning = false
        return nil
    }

    func fetch(_ limit: SQLBatchLimit) throws -> SQLBatch {
        var rows = 0
        var bytes = 0
        var isLast = !isRunning && pending == nil
        while !isLast, rows < limit.rows, bytes < limit.bytes {
            guard let result = pending else {
                isLast = true
                break
            }
            pending = nil
            let isRow = PQresultStatus(result) == PGRES_SINGLE_TUPLE
            if isRow {
                bytes += take(result)
                rows += 1
            }
            PQclear(result)
            if isRow {
                pending = try nextRows()
            } else {
                isLast = true
                try expectEnd()
            }
        }
        var lost: [String: Int] = [:]
        let finished = columns.indices.map { index in
            let count = columns[index].takeLost()
            if count > 0 { lost[names[index]] = count }
            return columns[index].finish()
        }
        return SQLBatch(columns: finished, rowCount: rows, lost: lost, isLast: isLast)
    }

    private func take(_ result: OpaquePointer) -> Int {
        var bytes = 0
        for index in columns.indices {
            let place = Int32(index)
            guard PQgetisnull(result, 0, place) == 0, let value = PQgetvalue(result, 0, place) else {
                columns[index].appendNull()
                continue
            }
            let count = Int(PQgetlength(result, 0, place))
            value.withMemoryRebound(to: UInt8.self, capacity: count) {
                columns[index].append(UnsafeBufferPointer(start: $0, count: count))
            }
            bytes += count + 8
        }
        return bytes
    }

    private func expectEnd() throws {
        guard let other = try nextRows() else { return }
        PQclear(other)
        throw PluginError(
            .unsupported, "db query error: the query returns several results; use one SELECT", source: .user)
    }

    func reset() -> Bool {
        PQclear(pending)
        pending = nil
        columns = []
        if isRunning {
            interrupter.cancel()
            while let result = PQgetResult(handle) { PQclear(result) }
            isRunning = false
        }
        guard PQstatus(handle) == CONNECTION_OK else { return false }
        if PQtransactionStatus(handle) != PQTRANS_IDLE { try? execute("ROLLBACK") }
        return PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE
    }

    var isAlive: Bool { PQstatus(handle) == CONNECTION_OK && SQLLine.isQuiet(PQsocket(handle)) }

    func ping() throws { try execute("SELECT 1") }

    func close() {
        interrupter.line.forget()
        PQclear(pending)
        PQfinish(handle)
    }
}
