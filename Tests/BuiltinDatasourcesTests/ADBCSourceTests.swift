// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

/// The ADBC data source with the drivers of SQLite and DuckDB.
struct ADBCSourceTests {
    private func table(_ sql: String) -> JSONObject { ADBCSource.table(sql) }
    private func series(_ sql: String) -> JSONObject { ADBCSource.series(sql) }

    @Test(arguments: ["sqlite", "duckdb"])
    func statementIsAnswered(driver: String) async throws {
        try await ADBCSource.use(driver) { source async throws in
            let answer = try await source.query(table("SELECT 1 AS one, 'a' AS text"))

            #expect(answer.error == nil)
            #expect(answer.column("one") == "[1]")
            #expect(answer.column("text") == #"["a"]"#)
            #expect(answer.frame.meta?.executedQueryString == "SELECT 1 AS one, 'a' AS text")
        }
    }

    @Test(arguments: [("sqlite", "SQLite"), ("duckdb", "duckdb")])
    func healthNamesDatabaseAndDriver(driver: String, name: String) async throws {
        try await ADBCSource.use(driver) { source async throws in
            let health = try await source.health()

            #expect(health.status == .ok)
            #expect(health.message.hasPrefix("Database Connection OK: "))
            #expect(health.message.contains(name))
        }
    }

    // MARK: Types

