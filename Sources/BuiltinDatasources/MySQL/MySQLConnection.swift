// SPDX-License-Identifier: Apache-2.0
import CMariaDB
import Glibc
import PluginABI

/// Stops a MySQL connection.
final class MySQLInterrupter: SQLInterrupter {
    let line: SQLLine
    private let kill: @Sendable () throws -> Void

    /// - Parameter kill: Ends the statement over another connection.
    init(_ descriptor: Int32, kill: @escaping @Sendable () throws -> Void) {
        line = SQLLine(descriptor)
        self.kill = kill
    }

    func cancel() {
        do { try kill() } catch { line.cut() }
    }

    func abort() { line.cut() }
}

/// One connection to a MySQL server; rows are read as they come and not collected by the library.
final class MySQLConnection: SQLConnection {
    private let handle: UnsafeMutablePointer<MYSQL>
    private let interrupter: MySQLInterrupter
    private let isReadOnly: Bool
    private var result: UnsafeMutablePointer<MYSQL_RES>?
    private var columns: [any SQLTextColumn] = []
    private var names: [String] = []
    private var isAtEnd = true
    private var isBroken = false

    /// The library's own set-up, once a process.
    private static let isSetUp: Bool = mysql_server_init(0, nil, nil) == 0

    /// Connects.
    ///
    /// - Throws: ``PluginError``, without the password in any text.
    static func open(_ settings: MySQLSettings, secret: @escaping @Sendable (String) -> String?) throws -> SQLOpened {
        let handle = try connect(settings, secret)
        let id = mysql_thread_id(handle)
        let interrupter = MySQLInterrupter(Int32(mysql_get_socket(handle))) {
            let other = try connect(settings, secret)
            defer { mysql_close(other) }
            guard mysql_query(other, "KILL QUERY \(id)") == 0 else { throw MySQLFailure.statement(other) }
        }
        let connection = MySQLConnection(handle, interrupter, isReadOnly: settings.isReadOnly)
        do {
            if !settings.timezone.isEmpty {
                try connection.execute("SET time_zone = \(connection.literal(settings.timezone))")
            }
        } catch {
            connection.close()
            throw error
        }
        return SQLOpened(connection: connection, interrupter: interrupter)
    }

    private static func connect(
        _ settings: MySQLSettings, _ secret: (String) -> String?
    ) throws -> UnsafeMutablePointer<MYSQL> {
        guard isSetUp, let handle = mysql_init(nil) else {
            throw PluginError(.noMemory, "no memory for a connection", source: .host)
        }
        do {
            let certificates = try settings.certificates(secret)
            setOptions(handle, settings, certificates)
            let isSocket = settings.address.host.hasPrefix("/")
            let connected = withExtendedLifetime(certificates) {
                mysql_real_connect(
                    handle, isSocket ? nil : settings.address.host, settings.user, secret("password") ?? "",
                    settings.database.isEmpty ? nil : settings.database, UInt32(settings.address.port ?? 3306),
                    isSocket ? settings.address.host : nil, 0)
            }
            guard connected != nil else { throw MySQLFailure.connection(handle) }
            return handle
        } catch {
            mysql_close(handle)
            throw error
        }
    }

    private static func setOptions(
        _ handle: UnsafeMutablePointer<MYSQL>, _ settings: MySQLSettings, _ certificates: SQLCertificates
    ) {
        func set<Value>(_ option: mysql_option, _ value: Value) {
            withUnsafePointer(to: value) { _ = mysql_options(handle, option, $0) }
        }
        set(MYSQL_OPT_CONNECT_TIMEOUT, UInt32(10))
        // A server must not ask for files of this one.
        set(MYSQL_OPT_LOCAL_INFILE, UInt32(0))
        set(MYSQL_OPT_PROTOCOL, settings.address.host.hasPrefix("/") ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP)
        mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        set(MYSQL_ENABLE_CLEARTEXT_PLUGIN, CChar(settings.allowsCleartextPasswords ? 1 : 0))
        guard settings.usesTLS else { return }
        func path(_ text: String) -> String? { text.isEmpty ? nil : text }
        mysql_ssl_set(
            handle, path(certificates.key), path(certificates.certificate), path(certificates.root), nil, nil)
        set(MYSQL_OPT_SSL_ENFORCE, CChar(1))
        set(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, CChar(settings.skipsVerification ? 0 : 1))
    }

    private init(_ handle: UnsafeMutablePointer<MYSQL>, _ interrupter: MySQLInterrupter, isReadOnly: Bool) {
        self.handle = handle
        self.interrupter = interrupter
        self.isReadOnly = isReadOnly
    }

    private func execute(_ sql: String) throws {
        guard mysql_query(handle, sql) == 0 else { throw failure() }
    }

