// SPDX-License-Identifier: Apache-2.0
import CPostgreSQL
import Glibc
import PluginABI
import Synchronization

/// Stops a PostgreSQL connection.
final class PostgreSQLInterrupter: SQLInterrupter {
    /// The address of the cancel object, which is only read and may be used from any thread; deinit frees it.
    private let request: UInt
    let line: SQLLine

    init(_ handle: OpaquePointer) throws {
        line = try SQLLine(PQsocket(handle))
        request = UInt(bitPattern: PQgetCancel(handle))
    }

    deinit { PQfreeCancel(OpaquePointer(bitPattern: request)) }

    func cancel() {
        guard let request = OpaquePointer(bitPattern: request) else { return line.cut() }
        var text = [CChar](repeating: 0, count: 256)
        if PQcancel(request, &text, Int32(text.count)) == 0 { line.cut() }
    }

    func abort() { line.cut() }
}

/// One connection to a PostgreSQL server; rows come one by one and are not collected by the library.
///
/// The library is never left to wait by itself: every wait has bounds of time or can be ended by cutting the line, and
/// what comes without ending a row is counted.
final class PostgreSQLConnection: SQLConnection {
    private let handle: OpaquePointer
    private let interrupter: PostgreSQLInterrupter
    private let isReadOnly: Bool
    private var wait: SQLWait
    private var columns: [any SQLTextColumn] = []
    private var names: [String] = []
    private var types: [Oid] = []
    /// A result that was read and not used yet.
    private var pending: OpaquePointer?
    /// Whether results of the statement may still come.
    private var isRunning = false
    /// The SQLSTATE with which the statement failed.
    private var failedState: String?
    /// The connection cannot be used any more.
    private var isBroken = false

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
        let interrupter: PostgreSQLInterrupter
        do {
            interrupter = try PostgreSQLInterrupter(handle)
        } catch {
            PQfinish(handle)
            throw error
        }
        let connection = PostgreSQLConnection(handle, interrupter, isReadOnly: settings.isReadOnly)
        do {
            try connection.execute(settingUp, withinMilliseconds: SQLWait.setUpMilliseconds)
        } catch {
            connection.close()
            throw error
        }
        return SQLOpened(connection: connection, interrupter: interrupter)
    }

    /// How values are printed.
    private static let settingUp =
        "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1"

    /// What `DISCARD ALL` does, which may not stand beside other statements; all of it in one round trip.
    private static let cleaning =
        "ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; "
        + "SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES; " + settingUp

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

    private init(_ handle: OpaquePointer, _ interrupter: PostgreSQLInterrupter, isReadOnly: Bool) {
        self.handle = handle
        self.interrupter = interrupter
        self.isReadOnly = isReadOnly
        wait = SQLWait(interrupter.line)
    }

    // MARK: Results

    /// The next result of what runs; nil at its end.
    private func nextResult(atMost limit: Int = SQLWait.maximumRowBytes) throws -> OpaquePointer? {
        // What TLS has read already is not seen on the socket: it is asked for before waiting.
        let looks = PQsslInUse(handle) != 0 ? 3 : 0
        var looked = 0
        do {
            while PQisBusy(handle) != 0 {
                if looked < looks {
                    looked += 1
                } else {
                    _ = try wait.wait(for: Int16(POLLIN))
                    looked = 0
                }
                try wait.count(atMost: limit)
                guard PQconsumeInput(handle) == 1 else { break }
                try wait.count(atMost: limit, isAfterwards: true)
            }
        } catch {
            isBroken = true
            throw error
        }
        return PQgetResult(handle)
    }

    /// Runs statements whose rows nobody wants.
    private func execute(_ sql: String, withinMilliseconds milliseconds: Int? = nil) throws {
        if let milliseconds { wait.expire(inMilliseconds: milliseconds) }
        defer { wait.deadline = nil }
        guard PQsendQuery(handle, sql) == 1 else { throw PostgreSQLFailure.statement(nil, handle) }
        var failure: PluginError?
        // More results than statements are no end that anybody should wait for.
        for _ in 0..<100 {
            guard let result = try nextResult() else {
                wait.hasProgressed()
                if let failure { throw failure }
                return
            }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: continue
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH: throw unexpected()
            default: failure = failure ?? PostgreSQLFailure.statement(result, handle)
            }
        }
        throw unexpected()
    }

    /// The server answers what no server answers.
    private func unexpected() -> PluginError {
        isBroken = true
        interrupter.line.cut()
        return PluginError(
            .badData, "db query error: the server's answer is none to the statement that was sent", source: .downstream)
    }

    // MARK: Statements

    func begin(_ query: SQLQuery) throws -> [String] {
        if isReadOnly {
            try SQLReadOnly.check(query.text.literal, .postgreSQL)
            try execute("BEGIN READ ONLY")
        }
        guard let result = try firstRows(query.text) else { return [] }
        pending = result
        let places = 0..<PQnfields(result)
        names = places.map { PQfname(result, $0).map { String(cString: $0) } ?? "" }
        types = places.map { PQftype(result, $0) }
        columns = places.map { PostgreSQLType.column(oid: PQftype(result, $0), modifier: PQfmod(result, $0)) }
        return names
    }

    /// Sends a statement and waits for its first rows.
    ///
    /// A literal means in some places what a parameter does not: `concat('x')`, or the same text in the select list and
    /// in GROUP BY. A statement that the server refuses for that, before it runs, is sent with literals instead.
    private func firstRows(_ text: SQLText) throws -> OpaquePointer? {
        let prepared = text.parameterized(sharingTexts: false) { "$\($0)" }
        let hasParameters = SQLParameters.fit(prepared, .postgreSQL)
        try send(text, hasParameters ? prepared : nil)
        do {
            return try nextRows()
        } catch let error where hasParameters && failedState.map(Self.statesOfTypes.contains) == true {
            while let rest = try nextResult() { PQclear(rest) }
            isRunning = false
            guard !isBroken else { throw error }
            if isReadOnly { try execute("ROLLBACK; BEGIN READ ONLY") }
            try send(text, nil)
            return try nextRows()
        }
    }

    /// Of statements whose types do not fit: undefined or ambiguous function or operator, mismatch, a parameter without
    /// a type or with two, a column that is not in GROUP BY, no such conversion.
    private static let statesOfTypes: Set = ["42883", "42725", "42804", "42P18", "42P08", "42803", "42846"]

    /// Sends the values of macros as parameters, or the statement as text.
    private func send(_ text: SQLText, _ prepared: SQLText.Parameterized?) throws {
        let sent: Int32
        if let prepared {
            let values = prepared.parameters.map { strdup($0) }
            defer { values.forEach { free($0) } }
            sent = PQsendQueryParams(
                handle, prepared.text, Int32(values.count), prepared.parameters.map(Self.type),
                values.map { UnsafePointer($0) }, nil, nil, 0)
        } else if isReadOnly {
            // This form takes one statement only: the server itself refuses a second one.
            sent = PQsendQueryParams(handle, text.literal, 0, nil, nil, nil, nil, 0)
        } else {
            sent = PQsendQuery(handle, text.literal)
        }
        guard sent == 1 else { throw PostgreSQLFailure.statement(nil, handle) }
        failedState = nil
        isRunning = true
        guard PQsetSingleRowMode(handle) == 1 else { throw PostgreSQLFailure.statement(nil, handle) }
    }

    /// The type that a literal would have: int4 or int8 for a number, none for a text.
    private static func type(of parameter: String) -> Oid {
        guard let number = Int64(parameter) else { return 0 }
        return Int32(exactly: number) == nil ? 20 : 23
    }

    /// The next result with columns; nil at the end of all statements.
    private func nextRows() throws -> OpaquePointer? {
        while let result = try nextResult() {
            switch PQresultStatus(result) {
            case PGRES_SINGLE_TUPLE, PGRES_TUPLES_OK: return result
            case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: PQclear(result)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                PQclear(result)
                // The library would say so again and again.
                isBroken = true
                interrupter.line.cut()
                throw PluginError(.unsupported, "db query error: COPY is not supported; use SELECT", source: .user)
            default:
                defer { PQclear(result) }
                failedState = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) }
                throw PostgreSQLFailure.statement(result, handle)
            }
        }
        isRunning = false
        return nil
    }

    func fetch(_ limit: SQLBatchLimit) throws -> SQLBatch {
        var rows = 0
        var bytes = 0
        var isLast = false
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
                wait.hasProgressed()
            }
            PQclear(result)
            pending = try nextRows()
            if !isRow, let pending { try expectSameColumns(pending) }
        }
        return SQLTextColumns.batch(columns, names, rowCount: rows, isLast: isLast)
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

    /// The rows of a further statement follow those of the first when they have the same columns.
    private func expectSameColumns(_ result: OpaquePointer) throws {
        let places = 0..<PQnfields(result)
        guard places.map({ PQfname(result, $0).map { String(cString: $0) } ?? "" }) == names,
            places.map({ PQftype(result, $0) }) == types
        else {
            throw PluginError(
                .unsupported,
                "db query error: the query returns several results with different columns; use one SELECT, or the same "
                    + "columns in each", source: .user)
        }
    }

    // MARK: The end

    func reset() -> Bool {
        PQclear(pending)
        pending = nil
        columns = []
        guard !isBroken, hasEnded() else { return false }
        do {
            try execute(Self.cleaning, withinMilliseconds: SQLWait.setUpMilliseconds)
        } catch {
            return false
        }
        while let notification = PQnotifies(handle) { PQfreemem(notification) }
        return PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE
    }

    /// Reads on when little is left of the answer; false when the statement goes on.
    private func hasEnded() -> Bool {
        guard isRunning else { return true }
        wait.hasProgressed()
        wait.expire(inMilliseconds: SQLWait.drainMilliseconds)
        defer { wait.deadline = nil }
        for _ in 0..<SQLWait.drainRows {
            guard let result = try? nextResult(atMost: SQLWait.drainBytes) else {
                isRunning = isBroken
                return !isBroken
            }
            let isCopy = [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(PQresultStatus(result))
            PQclear(result)
            if isCopy { return false }
        }
        return false
    }

    var isAlive: Bool { !isBroken && PQstatus(handle) == CONNECTION_OK && SQLLine.isQuiet(PQsocket(handle)) }

    func ping() throws { try execute("SELECT 1") }

    func close() {
        PQclear(pending)
        // What still runs or is not sent yet is not waited for.
        if isRunning || isBroken { interrupter.line.cut() }
        interrupter.line.close()
        PQfinish(handle)
    }
}
