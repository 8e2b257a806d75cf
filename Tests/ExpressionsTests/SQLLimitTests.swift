// SPDX-License-Identifier: Apache-2.0
import CSQLite
import PluginABI
import Testing

@testable import Expressions

/// What an SQL expression may cost, and the tables that answers make.
struct SQLLimitTests {
    private static func numbers(_ count: Int) -> DataFrame {
        DataFrame(fields: [Field("n", (0..<count).map { Int64($0) })])
    }

    private static func limits(_ change: (inout ExpressionLimits) -> Void) -> ExpressionLimits {
        var limits = ExpressionLimits()
        limits.isSQLEnabled = true
        change(&limits)
        return limits
    }

    @Test(arguments: [
        "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x",
        "SELECT count(*) FROM A a, A b, A c, A d, A e, A f WHERE a.n + b.n + c.n + d.n + e.n + f.n < 0",
    ])
    func anEndlessStatementIsStopped(text: String) throws {
        let outcome = try TestRequest.sql(
            text, a: [Self.numbers(1000)], limits: Self.limits { $0.sqlTimeout = .milliseconds(50) })

        #expect(outcome.error?.code == .timeout && outcome.error?.httpStatus == 504)
        #expect(outcome.error?.message.contains("took longer than") == true)
    }

    @Test func aCancelledStatementIsStopped() throws {
        var request = TestRequest()
        request.source("A", [Self.numbers(1000)])
        request.expression(
            "R", ["type": "sql", "expression": "SELECT count(*) FROM A a, A b, A c, A d WHERE a.n = b.n + c.n + d.n"])
        let calls = Counter()
        let checkpoint = ExpressionCheckpoint {
            calls.next() > 20 ? ExpressionError(.cancelled, "the client has left") : nil
        }

        let outcome = try request.run(checkpoint: checkpoint)["R"]

        #expect(outcome?.error?.code == .cancelled && outcome?.error?.httpStatus == 499)
    }

