// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc
import PluginABI
import Synchronization

/// Stops a SQLite connection.
final class SQLiteInterrupter: SQLInterrupter {
    /// The address of the connection, which SQLite lets any thread interrupt while it is open; 0 once it is not.
    private let handle: Mutex<UInt>
    private let flag = Atomic(false)

    init(_ handle: OpaquePointer) { self.handle = Mutex(UInt(bitPattern: handle)) }

    var isCancelled: Bool { flag.load(ordering: .acquiring) }

    func cancel() {
        flag.store(true, ordering: .releasing)
        handle.withLock { if let open = OpaquePointer(bitPattern: $0) { sqlite3_interrupt(open) } }
    }

    func abort() { cancel() }

    /// Called before the connection is closed.
    func forget() { handle.withLock { $0 = 0 } }
}

/// One open SQLite file.
final class SQLiteSourceConnection: SQLConnection {
    let handle: OpaquePointer
    private let interrupter: SQLiteInterrupter
    private let guardian: SQLiteGuardian
    private var statement: OpaquePointer?
    private var columns: [SQLiteColumn] = []
    private var isEnded = false
    /// The statement was ended because of the memory that it takes.
    private var isTooLarge = false
    private var memory: SQLiteMemory.Share?

    /// Opens the file as the settings say.
    ///
    /// - Throws: ``PluginError``.
    static func open(_ settings: SQLiteSettings) throws -> SQLOpened {
        if let fault = SQLitePathRules.fault(of: settings.path, serverDatabase: settings.serverDatabase) {
            throw PluginError(.invalid, "the file \(settings.path) cannot be opened: \(fault)", source: .plugin)
        }
        var opened: OpaquePointer?
        let access = settings.isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE
        let status = sqlite3_open_v2(
            uri(of: settings), &opened, access | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard status == SQLITE_OK, let handle = opened else {
            let error = SQLiteFailure.error(status, opened, doing: "opening \(settings.path)")
            sqlite3_close_v2(opened)
            throw error
        }
        let interrupter = SQLiteInterrupter(handle)
        let connection = SQLiteSourceConnection(handle, interrupter, settings)
        do {
            try connection.configure(settings)
        } catch {
            connection.close()
            throw error
        }
        return SQLOpened(connection: connection, interrupter: interrupter)
    }

    private init(_ handle: OpaquePointer, _ interrupter: SQLiteInterrupter, _ settings: SQLiteSettings) {
        self.handle = handle
        self.interrupter = interrupter
        guardian = SQLiteGuardian(
            isReadOnly: settings.isReadOnly, attachLimit: settings.attachLimit, serverDatabase: settings.serverDatabase)
    }

    private static func uri(of settings: SQLiteSettings) -> String {
        var text = "file:"
        for byte in settings.path.utf8 {
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || [0x2D, 0x2E, 0x2F, 0x5F].contains(byte)
            let hex = Array("0123456789ABCDEF")
            text += isPlain ? String(UnicodeScalar(byte)) : "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
        }
        text += settings.isReadOnly ? "?mode=ro" : "?mode=rw"
        return settings.isImmutable ? text + "&immutable=1" : text
    }

    private func configure(_ settings: SQLiteSettings) throws {
        sqlite3_busy_handler(
            handle,
            { context, count in
                usleep(10_000)
                guard let context, count < 500 else { return 0 }
                return Unmanaged<SQLiteInterrupter>.fromOpaque(context).takeUnretainedValue().isCancelled ? 0 : 1
            }, Unmanaged.passUnretained(interrupter).toOpaque())
        gf_sqlite_harden(handle)
        sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, Self.valueBytes)
        sqlite3_limit(handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000)
        sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, 1 << 20)
        sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, Int32(settings.attachLimit))
        // Values of a foreign file's schema must not run code here, and its pages are not to be trusted.
        for pragma in ["trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"] + settings.pragmas {
            try execute("PRAGMA \(pragma)")
        }
        if settings.isReadOnly { try execute("PRAGMA query_only = ON") }
        try execute("PRAGMA schema_version")
        try SQLiteFunctions.install(on: handle)
        guardian.install(on: handle)
        watch()
    }

    /// The most bytes of a value; what a statement computes in one step grows with it.
    private static let valueBytes: Int32 = 8 << 20
    /// Steps of SQLite between two looks at the memory: so many values may come on top of the bound.
    private static let stepsBetweenLooks: Int32 = 20

    /// Ends a statement that was cancelled or that takes too much memory.
    private func watch() {
        sqlite3_progress_handler(
            handle, Self.stepsBetweenLooks,
            { context in
                guard let context else { return 1 }
                // The connection is alive while its statements run.
                let connection = Unmanaged<SQLiteSourceConnection>.fromOpaque(context).takeUnretainedValue()
                if connection.interrupter.isCancelled { return 1 }
                if connection.memory?.isTooLarge() == true { connection.isTooLarge = true }
                return connection.isTooLarge ? 1 : 0
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// The failure of a step.
    private func failure(_ status: Int32) -> PluginError {
        isTooLarge ? SQLiteMemory.failure : SQLiteFailure.error(status, handle, doing: nil)
    }

    private func execute(_ sql: String) throws {
        let status = sqlite3_exec(handle, sql, nil, nil, nil)
        guard status == SQLITE_OK else { throw SQLiteFailure.error(status, handle, doing: "opening the file") }
    }

    // MARK: Statements

    func begin(_ query: SQLQuery) throws -> [String] {
        let prepared = query.text.parameterized { "?\($0)" }
        let fits = SQLParameters.fit(prepared, .sqlite)
        let (sql, parameters) = fits ? (prepared.text, prepared.parameters) : (query.text.literal, [])
        isEnded = false
        isTooLarge = false
        memory = SQLiteMemory.Share()
        if guardian.isReadOnly, SQLLexer(sql, .sqlite).statements.count > 1 {
            throw PluginError(.forbidden, SQLiteGuardian.oneStatement, source: .user)
        }
        var rest = sql
        while let (next, tail) = try prepare(rest) {
            guard !guardian.isReadOnly || sqlite3_stmt_readonly(next) != 0 else {
                sqlite3_finalize(next)
                throw PluginError(.forbidden, SQLiteGuardian.readOnly, source: .user)
            }
            statement = next
            try bind(parameters, to: next)
            rest = tail
            if SQLLexer(rest, .sqlite).statements.isEmpty { break }
            try drain(next)
        }
        guard let statement else { return [] }
        columns = (0..<sqlite3_column_count(statement)).map { index in
            let name = sqlite3_column_name(statement, index).map { String(cString: $0) } ?? ""
            let declared = sqlite3_column_decltype(statement, index).map { String(cString: $0) } ?? ""
            return SQLiteColumn(name: name, declared: declared, isTime: query.timeColumns.contains(name))
        }
        return columns.map(\.name)
    }

    /// The first statement of a text and what is behind it; nil when there is none.
    private func prepare(_ sql: String) throws -> (OpaquePointer, String)? {
        guard !SQLLexer(sql, .sqlite).statements.isEmpty else { return nil }
        var made: OpaquePointer?
        let rest: String = try sql.withCString { start in
            var position = start
            while made == nil, position.pointee != 0 {
                var tail: UnsafePointer<CChar>?
                let status = sqlite3_prepare_v2(handle, position, -1, &made, &tail)
                guard status == SQLITE_OK else { throw SQLiteFailure.error(status, handle, doing: nil) }
                guard let tail, tail > position else { break }
                position = tail
            }
            return String(cString: position)
        }
        return made.map { ($0, rest) }
    }

    private func drain(_ statement: OpaquePointer) throws {
        defer { sqlite3_finalize(statement) }
        self.statement = nil
        while true {
            let status = sqlite3_step(statement)
            if status == SQLITE_DONE { return }
            guard status == SQLITE_ROW else { throw failure(status) }
        }
    }

    private func bind(_ parameters: [String], to statement: OpaquePointer) throws {
        for (index, text) in parameters.enumerated() {
            guard let number = Int64(text) else { continue }
            let place = Int32(index + 1)
            guard place <= sqlite3_bind_parameter_count(statement) else { continue }
            let status = sqlite3_bind_int64(statement, place, number)
            guard status == SQLITE_OK else { throw SQLiteFailure.error(status, handle, doing: nil) }
        }
    }

    func fetch(_ limit: SQLBatchLimit) throws -> SQLBatch {
        guard let statement else { return SQLBatch(columns: [], rowCount: 0, isLast: true) }
        var rows = 0
        var bytes = 0
        while !isEnded, isRoom(in: limit, rows: rows, bytes: bytes) {
            let status = sqlite3_step(statement)
            guard status == SQLITE_ROW else {
                guard status == SQLITE_DONE else { throw failure(status) }
                isEnded = true
                break
            }
            var rowBytes = 0
            for index in columns.indices {
                rowBytes += columns[index].append(statement, Int32(index))
                guard rowBytes <= SQLWait.maximumRowBytes else { throw SQLFailure.rowTooLarge }
            }
            bytes += rowBytes
            rows += 1
        }
        var lost: [String: Int] = [:]
        let finished = columns.indices.map { index in
            let column = columns[index].finish()
            if columns[index].lost > 0 { lost[columns[index].name] = columns[index].lost }
            columns[index].lost = 0
            return column
        }
        return SQLBatch(columns: finished, rowCount: rows, lost: lost, isLast: isEnded)
    }

    /// A column without a type cannot be sent: for some time, rows are held back until each has met a value.
    private func isRoom(in limit: SQLBatchLimit, rows: Int, bytes: Int) -> Bool {
        if rows < limit.rows { return bytes < limit.bytes }
        return columns.contains { !$0.isDecided } && rows < SQLQuery.defaultRowLimit && bytes < limit.bytes
    }

    func reset() -> Bool {
        sqlite3_finalize(statement)
        statement = nil
        memory = nil
        columns = []
        return sqlite3_get_autocommit(handle) != 0
    }

    var isAlive: Bool { true }

    func ping() throws { try execute("PRAGMA schema_version") }

    func close() {
        interrupter.forget()
        sqlite3_finalize(statement)
        statement = nil
        memory = nil
        sqlite3_close_v2(handle)
    }
}
