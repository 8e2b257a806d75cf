// SPDX-License-Identifier: Apache-2.0
import CArrowTable
import CSQLite
import PluginABI

/// Runs one statement over frames, in a database that holds nothing and exists for it alone.
struct SQLEngine {
    let limits: ExpressionLimits
    let checkpoint: ExpressionCheckpoint

    /// The answer of a statement.
    struct Answer {
        var frame: DataFrame
        /// Set when rows were cut off.
        var notice: Notice?
    }

    /// - Parameter tables: The frames by the names that the statement knows them by.
    /// - Throws: ``ExpressionError`` `.execution`, `.limit`, `.timeout`, `.cancelled`.
    func run(_ text: String, _ tables: [String: DataFrame]) throws(ExpressionError) -> Answer {
        try checkInput(tables)
        let sources = SQLTables(tables)
        let answer = Result { () throws(ExpressionError) in try run(text, sources, Set(tables.keys)) }
        // The tables outlive the database, which reads them.
        withExtendedLifetime(sources) {}
        return try answer.get()
    }

    private func checkInput(_ tables: [String: DataFrame]) throws(ExpressionError) {
        let cells = tables.values.reduce(0) { $0 + $1.rowCount * $1.fields.count }
        try Self.check(cells: cells, maximum: limits.sqlInputCells)
        let names = Dictionary(grouping: tables.keys, by: { $0.lowercased() })
        for (_, same) in names where same.count > 1 {
            throw ExpressionError(
                .execution,
                "sql expression: the refIds \(same.sorted().joined(separator: " and ")) are one name in SQL; rename one"
            )
        }
    }

    /// Checks the size of what goes in.
    ///
    /// - Throws: ``ExpressionError`` `.limit`.
    static func check(cells: Int, maximum: Int) throws(ExpressionError) {
        guard maximum == 0 || cells <= maximum else {
            throw ExpressionError(
                .limit,
                "sql expression: input limit exceeded: the tables have \(cells) cells (rows x columns) and at most "
                    + "\(maximum) are allowed; ask for fewer rows or raise [expressions] sql_expression_cell_limit")
        }
    }

    private func run(
        _ text: String, _ sources: borrowing SQLTables, _ names: Set<String>
    ) throws(ExpressionError) -> Answer {
        arrow_memory_begin()
        defer { arrow_memory_end() }
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX
        guard sqlite3_open_v2(":memory:", &handle, flags, nil) == SQLITE_OK, let database = handle else {
            sqlite3_close_v2(handle)
            throw ExpressionError(.execution, "sql expression: SQLite could not be started")
        }
        defer { sqlite3_close(database) }
        // Translated texts are longer, as their columns are named in them too.
        let length = Int32(clamping: limits.sqlLength == 0 ? 0 : min(limits.sqlLength, 1 << 26) * 8 + 1000)
        guard arrow_database_harden(database, length) == SQLITE_OK, sources.register(in: database) == SQLITE_OK,
            SQLFunctions.register(in: database) == SQLITE_OK
        else { throw failure(database, SQLGuard(limits, checkpoint, names)) }
        return try withExtendedLifetime(SQLGuard(limits, checkpoint, names)) { (warden) throws(ExpressionError) in
            warden.attach(to: database)
            let statement: OpaquePointer
            do throws(ExpressionError) {
                statement = try prepare(SQLDialect.translated(text), database, warden)
            } catch {
                throw Self.explained(error, text)
            }
            defer { sqlite3_finalize(statement) }
            return try collect(statement, database, warden)
        }
    }

