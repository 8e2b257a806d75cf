// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

/// The PostgreSQL data source against a PostgreSQL server.
@Suite(.serialized)
struct PostgreSQLSourceTests {
    static let plugin = BuiltinPlugin(
        descriptorJSON: PostgreSQLPlugin.descriptorJSON, entry: { postgresql_entry($0) })

    /// A data source on the server that the tests share.
    func withSource<Result>(
        _ jsonData: JSONObject = [:], url: String? = nil, user: String = RealDatabase.user,
        secrets: [String: String] = ["password": RealDatabase.password], on own: RealDatabase? = nil,
        _ body: (SQLSource, RealDatabase) async throws -> Result
    ) async throws -> Result {
        let server: RealDatabase
        if let own { server = own } else { server = try await RealDatabase.postgreSQL() }
        var settings: JSONObject = ["database": "postgres", "sslmode": "disable"]
        for (key, value) in jsonData { settings[key] = value }
        return try await SQLSource.use(
            Self.plugin, "grafana-postgresql-datasource", jsonData: .object(settings),
            url: url ?? "127.0.0.1:\(server.port)", user: user, secrets: secrets
        ) { try await body($0, server) }
    }

    func table(_ sql: String) -> JSONObject { ["rawSql": .string(sql), "format": "table"] }
    private func series(_ sql: String) -> JSONObject { ["rawSql": .string(sql), "format": "time_series"] }

    // MARK: Types

    @Test(arguments: [
        ("'-32768'::int2", "int16", "-32768"), ("'2147483647'::int4", "int32", "2147483647"),
        ("'-9223372036854775808'::int8", "int64", "-9223372036854775808"), ("1.5::float4", "float64", "1.5"),
        ("0.1::float8", "float64", "0.1"), ("123.456::numeric", "float64", "123.456"),
        ("'NaN'::numeric", "float64", "null"), ("12.5::numeric(18,1)", "float64", "12.5"), ("true", "bool", "true"),
        ("'2026-01-01 00:00:00.000001'::timestamp", "time.Time", "1767225600000"),
        ("'2026-01-01 01:00:00+01'::timestamptz", "time.Time", "1767225600000"),
        ("'1969-12-31'::date", "time.Time", "-86400000"), ("'infinity'::timestamp", "time.Time", "null"),
        ("'0044-03-15 BC'::date", "time.Time", "null"), ("'{\"a\": [1]}'::json", "json.RawMessage", "{\"a\":[1]}"),
        ("'{\"a\": null}'::jsonb", "json.RawMessage", "{\"a\":null}"), ("'\\x00ff'::bytea", "string", "\"\\\\x00ff\""),
        ("'f47ac10b-58cc-4372-a567-0e02b2c3d479'::uuid", "string", "\"f47ac10b-58cc-4372-a567-0e02b2c3d479\""),
        ("interval '1 day 2:03:04'", "string", "\"1 day 02:03:04\""), ("B'101'", "string", "\"101\""),
        ("'12:34:56'::time", "string", "\"12:34:56\""), ("'12:34:56.000001'::time", "string", "\"12:34:56.000001\""),
        ("'12:34:56+02'::timetz", "string", "\"12:34:56+02\""),
        ("interval '-1 year 2 months -0.000001 s'", "string", "\"-10 mons -00:00:00.000001\""),
        ("array['2026-01-01 00:00:00.5+00'::timestamptz]", "json.RawMessage", "[\"2026-01-01 00:00:00.5+00\"]"),
        ("array[12345678901234567890.5::numeric]", "json.RawMessage", "[12345678901234567000]"),
        ("array[int4range(1,3)]", "json.RawMessage", "[\"[1,3)\"]"), ("'10.0.0.0/8'::cidr", "string", "\"10.0.0.0/8\""),
        ("array[1,null,3]", "json.RawMessage", "[1,null,3]"),
        ("array[array['a,b','c\"d'],array['NULL',null]]", "json.RawMessage", "[[\"a,b\",\"c\\\"d\"],[\"NULL\",null]]"),
        ("array[true,false]", "json.RawMessage", "[true,false]"), ("'{}'::text[]", "json.RawMessage", "[]"),
        ("array[1.5,'NaN']::float8[]", "json.RawMessage", "[1.5,\"NaN\"]"),
        ("'[0:1]={7,8}'::int[]", "json.RawMessage", "[7,8]"), ("'x'::char(3)", "string", "\"x  \""),
        ("array['{\"a\": 1}']::jsonb[]", "json.RawMessage", "[{\"a\":1}]"), ("'☃'::text", "string", "\"☃\""),
        ("'17'::oid", "int64", "17"), ("null::int4", "int32", "null"), ("null", "string", "null"),
    ])
    func everyTypeHasItsField(expression: String, type: String, json: String) async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(table("select \(expression) as x union all select null"))

