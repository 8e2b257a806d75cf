// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

/// The macros of each dialect, as facts about Grafana tell them.
struct SQLMacroTests {
    /// From 2020-01-02T03:04:05.123Z to an hour later, with a panel that shows a point each 90 s.
    private static let times = MacroTimes(
        from: Timestamp(milliseconds: 1_577_934_245_123), to: Timestamp(milliseconds: 1_577_937_845_123),
        intervalMilliseconds: 90_000, now: 1_577_937_845)

    @Test(arguments: [
        ("select $__time(c)", "select c AS \"time\""),
        ("select $__timeEpoch(c)", "select extract(epoch from c) as \"time\""),
        (
            "where $__timeFilter(c)",
            "where c BETWEEN '2020-01-02T03:04:05.123Z' AND '2020-01-02T04:04:05.123Z'"
        ),
        ("$__timeFrom() $__timeTo()", "'2020-01-02T03:04:05.123Z' '2020-01-02T04:04:05.123Z'"),
        ("$__timeGroup(c, '5m')", "floor(extract(epoch from c)/300)*300"),
        ("$__timeGroup(c,'500ms')", "floor(extract(epoch from c)/0.5)*0.5"),
        ("$__timeGroup(c, '30d')", "floor(extract(epoch from c)/2.592e+06)*2.592e+06"),
        ("$__timeGroup(c, '5m'), x", "floor(extract(epoch from c)/300)*300 AS \"time\", x"),
        ("$__timeGroupAlias(c, 5m)", "floor(extract(epoch from c)/300)*300 AS \"time\""),
        ("$__unixEpochFilter(c)", "c >= 1577934245 AND c <= 1577937845"),
        ("$__unixEpochNanoFilter(c)", "c >= 1577934245123000000 AND c <= 1577937845123000000"),
        ("$__unixEpochNanoFrom() $__unixEpochNanoTo()", "1577934245123000000 1577937845123000000"),
        ("$__unixEpochFrom() $__unixEpochTo()", "1577934245 1577937845"),
        ("$__unixEpochGroup(c, '5m')", "floor((c)/300)*300"),
        ("$__unixEpochGroupAlias(c, '5m')", "floor((c)/300)*300 AS \"time\""),
        ("interval '$__interval', $__interval_ms", "interval '1m', 90000"),
        ("'$__timeFrom()' -- $__timeTo()", "''2020-01-02T03:04:05.123Z'' -- '2020-01-02T04:04:05.123Z'"),
        // Arguments end at the first closing parenthesis.
        ("$__time(to_timestamp(x))", "to_timestamp(x AS \"time\")"),
        ("price > 5$ and $1 and $x", "price > 5$ and $1 and $x"),
    ])
    func postgreSQLMacros(sql: String, expected: String) throws {
        #expect(try PostgreSQLMacros(times: Self.times).expand(sql).text.literal == expected)
    }

    @Test func timescaleGroupsWithItsOwnFunction() throws {
        let macros = PostgreSQLMacros(times: Self.times, hasTimescaleDB: true)

        #expect(try macros.expand("$__timeGroup(c,'5m')").text.literal == "time_bucket('300.000s',c)")
    }

    @Test(arguments: [
        ("$__time(c)", "UNIX_TIMESTAMP(c) as time_sec"),
        ("$__timeEpoch(c)", "UNIX_TIMESTAMP(c) as time_sec"),
        ("$__timeFilter(c)", "c BETWEEN FROM_UNIXTIME(1577934245) AND FROM_UNIXTIME(1577937845)"),
        ("$__timeFrom() $__timeTo()", "FROM_UNIXTIME(1577934245) FROM_UNIXTIME(1577937845)"),
        ("$__timeGroup(c, '5m')", "UNIX_TIMESTAMP(c) DIV 300 * 300"),
        ("$__timeGroup(c, \"30d\"), x", "UNIX_TIMESTAMP(c) DIV 2592000 * 2592000, x"),
        ("$__timeGroupAlias(c, '5m')", "UNIX_TIMESTAMP(c) DIV 300 * 300 AS \"time\""),
        ("$__unixEpochFilter(c)", "c >= 1577934245 AND c <= 1577937845"),
        ("$__unixEpochNanoFrom() $__unixEpochNanoTo()", "1577934245123000000 1577937845123000000"),
        ("$__unixEpochGroup(c, '5m')", "c DIV 300 * 300"),
        ("$__unixEpochGroupAlias(c, '5m')", "c DIV 300 * 300 AS \"time\""),
        ("$__interval $__interval_ms", "1m 90000"),
    ])
    func mySQLMacros(sql: String, expected: String) throws {
        #expect(try MySQLMacros(times: Self.times).expand(sql).text.literal == expected)
    }

