// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Foundation
import PluginABI
import PluginHost
import Synchronization
import Testing

@testable import BuiltinDatasources

/// The SQLite data source through the platform, on real files.
struct SQLiteSourceTests {
    /// A folder with a database that the statements made.
    private func withDatabase<Result>(
        _ statements: String, jsonData: JSONObject = [:], secrets: [String: String] = [:],
        _ body: (SQLSource, URL) async throws -> Result
    ) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "sqlite-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "data.sqlite")
        var handle: OpaquePointer?
        #expect(sqlite3_open(file.path, &handle) == SQLITE_OK)
        #expect(
            sqlite3_exec(handle, statements, nil, nil, nil) == SQLITE_OK, "\(String(cString: sqlite3_errmsg(handle)))")
        sqlite3_close(handle)
        var settings = jsonData
        if settings["path"] == nil { settings["path"] = .string(file.path) }
        if settings["pathPrefix"] == nil { settings["pathPrefix"] = "file:" }
        return try await SQLSource.use(
            SQLSource.sqlite, "frser-sqlite-datasource", jsonData: .object(settings), secrets: secrets
        ) { try await body($0, file) }
    }

    private static let points = """
        create table p (time integer, host text, value real, n integer);
        insert into p values (1767225600, 'a', 1.5, 1), (1767225600, 'b', 2.5, 2), (1767225660, 'a', 3.5, 3);
        """

    @Test func tableKeepsRowsAndTypes() async throws {
        try await withDatabase(Self.points) { (source, _) async throws in
            let answer = try await source.query([
                "queryText": "select time, host, value, n from p", "queryType": "table",
            ])

            #expect(answer.error == nil)
            #expect(answer.frames.count == 1)
            #expect(answer.column("time") == "[1767225600000,1767225600000,1767225660000]")
            #expect(answer.column("host") == #"["a","b","a"]"#)
            #expect(answer.column("value") == "[1.5,2.5,3.5]")
            #expect(answer.frame.fields.map(\.type) == [.time, .string, .float64, .int64])
            #expect(answer.frame.fields.allSatisfy { $0.isNullable })
            #expect(answer.frame.meta?.executedQueryString == "select time, host, value, n from p")
        }
    }

    @Test func seriesAreOneFrameEach() async throws {
        try await withDatabase(Self.points) { (source, _) async throws in
            let answer = try await source.query([
                "queryText": "select time, host as name, value from p order by time", "queryType": "time series",
            ])

            #expect(answer.error == nil)
            #expect(answer.frames.map { $0.fields[1].labels } == [["name": "a"], ["name": "b"]])
            #expect(answer.frames.map { $0.fields[1].column.nullCount } == [0, 1])
            #expect(answer.frames.allSatisfy { $0.fields[0].name == "time" && !$0.fields[0].isNullable })
        }
    }

    @Test func typesOfComputedColumnsAreThoseOfTheirFirstValue() async throws {
        try await withDatabase("create table t (x); insert into t values (null), (null), (7), ('9'), ('z')") {
            (source, _) async throws in
            let answer = try await source.query([
                "queryText": .string(
                    "select x, null as none, 1.25 as f, x'00ff' as b, cast(time as text) as s from t, "
                        + "(select 1767225600 as time)")
            ])

            #expect(answer.column("x") == "[null,null,7,9,null]")
            #expect(answer.type("none") == "float64")
            #expect(answer.column("b") == #"["\\x00ff","\\x00ff","\\x00ff","\\x00ff","\\x00ff"]"#)
            #expect(answer.notices == ["1 values of column \"x\" do not fit its type and are shown as null"])
        }
    }

    @Test(arguments: [
        ("1767225600", "1767225600000"), ("1767225600.25", "1767225600250"),
        ("'2026-01-01T00:00:00Z'", "1767225600000"), ("'2026-01-01T01:00:00.5+01:00'", "1767225600500"),
        ("'1767225600'", "1767225600000"), ("'yesterday'", "null"), ("null", "null"),
    ])
    func timesAreReadInEveryForm(text: String, expected: String) async throws {
        try await withDatabase("create table t (x)") { (source, _) async throws in
            let answer = try await source.query(["queryText": .string("select \(text) as ts")])

            #expect(answer.column("ts") == "[\(expected)]")
        }
    }

    @Test func gapsAreFilledWithNulls() async throws {
        try await withDatabase("create table t (ts, v); insert into t values (1767225600, 1), (1767225630, 4)") {
            (source, _) async throws in
            let answer = try await source.query([
                "queryText": "select $__unixEpochGroupSeconds(ts, 10, NULL) as time, v from t order by ts"
            ])

            #expect(answer.column("time") == "[1767225600000,1767225610000,1767225620000,1767225630000]")
            #expect(answer.column("v") == "[1,null,null,4]")
        }
    }

    @Test func rowsPastTheLimitAreLeftOutAndTold() async throws {
        try await withDatabase("create table t (x)") { (source, _) async throws in
            let sql: JSONValue = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"
            let answer = try await source.query(["queryText": sql], maxRows: 20_000)

            #expect(answer.frame.rowCount == 20_000)
            #expect(answer.batchCount > 2)
            #expect(
                answer.notices == ["Results have been limited to 20000 because the SQL row limit was reached"])
        }
    }

    @Test func emptyAnswerHasNoFields() async throws {
        try await withDatabase(Self.points) { (source, _) async throws in
            let answer = try await source.query(["queryText": "select * from p where value > 100"])

            #expect(answer.frames.count == 1)
            #expect(answer.frame.fields.isEmpty)
            #expect(answer.frame.meta?.executedQueryString == "select * from p where value > 100")
        }
    }

    @Test(arguments: [
        "insert into p values (1, 'x', 1, 1)", "delete from p", "drop table p", "select 1; delete from p",
        "pragma user_version = 7", "pragma journal_mode = delete", "pragma writable_schema = on",
        "attach database '/tmp/other.sqlite' as o", "vacuum into '/tmp/copy.sqlite'", "create temp table t (x)",
        "select load_extension('x')", "with a as (select 1) delete from p", "select fts3_tokenizer('x')",
        "begin immediate", "detach database main", "analyze",
        "update sqlite_master set sql = 'x'",
    ])
    func nothingIsWritten(sql: String) async throws {
        try await withDatabase(Self.points) { source, file in
            let before = try Data(contentsOf: file)

            let answer = try await source.query(["queryText": .string(sql)])

            #expect(answer.error != nil)
            #expect(try Data(contentsOf: file) == before)
            let left = try FileManager.default.contentsOfDirectory(atPath: file.deletingLastPathComponent().path)
            #expect(left == ["data.sqlite"])
        }
    }

    @Test func writingIsAllowedWhereTheDataSourceSaysSo() async throws {
        try await withDatabase(Self.points, jsonData: ["readOnly": false]) { (source, _) async throws in
            let answer = try await source.query([
                "queryText": "create table q (x); insert into q values (5); select x from q"
            ])

            #expect(answer.error == nil)
            #expect(answer.column("x") == "[5]")
        }
    }

    @Test(arguments: [
        ("/etc/passwd", "path contains blocked term from GF_PLUGIN_BLOCK_LIST"),
        ("/ETC/shadow", "path contains blocked term from GF_PLUGIN_BLOCK_LIST"),
        ("/tmp/%2essh/x", "path contains blocked term from GF_PLUGIN_BLOCK_LIST"),
        ("/var/lib/grafana/grafana.db", "path contains blocked term from GF_PLUGIN_BLOCK_LIST"),
        ("/nonexistent/file.sqlite", "no file exists at the file path"),
        ("/tmp", "the provided path is a directory instead of a file"),
        ("/dev/null", "the provided path is not a regular file"),
    ])
    func filesThatAreNoneAreNamed(path: String, fault: String) async throws {
        try await withDatabase("create table t (x)", jsonData: ["path": .string(path)]) { (source, _) async throws in
            let health = try await source.health()

            #expect(health.status == .error)
            #expect(health.message == "error checking db: \(fault)")
            #expect(try await source.query(["queryText": "select 1"]).error != nil)
        }
    }

    @Test func hostileFilesAreErrors() async throws {
        try await withDatabase(Self.points) { source, file in
            let good = try [UInt8](Data(contentsOf: file))
            let garbage: [[UInt8]] = [
                [], Array("not a database, but long enough to look like one".utf8), Array(good.prefix(1000)),
                Array(good.prefix(100)) + Array(repeating: 0xFF, count: good.count - 100),
                Array(good.prefix(4096)) + Array(repeating: 0x0D, count: 4096),
            ]
            for bytes in garbage {
                try Data(bytes).write(to: file)
                let answer = try await source.query(["queryText": "select * from p"])
                #expect(answer.error != nil)
                #expect(answer.frame.fields.isEmpty)
            }
        }
    }

    @Test func healthIsGoodForAFile() async throws {
        try await withDatabase("create table t (x)") { (source, _) async throws in
            let health = try await source.health()

            #expect(health == HealthResult(.ok, "Data source is working"))
        }
    }

    @Test func catalogueNamesTablesAndColumns() async throws {
        try await withDatabase(Self.points + "create view v as select n from p") { (source, _) async throws in
            let tables = try await source.resource("tables")
            let columns = try await source.resource("columns", query: "table=p")
            let none = try await source.resource("columns", query: "table=p%27)--")

            #expect(tables == ["p", "v"])
            #expect(
                columns == [
                    ["name": "time", "type": "INTEGER"], ["name": "host", "type": "TEXT"],
                    ["name": "value", "type": "REAL"], ["name": "n", "type": "INTEGER"],
                ])
            #expect(none == [])
        }
    }

    @Test(arguments: ["mode=memory", "vfs=unix-none", "_pragma=journal_mode(wal)", "_pragma=busy_timeout(1);drop"])
    func optionsThatAreNotSafeAreRefused(options: String) {
        let error = #expect(throws: PluginError.self) {
            try SQLiteSettings(
                jsonData: ["path": "/tmp/x.sqlite", "pathOptions": .string(options)], secureOptions: nil)
        }
        #expect(error?.code == .invalid)
    }

    @Test func attachingNeedsTheOperator() {
        let error = #expect(throws: PluginError.self) {
            try SQLiteSettings(jsonData: ["path": "/tmp/x.sqlite", "attachLimit": 1], secureOptions: nil)
        }
        #expect(error?.message.contains("GF_PLUGIN_UNSAFE_ALLOW_ATTACH_LIMIT_ABOVE_ZERO") == true)
    }

    @Test func aStatementWithoutEndIsInterrupted() async throws {
        try await withDatabase("create table t (x)") { (source, _) async throws in
            let model: JSONValue = [
                "queryText": "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"
            ]
            let query = DataQuery(
                refID: "A", json: JSONText(model.encoded()), model: model, from: Timestamp(nanoseconds: 0),
                to: Timestamp(nanoseconds: 1), interval: .seconds(1), maxDataPoints: 1)
            let (rows, deliver) = AsyncStream.makeStream(of: Void.self)
            let task = Task {
                for await event in try await source.platform.queryData([query], of: source.source, facts: CallFacts()) {
                    if case .rows = event { deliver.yield() }
                }
            }
            // It runs, and would for ever: a million rows are not waited for.
            for await _ in rows { break }

            task.cancel()

            _ = try? await task.value
        }
    }

    @Test(
        .timeLimit(.minutes(2)),
        arguments: [
            "select max(i) from (with recursive n(i) as (select 1 union all select i + 1 from n) select i from n)"
        ])
    func aStepWithoutEndIsInterrupted(sql: String) async throws {
        let settings = try SQLiteSettings(jsonData: ["path": .string(Self.emptyFile)], secureOptions: nil)
        defer { try? FileManager.default.removeItem(atPath: Self.emptyFile) }
        try Data().write(to: URL(filePath: Self.emptyFile))
        let begun = Mutex(false)
        let pool = SQLPool(limits: .init(maxOpen: 1, maxIdle: 0, maxLifetime: 0)) {
            try SQLiteSourceConnection.open(settings)
        }
        let query = SQLQuery(
            refID: "A", text: SQLText(sql), format: .table, from: Timestamp(nanoseconds: 0),
            to: Timestamp(nanoseconds: 0), timeColumns: [])
        let task = Task {
            try await pool.withSession { session in
                try await session.run { connection in
                    _ = try connection.begin(query)
                    begun.withLock { $0 = true }
                    return try connection.fetch(SQLBatchLimit()).rowCount
                }
            }
        }
        while !begun.withLock({ $0 }) { await Task.yield() }

        task.cancel()

        let error = await #expect(throws: PluginError.self) { _ = try await task.value }
        #expect(error?.code == .cancelled)
    }

    private static let emptyFile = FileManager.default.temporaryDirectory
        .appending(path: "empty-\(UUID().uuidString).sqlite").path

    /// With nulls in one column, the text of the other one does not pile up.
    @Test func rowsAreSentAlsoWhileAColumnHasNoType() async throws {
        try await withDatabase("create table t (x)") { (source, _) async throws in
            let answer = try await source.query([
                "queryText": .string(
                    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200) "
                        + "select null as none, printf('%.*c', 100000, 'x') as text from n")
            ])

            #expect(answer.error == nil)
            #expect(answer.frame.rowCount == 200)
            #expect(answer.batchCount > 5)
            #expect(answer.type("none") == "float64")
        }
    }

    @Test(arguments: [
        // A value, a row, and what a statement computes on its way.
        "select zeroblob(9000000)",
        "select \((0..<9).map { "printf('%.*c', 8000000, '\($0)')" }.joined(separator: ", "))",
        "select length(max(\((0..<60).map { "printf('%.*c', 8000000, '\($0)')" }.joined(separator: ", "))))",
    ])
    func whatIsTooLargeIsAnError(sql: String) async throws {
        try await withDatabase("create table t (x)") { (source, _) async throws in
            let answer = try await source.query(["queryText": .string(sql)])

            #expect(answer.error != nil)
            #expect(try await source.query(["queryText": "select 1 as x"]).column("x") == "[1]")
        }
    }

    /// SQLite's own functions take the product of both lengths here, hours that nothing interrupts.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("instr(printf('%.*c', 8000000, 'a'), printf('%.*c', 4000000, 'a') || 'b')", "0"),
            ("length(replace(printf('%.*c', 8000000, 'a'), printf('%.*c', 4000000, 'a') || 'b', 'c'))", "8000000"),
            ("length('x' like printf('%.*c', 2000, '%'))", "error"),
            ("length(trim('x', printf('%.*c', 4000000, 'a')))", "error"), ("json_patch('{}', '{}')", "error"),
        ])
    func functionsDoNotTakeHours(expression: String, expected: String) async throws {
        try await withDatabase("create table t (x)") { (source, _) async throws in
            let answer = try await source.query(["queryText": .string("select \(expression) as x")])

            #expect(answer.error == nil ? answer.column("x") == "[\(expected)]" : expected == "error")
        }
    }

    @Test(arguments: [
        "instr('hällo', 'l')", "instr('abc', '')", "instr('abc', 'z')", "instr(null, 'a')", "instr(12345, 34)",
        "instr(x'C3A4', x'A4')", "instr('', 'a')", "replace('aXbX', 'X', 'yy')", "replace('abc', '', 'x')",
        "replace('abc', null, 'x')", "replace('aaa', 'a', '')", "replace(101, 1, 'l')", "trim('xxhixx', 'x')",
        "ltrim('xyhixy', 'yx')", "rtrim('hiää', 'ä')", "trim('ääxä', 'ä')", "trim('abc', '')", "trim('aaa', 'a')",
        "typeof(replace(5, 6, 7))", "quote(trim('  a '))", "rtrim('x', null)", "hex(replace('äöä', 'ö', 'ß'))",
    ])
    func functionsAnswerAsThoseOfSQLite(expression: String) async throws {
        var handle: OpaquePointer?
        #expect(sqlite3_open(":memory:", &handle) == SQLITE_OK)
        defer { sqlite3_close(handle) }
        var statement: OpaquePointer?
        sqlite3_prepare_v2(handle, "select quote(\(expression))", -1, &statement, nil)
        #expect(sqlite3_step(statement) == SQLITE_ROW)
        let expected = String(cString: sqlite3_column_text(statement, 0))
        sqlite3_finalize(statement)

        try await withDatabase("create table t (x)") { (source, _) async throws in
            let answer = try await source.query(["queryText": .string("select quote(\(expression)) as x")])

            #expect(answer.column("x") == "[\(JSONValue.string(expected).encoded())]")
        }
    }

    @Test func gapsAreFilledUpToTheLimit() async throws {
        try await withDatabase("create table t (ts, v); insert into t values (0, 1), (1000000, 2), (1000001, 3)") {
            (source, _) async throws in
            let answer = try await source.query(
                ["queryText": "select $__unixEpochGroupSeconds(ts, 1, NULL) as time, v from t order by ts"],
                maxRows: 100)

            #expect(answer.error == nil)
            #expect(answer.frame.rowCount == 100)
            #expect(answer.notices == ["Results have been limited to 100 rows, because filling the gaps makes more"])
        }
    }
}