    /// Within one call of a function nothing stops a statement: each has to be short.
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            ("sum(instr(x, y))", 60, "0"), ("sum(length(replace(x, y, '')))", 60, "24000000"),
            ("sum(length(trim(concat('b', x), y)))", 5, "0"), ("sum(length(rtrim(x, y)))", 5, "0"),
            ("sum(length(ltrim(x, 'b')))", 5, "2000000"),
            ("sum(x LIKE '%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%b')", 5, "0"),
        ])
    func functionsOverLongTextsAreShort(function: String, rows: Int, result: String) throws {
        let (long, part) = (String(repeating: "a", count: 400_000), String(repeating: "a", count: 200_000) + "b")
        let table = DataFrame(fields: [
            Field("x", [String](repeating: long, count: rows)), Field("y", [String](repeating: part, count: rows)),
        ])

        let outcome = try TestRequest.sql("SELECT \(function) FROM A", a: [table])

        #expect(outcome.error == nil && outcome.frames.first?.rows == [[result]])
    }

    @Test(.timeLimit(.minutes(5))) func listsThatAreTooLongToCompareAreRefused() throws {
        // Each element of the second list is the last of the first.
        let lists = ["[\(String(repeating: "1,", count: 50_000))2]", "[\(String(repeating: "2,", count: 50_000))2]"]
        let table = DataFrame(fields: [Field("x", [lists[0]]), Field("y", [lists[1]])])

        let outcome = try TestRequest.sql("SELECT json_contains(x, y) FROM A", a: [table])

        #expect(outcome.error?.message.contains("too long to be compared") == true, "\(outcome)")
    }

    /// What others in the program do with SQLite does not count.
    @Test func theMemoryIsThatOfTheStatement() throws {
        var other: OpaquePointer?
        #expect(sqlite3_open(":memory:", &other) == SQLITE_OK)
        defer { sqlite3_close(other) }
        let before = sqlite3_memory_used()
        let fill = "CREATE TABLE t AS SELECT zeroblob(67108864) AS b UNION ALL SELECT zeroblob(67108864)"
        #expect(sqlite3_exec(other, fill, nil, nil, nil) == SQLITE_OK)
        #expect(sqlite3_memory_used() - before > 100 << 20)

        for _ in 0..<2 {
            let outcome = try TestRequest.sql(
                "SELECT n FROM A ORDER BY 0 - n LIMIT 1", a: [Self.numbers(10_000)],
                limits: Self.limits { $0.sqlMemoryBytes = 32 << 20 })
            #expect(outcome.error == nil && outcome.frames.first?.rows == [["9999"]])
        }
    }

    @Test func sortingTooMuchIsStopped() throws {
        let outcome = try TestRequest.sql(
            "SELECT a.n, b.n, c.n FROM A a, A b, A c ORDER BY 3, 2, 1", a: [Self.numbers(1000)],
            limits: Self.limits { $0.sqlMemoryBytes = 32 << 20 })

        #expect(outcome.error?.code == .limit)
        #expect(outcome.error?.message.contains("need more than 32 MiB") == true)
    }

    @Test func aTextThatGrowsIsStopped() throws {
        let outcome = try TestRequest.sql(
            "SELECT length(group_concat(replace('xxxxxxxxxxxxxxxxxxxxxxxx', 'x', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'))) FROM A a, A b",
            a: [Self.numbers(1000)])

        #expect(outcome.error?.code == .limit, "\(outcome)")
    }

    @Test func inputPastTheLimitIsRefused() throws {
        let outcome = try TestRequest.sql("SELECT 1 FROM A", a: [Self.numbers(100_001)])

        #expect(outcome.error?.code == .limit)
        #expect(outcome.error?.message.contains("input limit exceeded: the tables have 100001 cells") == true)
    }

    @Test func outputPastTheLimitIsCutWithANotice() throws {
        let outcome = try TestRequest.sql(
            "SELECT n, n AS m FROM A", a: [Self.numbers(100)], limits: Self.limits { $0.sqlOutputCells = 50 })

        #expect(outcome.error == nil && outcome.frames.first?.rowCount == 25)
        #expect(outcome.frames.first?.meta?.notices.first?.severity == .warning)
        #expect(outcome.frames.first?.meta?.notices.first?.text.contains("only its first 25 rows") == true)
    }

    @Test func aLongTextIsRefused() {
        let text = "SELECT '\(String(repeating: "x", count: 1 << 20))'"

        #expect(throws: ExpressionError.self) { try TestRequest.sql(text, a: []) }
    }

    @Test func aDeepStatementIsRefused() throws {
        let text = "SELECT " + String(repeating: "(", count: 4000) + "1" + String(repeating: ")", count: 4000)

        #expect(try TestRequest.sql(text, a: []).error?.code == .execution)
    }

    @Test func joinsOfLargeTablesUseTheColumnsAsIndexes() throws {
        // Nested loops would compare 2.5 · 10⁹ pairs.
        let outcome = try TestRequest.sql(
            "SELECT count(*), sum(a.n) FROM A a JOIN B b ON a.n = b.n", a: [Self.numbers(50_000)],
            b: [Self.numbers(50_000)])

        #expect(outcome.frames.first?.rows == [["50000", "1249975000"]], "\(outcome)")
    }

    @Test func joinsByTextAndTimeFindTheirRows() throws {
        let count = 500
        let table = DataFrame(fields: [
            Field("name", (0..<count).map { "n\($0 % 100)" }), Field("t", times((0..<count).map { Int64($0) })),
        ])

        let byText = try TestRequest.sql("SELECT count(*) FROM A a JOIN B b ON a.name = b.name", a: [table], b: [table])
        let byTime = try TestRequest.sql("SELECT count(*) FROM A a JOIN B b ON a.t = b.t", a: [table], b: [table])

        #expect(byText.frames.first?.rows == [["2500"]])
        #expect(byTime.frames.first?.rows == [["500"]])
    }

    // MARK: Tables

    @Test func seriesBecomeRowsByTimeAndMetric() throws {
        var second = seriesFrame([3, nil], name: "v", labels: ["host": "b", "zone": "z"])
        second.fields[1].config = FieldConfig(displayNameFromDS: "shown")
        let outcome = try TestRequest.sql("SELECT * FROM A", a: [seriesFrame([1, 2], labels: ["host": "a"]), second])

        let frame = try #require(outcome.frames.first)
        #expect(
            frame.fields.map(\.name) == ["time", "__value__", "__metric_name__", "__display_name__", "host", "zone"])
        #expect(
            frame.rows == [
                ["0", "1", "v", "null", "a", "null"], ["0", "3", "v", "shown", "b", "z"],
                ["1000", "2", "v", "null", "a", "null"], ["1000", "null", "v", "shown", "b", "z"],
            ])
    }

    @Test func numbersBecomeRows() throws {
        let outcome = try TestRequest.sql(
            "SELECT * FROM A", a: [numberFrame(2, labels: ["h": "b"]), numberFrame(nil, labels: ["h": "a"])])

        #expect(outcome.frames.first?.fields.map(\.name) == ["__metric_name__", "__value__", "h"])
        #expect(outcome.frames.first?.rows == [["v", "null", "a"], ["v", "2", "b"]])
    }

    @Test(arguments: [
        (
            [DataFrame(fields: [Field("a", [1.0])]), DataFrame(fields: [Field("a", [1.0])])],
            "can not convert because the response is missing the data type (frame.meta.type) and has more than one dataframe"
        ),
        (
            [DataFrame(fields: [Field("a", [1.0], labels: ["x": "y"])])],
            "can not convert because the response is missing the data type (frame.meta.type) and has labels in the response"
        ),
        ([DataFrame(fields: [Field("a", [1.0]), Field("A", [1.0])])], "two fields are named 'A'"),
    ])
    func answersThatAreNoTableFail(frames: [DataFrame], message: String) throws {
        var request = TestRequest()
        request.source("A", frames)
        request.expression("R", ["type": "sql", "expression": "SELECT * FROM A"])

        let outcomes = try request.run()

        #expect(outcomes["A"]?.error?.code == .readData)
        #expect(outcomes["A"]?.error?.message.hasPrefix("[sse.readDataError] [A] got error: \(message)") == true)
        #expect(outcomes["R"]?.error?.code == .dependency)
    }

    /// What is not of the form that its type names is taken for what it looks like, never for an empty table.
    @Test func answersThatBreakTheirTypeAreReadAsTables() throws {
        let twoRows = DataFrame(meta: FrameMeta(type: "numeric-wide"), fields: [Field("n", [1, 2] as [Int64])])
        let timeless = DataFrame(meta: FrameMeta(type: "timeseries-wide"), fields: [Field("n", [1, 2] as [Int64])])
        let text = DataFrame(
            meta: FrameMeta(type: "timeseries-multi"), fields: [Field("t", times([0])), Field("v", ["x"])])

        for (frame, rows) in [(twoRows, "2"), (timeless, "2"), (text, "1")] {
            let outcome = try TestRequest.sql("SELECT count(*) FROM A", a: [frame])
            #expect(outcome.frames.first?.rows == [[rows]], "\(outcome)")
        }
    }

    /// Series too large for the table are refused before the table is made, by the expression that wants it.
    @Test func seriesPastTheLimitAreRefused() throws {
        var request = TestRequest()
        request.source("A", [seriesFrame((0..<100).map { Double($0) }, labels: ["a": "b"])])
        request.limits.sqlInputCells = 300
        request.expression("R", ["type": "sql", "expression": "SELECT * FROM A"])

        let outcomes = try request.run()

        #expect(outcomes["R"]?.error?.message.contains("the tables have 400 cells") == true)
        #expect(outcomes["A"]?.error == nil && outcomes["A"]?.frames.first?.rowCount == 100)
    }

    @Test func emptyAnswersAreEmptyTables() throws {
        #expect(try TestRequest.sql("SELECT count(*) FROM A", a: []).frames.first?.rows == [["0"]])
        let none = try TestRequest.sql("SELECT * FROM A", a: [DataFrame()])
        #expect(none.error == nil && none.frames.map(\.fields.count) == [0])
    }

    // MARK: Alerting

    @Test func alertingMakesLabelledNumbers() throws {
        let table = DataFrame(fields: [Field("host", ["a", "b"]), Field("n", [1, 2] as [Int64])])

        let outcome = try TestRequest.sql("SELECT host, n FROM A", a: [table], more: ["format": "alerting"])

        #expect(outcome.frames.map(\.labels) == [["host": "a"], ["host": "b"]])
        #expect(outcome.frames.map(\.values) == [[1], [2]])
        #expect(outcome.frames.first?.meta?.type == "numeric-multi")
    }

    @Test(arguments: [
        ("SELECT host FROM A", "needs exactly one number column, and the result has 0"),
        ("SELECT n, n + 1 FROM A", "needs exactly one number column, and the result has 2"),
        ("SELECT 'x' AS l, n FROM A", "two rows have the labels {l=x}"),
    ])
    func alertingNeedsOneNumberAndDifferentLabels(text: String, message: String) throws {
        let table = DataFrame(fields: [Field("host", ["a", "b"]), Field("n", [1, 2] as [Int64])])

        let outcome = try TestRequest.sql(text, a: [table], more: ["format": "alerting"])

        #expect(outcome.error?.message.contains(message) == true, "\(outcome)")
    }
}