    @Test func mySQLCountsFromZeroBefore1970() throws {
        var times = Self.times
        times.from = Timestamp(milliseconds: -60_000)

        let sql = try MySQLMacros(times: times).expand("$__timeFilter(c)").text.literal

        #expect(
            sql == "c BETWEEN DATE_ADD(FROM_UNIXTIME(0), INTERVAL -60 SECOND) AND FROM_UNIXTIME(1577937845)")
    }

    @Test(arguments: [
        ("$__from $__to", "1577934245000 1577937845000"),
        (
            "$__timeFilter(c)",
            "CAST(CASE WHEN typeof(c) = 'integer' THEN c ELSE strftime(\"%s\", c) END AS INTEGER) BETWEEN 1577934245 AND "
                + "1577937845"
        ),
        ("$__unixEpochGroupSeconds(c, 10)", "cast((c / 10) as int) * 10"),
        ("$__unixEpochGroupSeconds(c, 10, null)", "cast((c / 10) as int) * 10"),
        ("$__unknown(c) $__interval_ms", "$__unknown(c) 90000"),
    ])
    func sqliteMacros(sql: String, expected: String) throws {
        let macros = SQLiteMacros(from: Self.times.from, to: Self.times.to, intervalMilliseconds: 90_000)

        #expect(try macros.expand(sql).text.literal == expected)
    }

    @Test(arguments: [
        ("$__timeFilter()", "missing time column argument for macro __timeFilter"),
        ("$__timeGroup(c)", "macro __timeGroup needs time column and interval and optional fill value"),
        ("$__timeGroup(c, 'x')", "error parsing interval 'x'"),
        ("$__timeGroup(c, '5m', x)", "error parsing fill value x"),
        ("$__foo(c)", "unknown macro \"__foo\""),
    ])
    func mistakesAreNamed(sql: String, expected: String) throws {
        let error = #expect(throws: PluginError.self) { try PostgreSQLMacros(times: Self.times).expand(sql) }

        #expect(error?.message == "interpolation failed: \(expected)")
        #expect(error?.source == .plugin)
    }

    @Test(arguments: [
        ("$__timeGroup(c, '5m', NULL)", SQLFill.Mode.null), ("$__timeGroup(c, '5m', previous)", .previous),
        ("$__unixEpochGroup(c, '5m', 1.5)", .value(1.5)),
    ])
    func fillIsReadFromTheMacro(sql: String, mode: SQLFill.Mode) throws {
        let fill = try MySQLMacros(times: Self.times).expand(sql).fill

        #expect(fill?.mode == mode)
        #expect(fill?.interval == .seconds(300))
    }

    @Test func mySQLNamesWhatAGroupNeeds() {
        let error = #expect(throws: PluginError.self) {
            try MySQLMacros(times: Self.times).expand("$__timeGroup(c)")
        }

        #expect(error?.message == "interpolation failed: macro __timeGroup needs time column and interval")
    }

    /// A text that takes its square of steps takes hours.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            String(repeating: "$a(", count: 300_000), String(repeating: "$__time(c)", count: 50_000),
            String(repeating: "$a(", count: 300_000) + ")",
            String(repeating: " ", count: 400_000)
                + String(repeating: "$1", count: 200_000),
            "$" + String(repeating: "a", count: 1_000_000), String(repeating: "$$", count: 400_000),
            String(repeating: "user ", count: 200_000), String(repeating: "/*", count: 400_000),
        ])
    func theTimeDoesNotGrowWithTheSquare(sql: String) {
        for macros in [PostgreSQLMacros(times: Self.times), MySQLMacros(times: Self.times)] as [any SQLMacros] {
            guard let text = try? macros.expand(sql).text else { continue }
            _ = SQLParameters.fit(text.parameterized { "$\($0)" }, .postgreSQL)
        }
        for rules in [SQLLexer.Rules.postgreSQL, .mySQL, .sqlite] { _ = SQLLexer(sql, rules).statements }
        try? MySQLMacros.checkSecrets(in: sql)
    }

    @Test func placesMustBeThoseOfTheValues() throws {
        let times = PostgreSQLMacros(times: Self.times)
        func fits(_ sql: String) throws -> Bool {
            SQLParameters.fit(try times.expand(sql).text.parameterized { "$\($0)" }, .postgreSQL)
        }

        #expect(try fits("select $__timeFrom()"))
        #expect(try fits("select $__timeFrom() -- $1"))
        #expect(try !fits("select '$__timeFrom()', $1"), "the value is in a text, and the place is the user's")
        #expect(try !fits("select $__timeFrom(), $1"))
        #expect(try !fits("select timestamp /* of */ $__timeFrom()"))
        #expect(try !fits("select 1"))
    }

    @Test func valuesBecomeParametersThatAreShared() throws {
        let macros = PostgreSQLMacros(times: Self.times)

        let text = try macros.expand("$__timeFilter(a) or $__timeFilter(b)").text.parameterized { "$\($0)" }

        #expect(text.text == "a BETWEEN $1 AND $2 or b BETWEEN $1 AND $2")
        #expect(text.parameters == ["2020-01-02T03:04:05.123Z", "2020-01-02T04:04:05.123Z"])
        #expect(text.places == [10, 17, 33, 40])

        let apart = try macros.expand("$__timeFilter(a) or $__timeFilter(b)").text
            .parameterized(sharingTexts: false) { "$\($0)" }
        #expect(apart.text == "a BETWEEN $1 AND $2 or b BETWEEN $3 AND $4")
        #expect(apart.parameters.count == 4)
    }

    @Test(arguments: [
        "show  grants", "select CURRENT_USER", "select user()", "select user ( )", "select session_user()",
    ])
    func mySQLDoesNotTellItsUser(sql: String) {
        #expect(throws: PluginError.self) { try MySQLMacros.checkSecrets(in: sql) }
    }

    @Test func wordsThatOnlyLookLikeItPass() throws {
        try MySQLMacros.checkSecrets(in: "select user, current_users from user where users(1)")
    }
}