    @Test(arguments: [
        ("'-128'::tinyint", "int8", "-128"), ("'-32768'::smallint", "int16", "-32768"),
        ("2147483647::integer", "int32", "2147483647"),
        ("'-9223372036854775808'::bigint", "int64", "-9223372036854775808"), ("255::utinyint", "uint8", "255"),
        ("65535::usmallint", "uint16", "65535"), ("4294967295::uinteger", "uint32", "4294967295"),
        ("18446744073709551615::ubigint", "uint64", "18446744073709552000"), ("1.5::float", "float32", "1.5"),
        ("0.1::double", "float64", "0.1"), ("'Infinity'::double", "float64", "null"), ("true", "bool", "true"),
        ("123.45::decimal(10, 2)", "float64", "123.45"), ("'-0.001'::decimal(38, 3)", "float64", "-0.001"),
        ("'12345678901234567890123456789012345678'::decimal(38, 0)", "float64", "1.2345678901234568e+37"),
        ("'-170141183460469231731687303715884105728'::hugeint", "float64", "-1.7014118346046923e+38"),
        ("'☃'", "string", #""☃""#), ("''", "string", #""""#), ("'a\\x00ff'", "string", #""a\\x00ff""#),
        (#"'\x00\xFF'::blob"#, "string", #""\\x00ff""#), ("'abc'::blob", "string", #""abc""#),
        ("'f47ac10b-58cc-4372-a567-0e02b2c3d479'::uuid", "string", #""f47ac10b-58cc-4372-a567-0e02b2c3d479""#),
        ("timestamp '2026-01-01 00:00:00.000001'", "time.Time", "1767225600000"),
        ("timestamptz '2026-01-01 01:00:00+01'", "time.Time", "1767225600000"),
        ("timestamp_s '2026-01-01 00:00:00'", "time.Time", "1767225600000"),
        ("timestamp_ms '1969-12-31 23:59:59.999'", "time.Time", "-1"),
        ("timestamp_ns '2026-01-01 00:00:00.123456789'", "time.Time", "1767225600123"),
        ("timestamp '1500-01-01 00:00:00'", "time.Time", "null"), ("date '1969-12-31'", "time.Time", "-86400000"),
        ("date '4000-01-01'", "time.Time", "null"), ("time '12:34:56.789'", "string", #""12:34:56.789""#),
        ("interval '1 year 2 months 3 days 04:05:06.5'", "string", #""P1Y2M3DT4H5M6.5S""#),
        ("interval '0 days'", "string", #""PT0S""#),
        ("'glad'::enum('sad', 'glad')", "string", #""glad""#), ("[1, null, 3]", "json.RawMessage", "[1,null,3]"),
        ("[[1], []]", "json.RawMessage", "[[1],[]]"), ("[1, 2]::integer[2]", "json.RawMessage", "[1,2]"),
        ("{'a': 1, 'b': {'c': 'x\"y'}}", "json.RawMessage", #"{"a":1,"b":{"c":"x\"y"}}"#),
        ("map {'k': 1.5, 'l': null}", "json.RawMessage", #"{"k":1.5,"l":null}"#),
        ("map {7: 'x'}", "json.RawMessage", #"{"7":"x"}"#),
        ("[date '2026-01-01']", "json.RawMessage", #"["2026-01-01"]"#),
        ("[timestamp '2026-01-01 00:00:00.5']", "json.RawMessage", #"["2026-01-01T00:00:00.5Z"]"#),
        ("['NaN'::double, 1e300]", "json.RawMessage", #"["NaN",1e+300]"#),
        ("[123.45::decimal(20, 2)]", "json.RawMessage", "[123.45]"),
        ("union_value(n := 5)::union(n integer, s varchar)", "json.RawMessage", "5"),
        (#"'{"a": [1, 2]}'::json"#, "string", #""{\"a\": [1, 2]}""#), ("'101'::bit", "string", #""\\x05fd""#),
    ])
    func everyTypeOfDuckDBHasItsField(expression: String, type: String, json: String) async throws {
        try await ADBCSource.use("duckdb") { source async throws in
            let answer = try await source.query(
                table("SELECT x FROM (SELECT \(expression) AS x, 1 AS o UNION ALL SELECT NULL, 2) ORDER BY o"))

            #expect(answer.error == nil)
            #expect(answer.type("x") == type)
            #expect(answer.column("x") == "[\(json),null]")
        }
    }
}

extension ADBCSourceTests {
    // MARK: Formats and macros

    private static let points = """
        SELECT * FROM (VALUES
          (TIMESTAMP '2026-01-01 00:00:00', 'a', 1.5::DOUBLE, 1), (TIMESTAMP '2026-01-01 00:00:00', 'b', 2.5, 2),
          (TIMESTAMP '2026-01-01 00:01:00', 'a', 3.5, 3), (TIMESTAMP '2026-01-01 01:00:00', 'a', 9, 9))
          AS v(time, host, cpu, jobs) WHERE $__timeFilter(time) ORDER BY time, host
        """

    @Test func textColumnsBecomeLabels() async throws {
        try await ADBCSource.use("duckdb") { source async throws in
            let answer = try await source.query(series(Self.points))

            #expect(answer.error == nil)
            #expect(answer.frame.fields.map(\.name) == ["Time", "cpu", "cpu", "jobs", "jobs"])
            #expect(answer.frame.fields[1].labels == ["host": "a"])
            #expect(answer.frame.fields[1].column.count == 2)
            #expect(answer.frame.fields[2].column.isNull(at: 1))
        }
    }

    @Test func missingPointsAreFilledIn() async throws {
        try await ADBCSource.use("duckdb") { source async throws in
            let answer = try await source.query(
                series(
                    "SELECT $__timeGroupAlias(t, '30s', previous), max(v) AS v FROM (VALUES "
                        + "(TIMESTAMP '2026-01-01 00:00:05', 1), (TIMESTAMP '2026-01-01 00:01:10', 3)) x(t, v) "
                        + "GROUP BY 1 ORDER BY 1"))

            #expect(answer.error == nil)
            #expect(answer.column("v") == "[1,1,3,3,3]")
        }
    }

    @Test func macrosOfSQLiteFindTextsAndSeconds() async throws {
        try await ADBCSource.use("sqlite", ["dialect": "sqlite"]) { source async throws in
            let answer = try await source.query(
                table(
                    "SELECT v, $__timeGroup(t, 1m) AS g FROM (SELECT '2026-01-01 00:01:30' AS t, 1 AS v UNION ALL "
                        + "SELECT 1767225690, 2 UNION ALL SELECT '2026-01-02 00:00:00', 3) WHERE $__timeFilter(t)"))

            #expect(answer.error == nil)
            #expect(answer.column("v") == "[1,2]")
            #expect(answer.column("g") == "[1767225660,1767225660]")
        }
    }

    @Test func unknownDialectIsRefused() async throws {
        try await ADBCSource.use("sqlite", ["dialect": "klingon"]) { source async throws in
            let health = try? await source.health()
            let answer = try? await source.query(table("SELECT 1"))

            #expect(health?.status != .ok)
            #expect(answer?.frames.isEmpty != false)
        }
    }

    // MARK: Limits

    @Test func rowLimitCutsAndTells() async throws {
        try await ADBCSource.use("duckdb") { source async throws in
            let answer = try await source.query(table("SELECT range AS x FROM range(500000)"), maxRows: 300_000)

            #expect(answer.error == nil)
            #expect(answer.frame.rowCount == 300_000)
            #expect(answer.frame.field(named: "x")?.column[299_999, as: Int64.self] == 299_999)
            #expect(answer.batchCount > 4)
            #expect(answer.notices == ["Results have been limited to 300000 because the SQL row limit was reached"])
        }
    }

    @Test func lostValuesAreCounted() async throws {
        try await ADBCSource.use("duckdb") { source async throws in
            let answer = try await source.query(
                table("SELECT d FROM (VALUES (DATE '1000-01-01'), (DATE '2026-01-01'), (DATE '5000-01-01')) v(d)"))

            #expect(answer.column("d") == "[null,1767225600000,null]")
            #expect(answer.notices == ["2 values of column \"d\" do not fit its type and are shown as null"])
        }
    }

    // MARK: Reading only

    @Test(arguments: [
        "CREATE TABLE t (x INTEGER)", "WITH x AS (SELECT 1) INSERT INTO t SELECT 1", "INSTALL httpfs", "LOAD httpfs",
        "COPY (SELECT 1) TO '/tmp/x'", "SELECT 1; SELECT 2", "ATTACH '/tmp/x.db'", "PRAGMA database_list",
    ])
    func writingIsRefused(sql: String) async throws {
        try await ADBCSource.use("duckdb") { source async throws in
            let answer = try await source.query(table(sql))

            #expect(answer.error?.code == .forbidden)
            #expect(answer.error?.message.contains("readOnly") == true)
        }
    }

    @Test func writingIsAllowedWhenTheUserSaysSo() async throws {
        try await ADBCSource.use("duckdb", ["readOnly": false, "maxOpenConns": 1]) { source async throws in
            let made = try await source.query(table("CREATE TABLE t AS SELECT 5 AS x"))
            let read = try await source.query(table("SELECT x FROM t"))

            #expect(made.error == nil)
            #expect(read.column("x") == "[5]")
        }
    }

    // MARK: Catalogue

    @Test func tablesAndColumnsAreListed() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "adbc-\(UUID().uuidString).sqlite")
        defer { try? FileManager.default.removeItem(at: file) }
        try await ADBCSource.use("sqlite", ["readOnly": false], url: "file:\(file.path)") { source async throws in
            _ = try await source.query(table("CREATE TABLE rooms (id INTEGER, name TEXT, warmth REAL)"))
            _ = try await source.query(table("INSERT INTO rooms VALUES (1, 'hall', 19.5)"))

            let tables = try await source.resource("tables")
            let columns = try await source.resource("columns", query: "table=rooms")
            let kinds = try await source.resource("table-types")
            let missing = try await source.resource("columns", query: "table=nowhere")
            let nothing = try await source.resource("nonsense")

            #expect(tables == ["rooms"])
            #expect(
                columns
                    == [
                        ["name": "id", "type": "int64"], ["name": "name", "type": "utf8"],
                        ["name": "warmth", "type": "float64"],
                    ])
            #expect(kinds == ["table", "view"])
            #expect(missing.string?.isEmpty == false)
            #expect(nothing.string?.contains("there is no resource") == true)
        }
    }

    @Test func schemasStandBeforeForeignTables() async throws {
        try await ADBCSource.use("duckdb", ["readOnly": false, "maxOpenConns": 1]) { source async throws in
            for sql in ["CREATE TABLE here (a INTEGER)", "CREATE SCHEMA other", "CREATE TABLE other.there (b DATE)"] {
                let made = try await source.query(table(sql))
                #expect(made.error == nil)
            }

            let tables = try await source.resource("tables")
            let columns = try await source.resource("columns", query: "table=other.there")

            #expect(tables.array?.contains("other.there") == true)
            #expect(tables.array?.contains { $0.string?.hasSuffix("here") == true } == true)
            #expect(columns == [["name": "b", "type": "date"]])
        }
    }

    // MARK: Errors

    @Test func driversErrorIsTold() async throws {
        try await ADBCSource.use("sqlite") { source async throws in
            let answer = try await source.query(table("SELECT * FROM nowhere"))

            #expect(answer.error?.message.contains("no such table: nowhere") == true)
            #expect(answer.error?.source == .downstream)
            #expect(answer.frame.meta?.executedQueryString == "SELECT * FROM nowhere")
        }
    }

    @Test func valuesAgreeWithThePythonBinding() async throws {
        let sql = """
            SELECT i, i * 1.25 AS f, 'text ' || i AS s, i % 3 = 0 AS b, TIMESTAMP '2026-01-01' + INTERVAL (i) SECOND AS t,
              CASE WHEN i % 7 = 0 THEN NULL ELSE i::DECIMAL(18, 4) / 8 END AS d FROM range(10000) v(i) ORDER BY i
            """
        let script = """
            import adbc_driver_manager.dbapi as dbapi, json, sys
            with dbapi.connect(driver=sys.argv[1], entrypoint="AdbcDriverInit") as c, c.cursor() as q:
                q.execute(sys.argv[2])
                t = q.fetch_arrow_table()
            def plain(name, v):
                if v is None: return None
                if name == "t": return round((v - __import__("datetime").datetime(1970, 1, 1)).total_seconds() * 1000)
                return float(v) if name in "fd" else v
            json.dump([[plain(n, v) for v in t.column(n).to_pylist()] for n in t.column_names], sys.stdout)
            """
        let python = ADBCTestDriver.environment.appending(path: "bin/python").path
        let (status, output) = try await Tool.run(python, ["-c", script, ADBCTestDriver.duckDB(), sql])
        try #require(status == 0, "\(output)")
        let expected = try #require(try JSONValue(parsing: Array(output.utf8)).array)

        try await ADBCSource.use("duckdb") { source async throws in
            let answer = try await source.query(table(sql))

            #expect(answer.error == nil)
            for (index, name) in ["i", "f", "s", "b", "t", "d"].enumerated() {
                let values = try JSONValue(parsing: Array(answer.column(name).utf8))
                #expect(values == expected[index], "\(name)")
            }
        }
    }
}
