// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Foundation
import PluginABI
import PluginHost
import PluginTesting
import TestSupport
import Testing

/// The built-in data sources behave the same linked in, as libraries, in processes of their own and in sandboxes.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct BuiltinConformanceTests {
    @Test func testData() async throws {
        let scenarios: [JSONObject] = [
            ["scenarioId": "predictable_pulse", "pulseWave": ["timeStep": 60, "onCount": 2, "offCount": 3]],
            ["scenarioId": "all_field_types"], ["scenarioId": "table_static"], ["scenarioId": "usa"],
            ["scenarioId": "csv_metric_values", "stringInput": "1,,3,null,5.5"],
            ["scenarioId": "random_walk", "seed": 7, "seriesCount": 3, "labels": "{a=\"b\"}"],
            ["scenarioId": "error_with_source", "errorSource": "downstream"], ["scenarioId": "server_error_500"],
            ["scenarioId": "no_data_points"], ["scenarioId": "logs", "lines": 50, "seed": 3],
        ]
        let body = Array(#"{"a": [1, 2, 3]}"#.utf8)
        var kit = PluginConformance(
            try Plugins.testData(), queries: scenarios.map(Self.query),
            resources: [
                ResourceCall(method: "GET", path: "scenarios"),
                ResourceCall(
                    method: "POST", path: "test/json", query: "a=b%20c", headers: ["Content-Type": "application/json"],
                    body: body),
                ResourceCall(method: "GET", path: "none"),
            ],
            streams: [ConformanceStream(StreamRequest(path: "random-20Hz-stream"), events: 3, isSteady: false)])
        kit.subscriptions = [StreamRequest(path: "random-20Hz-stream"), StreamRequest(path: "none")]
        kit.publications = [StreamRequest(path: "random-20Hz-stream", data: Array("{}".utf8))]

        await expectConformance(kit)
    }

    private static func query(_ model: JSONObject) -> ConformanceQuery {
        ConformanceQuery(JSONValue.object(model).encoded(), name: model["scenarioId"]?.string ?? "")
    }

    // MARK: HTTP sources

    @Test func prometheus() async throws {
        let bulk = RealPrometheus.Bulk(seriesCount: 3, stepCount: 41)
        try await RealPrometheus.withPrometheus(bulk: bulk) { server in
            let range = #"{"expr": "\#(RealPrometheus.Bulk.name)", "range": true, "legendFormat": "s {{series}}"}"#
            let wrong = #"{"expr": "sum(", "range": true}"#
            let instant = #"{"expr": "sum(\#(RealPrometheus.Bulk.name))", "instant": true, "format": "table"}"#
            var kit = PluginConformance(
                try Plugins.prometheus(),
                queries: [range, instant, wrong].map { json in
                    var query = ConformanceQuery(json)
                    query.from = Timestamp(milliseconds: Int64(bulk.start) * 1000)
                    query.to = Timestamp(milliseconds: Int64(bulk.end) * 1000)
                    query.interval = .seconds(15)
                    return query
                },
                resources: [
                    ResourceCall(
                        method: "GET", path: "api/v1/label/series/values",
                        query: "match[]=\(RealPrometheus.Bulk.name)&start=\(bulk.start)&end=\(bulk.end)"),
                    ResourceCall(method: "GET", path: "api/v1/none"),
                ])
            kit.settings.url = server.url

            await expectConformance(kit)
        }
    }

    @Test func loki() async throws {
        try await ReplayedLoki.run(repository: Plugins.root) { server in
            var range = ConformanceQuery(
                #"{"expr": "{env=\"edge\"}", "queryType": "range", "maxLines": 100}"#, name: "not recorded")
            range.from = Timestamp(nanoseconds: Int64(ReplayedLoki.end) - 3_600_000_000_000)
            range.to = Timestamp(nanoseconds: Int64(ReplayedLoki.end))
            let model = #"{"expr":"{env=\"tail\"}","maxLines":10,"queryType":"stream"}"#
            let tail = StreamRequest(path: "tail/x", data: Array(model.utf8))
            var kit = PluginConformance(
                try Plugins.loki(), queries: [range],
                resources: [ResourceCall(method: "GET", path: "labels"), ResourceCall(method: "GET", path: "none")],
                streams: [ConformanceStream(tail, events: 4)])
            kit.settings.url = server.url
            kit.subscriptions = [tail, StreamRequest(path: "none")]

            await expectConformance(kit)
        }
    }

    // MARK: Databases

    @Test func sqlite() async throws {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/data.sqlite"
        var handle: OpaquePointer?
        #expect(sqlite3_open(file, &handle) == SQLITE_OK)
        let points = """
            create table p (time integer, host text, value real, n integer, raw blob);
            insert into p values (1767225600, 'a', 1.5, 1, x'00ff'), (1767225660, null, null, -3, null);
            with recursive r(n) as (select 1 union all select n + 1 from r where n < 5000)
                insert into p select 1767225600 + n, 'row', n * 0.5, n, null from r;
            """
        #expect(sqlite3_exec(handle, points, nil, nil, nil) == SQLITE_OK)
        sqlite3_close(handle)
        let kit = PluginConformance(
            try Plugins.sqlite(reading: folder),
            queries: [
                #"{"queryText": "select * from p order by time, n limit 50", "queryType": "table"}"#,
                #"{"queryText": "select time, host, value from p where n < 60 order by time", "queryType": "time series"}"#,
                #"{"queryText": "select * from p order by time, n", "queryType": "table"}"#,
                #"{"queryText": "select nothing from p", "queryType": "table"}"#, #"{"queryText": ""}"#,
            ], resources: [ResourceCall(method: "GET", path: "tables"), ResourceCall(method: "GET", path: "none")],
            jsonData: ["path": .string(file), "pathPrefix": "file:"])

        await expectConformance(kit)
        withExtendedLifetime(folder) {}
    }

    /// With the driver for SQLite, which needs nothing but its own file.
    @Test func adbc() async throws {
        let driver = try PackagedDriver.path("sqlite")
        let numbers = "with recursive r(n) as (select 1 union all select n + 1 from r where n < 20000)"
        var kit = PluginConformance(
            try Plugins.adbc(),
            queries: [
                ("select 1 as n, 1.5 as x, 'a' as t, x'00ff' as raw, null as nothing", "table"),
                ("\(numbers) select n, 'row ' || n as name from r", "table"), ("select nothing", "table"),
                ("", "table"),
            ].map { sql, format in
                ConformanceQuery(JSONValue.object(["rawSql": .string(sql), "format": .string(format)]).encoded())
            },
            resources: [
                ResourceCall(method: "GET", path: "table-types"), ResourceCall(method: "GET", path: "none"),
            ], jsonData: ["driver": "sqlite", "dialect": "sqlite"])
        kit.operatorSettings = ["drivers": "sqlite=\(driver)"]
        kit.permittedPaths = [driver]

        await expectConformance(kit)
    }

    private static let withoutSockets = ["query", "all queries", "health"].map {
        ConformanceException(
            at: .sandbox, $0, because: "the database's own client library opens sockets, which a sandbox has not")
    }

    private static func database(
        _ plugin: ConformancePlugin, _ server: RealDatabase, _ queries: [(sql: String, format: String)],
        jsonData: JSONValue
    ) -> PluginConformance {
        var kit = PluginConformance(
            plugin,
            queries: queries.map { query in
                let model: JSONObject = ["rawSql": .string(query.sql), "format": .string(query.format)]
                return ConformanceQuery(JSONValue.object(model).encoded())
            }, resources: [ResourceCall(method: "GET", path: "none")], jsonData: jsonData,
            secrets: ["password": RealDatabase.password], exceptions: withoutSockets)
        kit.settings.url = "127.0.0.1:\(server.port)"
        kit.settings.user = RealDatabase.user
        return kit
    }

    @Test func postgreSQL() async throws {
        let server = try await RealDatabase.postgreSQL()
        let types = """
            select 1::int2, 2::int4, 3::int8, 1.5::float4, 'NaN'::float8, 123.456::numeric, true, '☃'::text, null::text,
                '2026-01-01 00:00:00.000001'::timestamptz, '{"a": [1]}'::jsonb, '\\x00ff'::bytea, array[1,null,3]
            """
        let kit = Self.database(
            try Plugins.postgreSQL(), server,
            [
                (types, "table"),
                (
                    "select timestamptz '2026-01-01' + n * interval '1 s' as time, n % 3 as metric, n * 0.5 as value "
                        + "from generate_series(1, 600) n order by 1", "time_series"
                ),
                ("select n, 'row ' || n from generate_series(1, 20000) n", "table"),
                ("select nothing", "table"), ("", "table"),
            ], jsonData: ["database": "postgres", "sslmode": "disable", "maxOpenConns": 3])

        await expectConformance(kit)
    }

    @Test func mySQL() async throws {
        let server = try await RealDatabase.mariaDB()
        let kit = Self.database(
            try Plugins.mySQL(), server,
            [
                (
                    "select 1, -2.5, cast(1.5 as double), null, 'grün', timestamp '2026-01-01 00:00:00', x'00ff'",
                    "table"
                ),
                (
                    "select timestamp '2026-01-01' + interval seq second as time, concat('s', seq % 3) as metric, "
                        + "seq * 0.5 as value from seq_1_to_600 order by 1", "time_series"
                ),
                ("select seq, concat('row ', seq) from seq_1_to_20000", "table"), ("select nothing", "table"),
            ], jsonData: ["database": "test", "maxOpenConns": 3])

        await expectConformance(kit)
    }
}
