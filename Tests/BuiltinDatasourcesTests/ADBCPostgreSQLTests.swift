// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

/// The ADBC data source with PostgreSQL's driver and a PostgreSQL server.
@Suite(.serialized)
struct ADBCPostgreSQLTests {
    private func withSource<Result>(
        _ jsonData: JSONObject = [:], user: String = RealDatabase.user, password: String = RealDatabase.password,
        _ body: (SQLSource) async throws -> Result
    ) async throws -> Result {
        let server = try await RealDatabase.postgreSQL()
        let encoded = password.utf8.map { byte in
            "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        var settings: JSONObject = ["dialect": "postgresql"]
        for (key, value) in jsonData { settings[key] = value }
        // The whole address is a secret, as it has the password.
        let uri = "postgresql://\(user):\(encoded)@127.0.0.1:\(server.port)/postgres?sslmode=disable"
        return try await ADBCSource.use("postgresql", settings, secrets: ["uri": uri], body)
    }

    private func table(_ sql: String) -> JSONObject { ADBCSource.table(sql) }

    @Test(arguments: [
        ("'-32768'::int2", "int16", "-32768"), ("'2147483647'::int4", "int32", "2147483647"),
        ("'-9223372036854775808'::int8", "int64", "-9223372036854775808"), ("1.5::float4", "float32", "1.5"),
        ("0.1::float8", "float64", "0.1"), ("123.456::numeric", "float64", "123.456"), ("true", "bool", "true"),
        ("'NaN'::numeric", "float64", "null"),
        ("'2026-01-01 00:00:00.000001'::timestamp", "time.Time", "1767225600000"),
        ("'2026-01-01 01:00:00+01'::timestamptz", "time.Time", "1767225600000"),
        ("'1969-12-31'::date", "time.Time", "-86400000"), ("'{\"a\": [1]}'::jsonb", "json.RawMessage", "{\"a\":[1]}"),
        ("'\\x00ff'::bytea", "string", "\"\\\\x00ff\""), ("'12:34:56'::time", "string", "\"12:34:56\""),
        ("interval '1 day 2:03:04'", "string", "\"P1DT2H3M4S\""), ("array[1,null,3]", "json.RawMessage", "[1,null,3]"),
        ("'☃'::text", "string", "\"☃\""), ("'x'::char(3)", "string", "\"x  \""),
    ])
    func everyTypeHasItsField(expression: String, type: String, json: String) async throws {
        try await withSource { source async throws in
            let answer = try await source.query(
                table("select x from (select \(expression) as x, 1 as o union all select null, 2) v order by o"))

            #expect(answer.error == nil)
            #expect(answer.type("x") == type)
            #expect(answer.column("x") == "[\(json),null]")
        }
    }

    @Test func aMillionRowsPassInBatches() async throws {
        try await withSource { source async throws in
            let model = JSONValue.object(
                table(
                    "select g::int8 as id, g * 0.5::float8 as half, 'row ' || g as name "
                        + "from generate_series(1, 1000000) g"))
            let query = DataQuery(
                refID: "A", json: JSONText(model.encoded()), model: model, from: Timestamp(nanoseconds: 0),
                to: Timestamp(nanoseconds: 1), interval: .seconds(1), maxDataPoints: 1)
            var rows = 0
            var sum: Int64 = 0
            var largest = 0
            for await event in try await source.platform.queryData([query], of: source.source, facts: CallFacts()) {
                switch event {
                case .frame(_, let frame), .rows(_, let frame):
                    rows += frame.rowCount
                    largest = max(largest, frame.fields.reduce(0) { $0 + $1.column.byteCount })
                    for index in 0..<frame.rowCount { sum += frame.fields[0].column.integer(at: index) ?? 0 }
                case .failed(let error, _): Issue.record("\(error)")
                default: break
                }
            }

            #expect(rows == 1_000_000)
            #expect(sum == 500_000_500_000)
            #expect(largest < 3 << 20, "no batch is large")
        }
    }

    @Test func errorsHaveTheServersState() async throws {
        try await withSource { source async throws in
            let answer = try await source.query(table("select * from nowhere"))

            #expect(answer.error?.code == .invalid)
            #expect(answer.error?.message.contains("relation \"nowhere\" does not exist") == true)
            let details = try JSONValue(parsing: Array((answer.error?.details?.text ?? "").utf8))
            #expect(details["sqlState"] == "42P01")
            #expect(details["details"]?["PG_DIAG_SQLSTATE"] == "42P01")
        }
    }

    @Test func wrongPasswordIsNotRepeated() async throws {
        try await withSource(password: "wr0ng-s3cret") { source async throws in
            let answer = try await source.query(table("select 1"))
            let health = try await source.health()

            #expect(answer.error?.message.contains("password authentication failed") == true)
            #expect(answer.error?.message.contains("s3cret") == false)
            #expect(health.status == .error)
        }
    }

    @Test func cancellationStopsTheServer() async throws {
        try await withSource { source async throws in
            try await withSource { watcher async throws in
                let mark = "mark_\(UInt32.random(in: 0 ... .max))"
                let running = table(
                    "select pid from pg_stat_activity where state = 'active' and query like '%\(mark)%' "
                        + "and pid <> pg_backend_pid()")
                let task = Task { try await source.query(table("select pg_sleep(600), 1 as \(mark)")) }
                while try await watcher.query(running).frame.rowCount == 0 { await Task.yield() }

                task.cancel()

                _ = try? await task.value
                while try await watcher.query(running).frame.rowCount > 0 { await Task.yield() }
                #expect(try await source.query(table("select 1 as one")).column("one") == "[1]")
            }
        }
    }

    @Test func readingLeavesNoTrace() async throws {
        try await withSource(["readOnly": false, "maxOpenConns": 1]) { writer async throws in
            for sql in ["drop sequence if exists adbc_seq", "create sequence adbc_seq"] {
                let made = try await writer.query(table(sql))
                #expect(made.error == nil)
            }
            try await withSource { reader async throws in
                let made = try await reader.query(table("select lo_create(0)::int8 as made"))
                #expect(made.error == nil)

                let left = try await writer.query(table("select count(*) as n from pg_largeobject_metadata"))

                #expect(left.column("n") == "[0]")
            }
        }
    }

    @Test func nowIsTheTimeOfTheQuery() async throws {
        try await withSource(["maxOpenConns": 1]) { source async throws in
            let first = try await source.query(table("select now() as t"))
            let second = try await source.query(table("select now() as t"))

            let times = [first, second].map { $0.frame.fields[0].column[0, as: Timestamp.self] }
            #expect(times[0] != times[1])
        }
    }

    @Test func tablesOfTheCurrentSchemaArePlain() async throws {
        try await withSource(["readOnly": false, "maxOpenConns": 1]) { source async throws in
            let columns = "id int8, name text, at timestamptz"
            for sql in ["drop table if exists adbc_rooms", "create table adbc_rooms (\(columns))"] {
                let made = try await source.query(table(sql))
                #expect(made.error == nil)
            }

            let tables = try await source.resource("tables")
            let described = try await source.resource("columns", query: "table=adbc_rooms")

            #expect(tables.array?.contains("adbc_rooms") == true)
            #expect(
                described
                    == [
                        ["name": "id", "type": "int64"], ["name": "name", "type": "utf8"],
                        ["name": "at", "type": "timestamp with time zone"],
                    ])
        }
    }
}