            #expect(answer.error == nil)
            #expect(answer.type("x") == type)
            #expect(answer.column("x") == "[\(json),null]")
        }
    }

    @Test func wholeDecimalsThatFitAreIntegers() async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(
                table(
                    "select 999999999999999999::numeric(18) as a, 12345::numeric(9,0) as b, null::numeric(1) as c, "
                        + "5::numeric(19) as d, 5::numeric(3,1) as e"))

            #expect(answer.frame.fields.map(\.type) == [.int64, .int64, .int64, .float64, .float64])
            #expect(answer.column("a") == "[999999999999999999]" && answer.column("c") == "[null]")
        }
    }

    @Test(arguments: [
        ("9007199254740993::numeric", true), ("-9007199254740993.000::numeric", true),
        ("9007199254740992::numeric", false),
        ("1e22::numeric", false), ("1e30::numeric", true), ("1.00000000000000000001::numeric", false),
        ("1e300::numeric + 1", true),
        ("sum(9007199254740993)", true), ("'Infinity'::numeric", false),
    ])
    func wholeNumbersThatLoseDigitsAreTold(expression: String, isTold: Bool) async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(table("select \(expression) as x"))

            #expect(answer.type("x") == "float64")
            let text =
                "1 values of column \"x\" are rounded, as a number has 53 bits; cast the column to text to see every digit"
            #expect(answer.notices == (isTold ? [text] : []))
        }
    }

    @Test func enumsAndDomainsAreTexts() async throws {
        try await withSource(["readOnly": false]) { (source, _) async throws in
            let made = try await source.query(
                table("drop type if exists mood; create type mood as enum ('sad', 'glad'); select 'glad'::mood as m"))

            #expect(made.error == nil)
            #expect(made.column("m") == #"["glad"]"#)
        }
    }

    // MARK: Formats

    private static let points = """
        select * from (values
          (timestamptz '2026-01-01 00:00:00Z', 'a', 'eu', 1.5::numeric, 1),
          ('2026-01-01 00:00:00Z', 'b', 'us', 2.5, 2),
          ('2026-01-01 00:01:00Z', 'a', 'eu', 3.5, 3)) as v(time, host, region, cpu, jobs) order by time
        """

    @Test func textColumnsBecomeLabels() async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(series(Self.points))

            #expect(answer.error == nil)
            #expect(answer.frame.fields.map(\.name) == ["Time", "cpu", "cpu", "jobs", "jobs"])
            #expect(answer.frame.fields[1].labels == ["host": "a", "region": "eu"])
            #expect(answer.frame.fields[2].labels == ["host": "b", "region": "us"])
            #expect(answer.frame.fields[2].column.double(at: 0) == 2.5)
            #expect(answer.frame.fields[2].column.isNull(at: 1))
            #expect(!answer.frame.fields[0].isNullable)
            #expect(answer.frame.meta?.type == "timeseries-wide")
            #expect(answer.frame.meta?.typeVersion == .init(0, 1))
        }
    }

    @Test func metricNamesTheSeries() async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(
                series("select time, host as metric, cpu from (\(Self.points)) p order by time"))

            #expect(answer.frame.fields.map(\.name) == ["Time", "a", "b"])
            #expect(answer.frame.fields.allSatisfy { $0.labels == nil })
        }
    }

    @Test func seriesWithoutTextStayWide() async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(
                series("select extract(epoch from time)::int8 as time, jobs, jobs > 1 as many from (\(Self.points)) p"))

            #expect(answer.frame.fields.map(\.name) == ["Time", "jobs", "many"])
            #expect(answer.frame.fields.map(\.type) == [.time, .float64, .float64])
            #expect(answer.column("Time") == "[1767225600000,1767225600000,1767225660000]")
            #expect(answer.column("many") == "[0,1,1]")
            #expect(answer.frame.meta?.type == nil)
        }
    }

    @Test(arguments: [("NULL", "[1,null,3,null,null]"), ("previous", "[1,1,3,3,3]"), ("7.5", "[1,7.5,3,7.5,7.5]")])
    func fillPutsMissingPointsIn(mode: String, expected: String) async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(
                series(
                    "select $__timeGroupAlias(t, '30s', \(mode)), v from (values "
                        + "(timestamptz '2026-01-01 00:00:05Z', 1), ('2026-01-01 00:01:10Z', 3)) x(t, v) order by 1"))

            #expect(answer.error == nil)
            #expect(answer.column("v") == expected)
            #expect(answer.frame.fields[0].column.count == 5)
        }
    }

    @Test(arguments: [
        (
            "select now() as t, 1 as v",
            "db has no time column: time column is missing; make sure your data includes a time column for time series "
                + "format or switch to a table format that doesn't require it"
        ),
        (
            "select 1 as a, 2 as a",
            "convert frame from rows error: duplicate column names are not allowed, found identical name \"a\" at column "
                + "indices 0 and 1"
        ),
        (
            "select * from (values (now(), 'a', 1), (now() - interval '1h', 'a', 2)) v(time, m, x)",
            "failed to convert long to wide series when converting from dataframe: unable to process the data because it "
                + "is not sorted in ascending order by time, please updated your query to sort the data by time if possible"
        ),
        (
            "select null::timestamp as time, 'a' as m, 1 as v",
            "failed to convert long to wide series when converting from dataframe: unable to process the data to wide "
                + "series because input has null time values, make sure all time values are not null"
        ),
        (
            "select 'x' as time, 1 as v",
            "converting time columns failed: column \"time\": unable to convert data to a time field: \"x\" is not a number"
        ),
        ("select * from nowhere", "db query error: ERROR: relation \"nowhere\" does not exist (SQLSTATE 42P01)"),
    ])
    func failuresSayWhatIsWrong(sql: String, message: String) async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(series(sql))

            #expect(answer.error?.message == message)
            let isOurs = message.hasPrefix("convert") && !message.hasPrefix("convert value")
            #expect(answer.error?.source == (isOurs ? .plugin : .downstream))
            #expect(answer.frames.count == 1 && answer.frame.fields.isEmpty)
            #expect(answer.frame.meta?.executedQueryString == sql)
        }
    }

    @Test func modelsThatAreWrongAreRefused() async throws {
        try await withSource { (source, _) async throws in
            #expect(
                try await source.query(["rawSql": "select 1", "format": "logs"]).error?.message
                    == "Unrecognized query model format: \"logs\"")
            #expect(
                try await source.query(["rawSql": "select 1", "format": "table", "fillMode": "null"]).error?.message
                    == "query fill-parameters not supported")
            #expect(try await source.query(["rawSql": "", "format": "table"]).frames.isEmpty)
            #expect(
                try await source.query(["rawSql": "select 1", "format": "table", "fill": false, "fillMode": ""]).error
                    == nil)
            let long: JSONValue = .string("select 1 --" + String(repeating: "x", count: 1 << 20))
            #expect(try await source.query(["rawSql": long, "format": "table"]).error?.code == .limit)
            #expect(try await source.query(["rawSql": "select 1\0", "format": "table"]).error?.code == .invalid)
        }
    }

    @Test func arraysAreLabels() async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(series("select now() as time, array[1,2] as ids, 5 as v"))

            #expect(answer.error == nil)
            #expect(answer.frame.fields.last?.labels == ["ids": "[1,2]"])
        }
    }

    /// A value of a macro means at each place what the text that the user is shown means there.
    @Test(arguments: [
        "select count(*) as n from (values (date '2026-01-01')) as v(d) where $__timeFilter(d::timestamptz) "
            + "and $__timeFilter(d)",
        "select $__timeFrom()::date as a, $__timeFrom()::timestamptz as n",
        "select timestamptz '2026-01-01 00:00:30Z' >= $__timeFrom() as a, timestamp '2026-01-01 00:00:30' >= $__timeFrom() as n",
        "select $__timeFrom() as f, count(*) as n from (values (now())) as v(t) where t >= $__timeFrom()",
        "select concat($__timeFrom(), '-') as n", "select $__timeFrom() is null as n",
        "select json_build_object('f', $__timeFrom())::text as n",
        "select t - $__timeFrom() as n from (values (timestamptz '2026-01-01 00:00:30Z')) as v(t) "
            + "group by t - $__timeFrom()",
    ])
    func macrosMeanWhatIsShown(sql: String) async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(table(sql))
            let shown = try #require(answer.frame.meta?.executedQueryString)
            let literal = try await source.query(table(shown))

            #expect(answer.error == nil && literal.error == nil, "\(answer.error ?? literal.error!)")
            #expect(!shown.contains("$__"))
            #expect(answer.column("n") == literal.column("n"))
        }
    }

    @Test func severalResultsWithTheSameColumnsAreOne() async throws {
        try await withSource(["readOnly": false]) { (source, _) async throws in
            let one = try await source.query(
                table("set local work_mem = '1MB'; select 1 as a where false; select 2 as a; select 3 as a"))
            let other = try await source.query(table("select 1 as a; select 2 as b"))

            #expect(one.column("a") == "[2,3]")
            #expect(other.error?.message.contains("several results with different columns") == true)
        }
    }

    // MARK: Macros on the server

    @Test(arguments: [
        "select timestamptz '2026-01-01 00:01:00Z' as time, 1 as v where $__timeFilter(timestamptz '2026-01-01 00:01Z')",
        "select t as time, 1 as v from (select timestamptz '2026-01-01 00:01Z' as t) x where $__timeFilter(t)",
        "select '2026-01-01 00:01Z'::timestamptz as time, 1 as v where timestamp $__timeFrom() < timestamp $__timeTo()",
        "select $__timeFrom()::timestamptz as time, 1 as v",
        "select $__unixEpochNanoFrom() / 1000000000 as time, 1 as v",
        "select to_timestamp($__unixEpochFrom()) as time, 1 as v -- $__timeTo()",
        "select $__timeGroup(t, '1m') as time, count(*) as v from (select timestamptz '2026-01-01 00:01Z' as t) x "
            + "where $__timeFilter(t) group by 1 order by 1",
    ])
    func macrosRunOnTheServer(sql: String) async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(series(sql))

            #expect(answer.error == nil)
            #expect(answer.column("v") == "[1]")
        }
    }

    // MARK: Reading only

    @Test(arguments: [
        "create table t (x int)", "select 1; create table t (x int)", "commit; create table t (x int)",
        "with x as (insert into guarded values (1) returning *) select * from x", "explain analyze delete from guarded",
        "select set_config('transaction_read_only', 'off', false), nextval('guarded_seq')",
        "do $$ begin commit; delete from guarded; end $$", "copy guarded to program 'touch /tmp/x'", "vacuum",
        "set transaction read write", "begin; delete from guarded",
        "/* x */ delete from guarded",
        "select nextval('guarded_seq') -- ", "select 1 into guarded2", "select * from guarded for update",
        "select $$;$$ as a; drop table guarded",
    ])
    func nothingIsWritten(sql: String) async throws {
        try await withSource(["readOnly": false]) { (writer, _) async throws in
            _ = try await writer.query(
                table(
                    "create table if not exists guarded (x int); create sequence if not exists guarded_seq; "
                        + "truncate guarded; insert into guarded values (5)"))
            let attempt = try await withSource { source, _ in try await source.query(table(sql)) }
            let left = try await writer.query(
                table(
                    "select (select count(*) from guarded) as rows, to_regclass('t')::text as t, "
                        + "to_regclass('guarded2')::text as g, (select is_called from guarded_seq) as called"))

            #expect(attempt.error != nil)
            #expect(left.column("rows") == "[1]")
            #expect(left.column("t") == "[null]" && left.column("g") == "[null]")
            #expect(left.column("called") == "[false]")
        }
    }

    // MARK: Streaming, limits, cancellation

    @Test func aMillionRowsPassInBatches() async throws {
        try await withSource { (source, _) async throws in
            let model = JSONValue.object(
                table("select g as id, g * 0.5 as half, 'row ' || g as name from generate_series(1, 1000000) g"))
            let query = DataQuery(
                refID: "A", json: JSONText(model.encoded()), model: model, from: Timestamp(nanoseconds: 0),
                to: Timestamp(nanoseconds: 1), interval: .seconds(1), maxDataPoints: 1)
            var rows = 0
            var sum: Int64 = 0
            var batches = 0
            var largest = 0
            for await event in try await source.platform.queryData([query], of: source.source, facts: CallFacts()) {
                switch event {
                case .frame(_, let frame), .rows(_, let frame):
                    rows += frame.rowCount
                    batches += 1
                    largest = max(largest, frame.fields.reduce(0) { $0 + $1.column.byteCount })
                    for index in 0..<frame.rowCount { sum += frame.fields[0].column.integer(at: index) ?? 0 }
                case .failed(let error, _): Issue.record("\(error)")
                default: break
                }
            }

            #expect(rows == 1_000_000)
            #expect(sum == 500_000_500_000)
            #expect(batches > 100)
            #expect(largest < 3 << 20, "no batch is large")
        }
    }

    @Test(arguments: [(10, 3), (10, 10), (10, 11)])
    func rowsPastTheLimitAreLeftOutAndTold(rows: Int, limit: Int) async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(table("select * from generate_series(1, \(rows)) x"), maxRows: limit)

            #expect(answer.frame.rowCount == min(rows, limit))
            #expect(
                answer.notices
                    == (limit < rows
                        ? ["Results have been limited to \(limit) because the SQL row limit was reached"] : []))
        }
    }

    @Test func cancellationStopsTheServer() async throws {
        try await withSource { (source, _) async throws in
            try await withSource(["readOnly": false]) { (watcher, _) async throws in
                let mark = "mark_\(UInt32.random(in: 0 ... .max))"
                let running = table(
                    "select pid from pg_stat_activity where state = 'active' and query like '%\(mark)%' "
                        + "and pid <> pg_backend_pid()")
                let task = Task { try await source.query(table("select pg_sleep(600) as \(mark)")) }
                while try await watcher.query(running).frame.rowCount == 0 { await Task.yield() }

                task.cancel()

                _ = try? await task.value
                while try await watcher.query(running).frame.rowCount > 0 { await Task.yield() }
                #expect(try await source.query(table("select 1 as one")).column("one") == "[1]")
            }
        }
    }

    @Test func aSessionIsAsNewForTheNextUser() async throws {
        try await withSource(["maxOpenConns": 1, "readOnly": false]) { (source, _) async throws in
            let pid = try await source.query(table("select pg_backend_pid() as pid")).column("pid")
            for statement in [
                "select pg_advisory_lock(4711)", "set search_path = nowhere", "set time zone 'Asia/Kolkata'",
                "listen x",
                "create temp table left_over (x int)", "prepare left_over as select 1", "set role pg_monitor",
                "set datestyle = 'SQL, DMY'", "begin; declare c cursor with hold for select 1; commit", "begin",
            ] {
                #expect(try await source.query(table(statement)).error == nil, "\(statement)")
            }

            let left = try await source.query(
                table(
                    """
                    select pg_backend_pid() as pid, (select count(*) from pg_locks where locktype = 'advisory') as locks,
                      current_setting('search_path') as path, current_setting('TimeZone') <> 'Asia/Kolkata' as zone,
                      (select count(*) from pg_listening_channels()) as channels, to_regclass('left_over')::text as temp,
                      (select count(*) from pg_prepared_statements) as prepared, current_user::text as me,
                      (select count(*) from pg_cursors where is_holdable) as cursors, current_setting('DateStyle') as style
                    """))

            #expect(left.error == nil)
            #expect(left.column("pid") == pid, "the connection is the same")
            #expect(left.column("locks") == "[0]" && left.column("cursors") == "[0]")
            #expect(left.column("path") == #"["\"$user\", public"]"#)
            #expect(left.column("zone") == "[true]" && left.column("channels") == "[0]")
            #expect(left.column("temp") == "[null]" && left.column("prepared") == "[0]")
            #expect(left.column("me") == #"["grafana"]"#)
            #expect(left.column("style").hasPrefix(#"["ISO"#))
        }
    }

    @Test func littleThatIsLeftSavesTheConnection() async throws {
        try await withSource(["maxOpenConns": 1]) { (source, _) async throws in
            let pid = try await source.query(table("select pg_backend_pid() as pid")).column("pid")

            _ = try await source.query(table("select generate_series(1, 100)"), maxRows: 10)

            #expect(try await source.query(table("select pg_backend_pid() as pid")).column("pid") == pid)
        }
    }

    @Test func aRowThatIsTooLargeIsAnError() async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(table("select repeat('x', 100000000)"))

            #expect(answer.error?.code == .limit)
        }
    }

    @Test func poolMakesQueriesWait() async throws {
        try await withSource(["maxOpenConns": 2]) { (source, _) async throws in
            let sql =
                "select pg_sleep(0.05), count(*) as n from pg_stat_activity where application_name = 'grafana' "
                + "and usename = '\(RealDatabase.user)' and query like 'select pg_sleep(0.05)%'"
            let counts = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<8 { group.addTask { try await source.query(self.table(sql)).column("n") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }

            #expect(counts.count == 8)
            #expect(counts.allSatisfy { $0 == "[1]" || $0 == "[2]" }, "\(counts)")
        }
    }
}