    private func prepare(
        _ text: String, _ database: OpaquePointer, _ warden: SQLGuard
    ) throws(ExpressionError) -> OpaquePointer {
        var statement: OpaquePointer?
        var rest = ""
        var text = text
        let code = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { bytes in
                var tail: UnsafePointer<CChar>?
                let code = sqlite3_prepare_v2(database, bytes.baseAddress, Int32(bytes.count), &statement, &tail)
                if let tail, let start = bytes.baseAddress {
                    let read = tail - start
                    rest = String(decoding: bytes[read...].map { UInt8(bitPattern: $0) }, as: UTF8.self)
                }
                return code
            }
        }
        guard code == SQLITE_OK else { throw failure(database, warden) }
        guard let statement else {
            throw ExpressionError(.execution, "sql expression: there is no statement in the text")
        }
        guard sqlite3_column_count(statement) > 0 else {
            sqlite3_finalize(statement)
            let word = text.drop { $0.isWhitespace }.prefix { $0.isLetter }.lowercased()
            throw ExpressionError(
                .execution, "sql expression: blocked node \(word.prefix(40)) - not supported in queries")
        }
        let others = SQLScanner.tokens(of: rest).filter { $0.kind != .symbol(";") }
        guard others.isEmpty, sqlite3_stmt_readonly(statement) != 0, sqlite3_stmt_isexplain(statement) == 0 else {
            sqlite3_finalize(statement)
            throw ExpressionError(
                .execution,
                others.isEmpty
                    ? "sql expression: blocked node explain - not supported in queries"
                    : "sql expression: only one statement is allowed, and another begins with "
                        + "'\(rest.drop { $0.isWhitespace || $0 == ";" }.prefix(20))'")
        }
        return statement
    }

    /// Says of a missing column that it is written as a text is in MySQL.
    private static func explained(_ error: ExpressionError, _ text: String) -> ExpressionError {
        let prefix = "sql expression: no such column: "
        guard error.code == .execution, error.message.hasPrefix(prefix) else { return error }
        let name = error.message.dropFirst(prefix.count)
        let bytes = Array(text.utf8)
        let isQuoted = SQLScanner.tokens(of: text).contains {
            $0.kind == .quotedName(String(name)) && bytes[$0.range.lowerBound] == UInt8(ascii: "\"")
        }
        guard isQuoted else { return error }
        return ExpressionError(
            .execution, error.message + "; \"\(name)\" is the name of a column, a text is written '\(name)'")
    }

    private func collect(
        _ statement: OpaquePointer, _ database: OpaquePointer, _ warden: SQLGuard
    ) throws(ExpressionError) -> Answer {
        let count = sqlite3_column_count(statement)
        var columns = (0..<count).map { SQLOutputColumn(statement, $0) }
        let maximumRows = limits.sqlOutputCells == 0 ? Int.max : limits.sqlOutputCells / max(1, Int(count))
        var rows = 0
        var notice: Notice?
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { break }
            guard code == SQLITE_ROW else { throw failure(database, warden) }
            guard rows < maximumRows else {
                notice = Notice(
                    severity: .warning,
                    text: "The result has more than \(limits.sqlOutputCells) cells; only its first \(rows) rows are "
                        + "shown. Add a LIMIT, or raise [expressions] sql_expression_output_cell_limit.")
                break
            }
            for index in columns.indices { columns[index].append(statement, Int32(index)) }
            rows += 1
            if rows % 1024 == 0, let error = warden.stopReason() { throw error }
        }
        var fields: [Field] = []
        for index in columns.indices { fields.append(columns[index].finish()) }
        return Answer(frame: DataFrame(fields: rows == 0 ? [] : fields), notice: notice)
    }

    private func failure(_ database: OpaquePointer, _ warden: SQLGuard) -> ExpressionError {
        if let error = warden.error { return error }
        let text = String(cString: sqlite3_errmsg(database))
        switch sqlite3_errcode(database) {
        case SQLITE_TOOBIG:
            return ExpressionError(.limit, "sql expression: a value or the statement is too long: \(text)")
        case SQLITE_NOMEM: return ExpressionError(.limit, "sql expression: there is not enough memory")
        default: return ExpressionError(.execution, "sql expression: \(text)")
        }
    }
}