/// What a data source that only reads lets through.
struct SQLReadOnlyTests {
    @Test(arguments: [
        "select 1", "  (select 1) union (select 2);", "/* x; */ select ';' -- ; drop\n", "with a as (select 1) table a",
        "select $$ ; $$, $a$ ; $$ ; $a$, E'\\';', \"a;b\"", "/* a /* nested */ ; */ select 1",
    ])
    func readingPasses(sql: String) throws { try SQLReadOnly.check(sql, .postgreSQL) }

    @Test(arguments: [
        "select 1; drop table t", "delete from t", "select '\\'; drop table t; --'", "copy t to program 'x'",
        "set x = 1", "begin", "select $a$ $a$; commit", "/* */ do $$ begin end $$",
    ])
    func writingDoesNot(sql: String) {
        #expect(throws: PluginError.self) { try SQLReadOnly.check(sql, .postgreSQL) }
    }

    @Test(arguments: [
        "select 1 /*! into outfile 'x' */", "select 1 into dumpfile 'x'", "select '\\'' ; drop table t",
        "/*!50000 drop table t */", "call p()", "# x\n delete from t",
    ])
    func mySQLHasItsOwnWays(sql: String) {
        #expect(throws: PluginError.self) {
            try SQLReadOnly.check(sql, .mySQL, forbidden: ["INTO"])
        }
    }

    @Test(arguments: ["select '\\'; drop table t' as a", "select `a;b` # ; x", "select 1 -- ; x"])
    func mySQLTextsAreNotCode(sql: String) throws {
        try SQLReadOnly.check(sql, .mySQL, forbidden: ["INTO"])
    }
}