    /// What the library says went wrong; a lost line makes the connection useless.
    private func failure() -> PluginError {
        if mysql_errno(handle) >= 2000, mysql_errno(handle) < 3000 { isBroken = true }
        return MySQLFailure.statement(handle)
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
        if isReadOnly {
            // Whether `\` escapes is the server's setting: the statement must be harmless both ways.
            for hasEscapes in [true, false] {
                try SQLReadOnly.check(
                    sql, SQLLexer.Rules(hasBackslashEscapes: hasEscapes, isMySQL: true), forbidden: ["INTO"])
            }
            try execute("START TRANSACTION READ ONLY")
        }
        var text = sql
        let status = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { mysql_real_query(handle, $0.baseAddress, UInt($0.count)) }
        }
        guard status == 0 else { throw failure() }
        guard let result = mysql_use_result(handle) else {
            guard mysql_errno(handle) == 0 else { throw failure() }
            return []
        }
        self.result = result
        isAtEnd = false
        let count = Int(mysql_num_fields(result))
        guard count > 0, let fields = mysql_fetch_fields(result) else { return [] }
        names = (0..<count).map { index in fields[index].name.map { String(cString: $0) } ?? "" }
        columns = (0..<count).map { MySQLType.column(for: fields[$0]) }
        return names
    }

    func fetch(_ limit: SQLBatchLimit) throws -> SQLBatch {
        var rows = 0
        var bytes = 0
        while !isAtEnd, rows < limit.rows, bytes < limit.bytes {
            guard let row = mysql_fetch_row(result) else {
                isAtEnd = true
                guard mysql_errno(handle) == 0 else { throw failure() }
                break
            }
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
        var lost: [String: Int] = [:]
        let finished = columns.indices.map { index in
            let count = columns[index].takeLost()
            if count > 0 { lost[names[index]] = count }
            return columns[index].finish()
        }
        return SQLBatch(columns: finished, rowCount: rows, lost: lost, isLast: isAtEnd)
    }

    func reset() -> Bool {
        if let result {
            // Freeing reads what is left: the server is told to stop first.
            if !isAtEnd, !isBroken { interrupter.cancel() }
            mysql_free_result(result)
            self.result = nil
            isAtEnd = true
        }
        columns = []
        while !isBroken, mysql_more_results(handle) != 0 {
            guard mysql_next_result(handle) == 0 else { return false }
            if let other = mysql_use_result(handle) { mysql_free_result(other) }
        }
        guard !isBroken else { return false }
        return mysql_query(handle, "ROLLBACK") == 0
    }

    var isAlive: Bool { !isBroken && SQLLine.isQuiet(Int32(mysql_get_socket(handle))) }

    func ping() throws {
        guard mysql_ping(handle) == 0 else { throw failure() }
    }

    func close() {
        if let result {
            // Without the line, freeing does not wait for the rest of the rows.
            interrupter.line.cut()
            mysql_free_result(result)
        }
        interrupter.line.forget()
        mysql_close(handle)
    }
}

/// Which column holds which type of MySQL.
enum MySQLType {
    static func column(for field: MYSQL_FIELD) -> any SQLTextColumn {
        let isUnsigned = field.flags & UInt32(UNSIGNED_FLAG) != 0
        switch field.type {
        case MYSQL_TYPE_LONGLONG where isUnsigned: return SQLParsedColumn<UInt64> { SQLNumber.integer($0) }
        case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_LONG, MYSQL_TYPE_INT24, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_YEAR:
            return SQLParsedColumn<Int64> { SQLNumber.integer($0) }
        case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE, MYSQL_TYPE_DECIMAL, MYSQL_TYPE_NEWDECIMAL:
            return SQLParsedColumn<Double> { SQLNumber.double($0) }
        case MYSQL_TYPE_DATE, MYSQL_TYPE_NEWDATE, MYSQL_TYPE_DATETIME, MYSQL_TYPE_TIMESTAMP, MYSQL_TYPE_DATETIME2,
            MYSQL_TYPE_TIMESTAMP2:
            return SQLParsedColumn<Timestamp> { DateTimeText.parse($0) }
        case MYSQL_TYPE_BIT:
            // Up to 64 bits, the first byte the highest.
            return SQLParsedColumn<UInt64> { bytes in
                bytes.count <= 8 ? bytes.reduce(0) { $0 << 8 | UInt64($1) } : nil
            }
        default: return SQLStringColumn()
        }
    }
}

/// MySQL's failures in the words of the SDK.
enum MySQLFailure {
    /// Failures of the user's statement, whose text may be shown: syntax, unknown column, no such table.
    private static let shown: Set<UInt32> = [1064, 1054, 1146]

    /// The words of Grafana's driver: `Error 1146 (42S02): Table 'd.t' doesn't exist`.
    private static func text(_ handle: UnsafeMutablePointer<MYSQL>) -> (text: String, number: UInt32, sqlState: String)
    {
        let number = mysql_errno(handle)
        let sqlState = String(cString: mysql_sqlstate(handle))
        let message = String(cString: mysql_error(handle))
        return ("Error \(number) (\(sqlState)): \(message)", number, sqlState)
    }

    static func statement(_ handle: UnsafeMutablePointer<MYSQL>) -> PluginError {
        let (text, number, sqlState) = text(handle)
        if (2000..<3000).contains(number) {
            return PluginError(
                .io, "db query error: the connection to the server was lost", source: .downstream,
                details: details(text, number, sqlState))
        }
        var error = SQLFailure.query(
            shown.contains(number) ? text : "query failed - \(SQLFailure.hiddenText)", sqlState: sqlState)
        switch number {
        case 1317: error.code = .cancelled
        case 1792: error.code = .forbidden
        case 1045, 1698: error.code = .unauthenticated
        case 1044, 1142, 1143, 1227, 1370: error.code = .forbidden
        default: break
        }
        error.details = details(text, number, sqlState)
        return error
    }

    static func connection(_ handle: UnsafeMutablePointer<MYSQL>) -> PluginError {
        let (text, number, sqlState) = text(handle)
        guard (2000..<3000).contains(number) else { return statement(handle) }
        var error = SQLFailure.unreachable(text)
        error.details = details(text, number, sqlState)
        return error
    }

    private static func details(_ text: String, _ number: UInt32, _ sqlState: String) -> JSONText {
        let object: JSONObject = [
            "sqlState": .string(sqlState), "number": .integer(Int64(number)), "reason": .string(text),
        ]
        return JSONText(JSONValue.object(object).encoded())
    }
}
