// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// Reductions and resampling.
struct CommandTests {
    private func reduce(
        _ reducer: String, _ frames: [DataFrame], _ settings: JSONValue? = nil
    ) throws -> ExpressionPlan.Outcome {
        var model: JSONValue = ["type": "reduce", "expression": "$A", "reducer": .string(reducer)]
        if let settings { model["settings"] = settings }
        return try TestRequest.run(model, a: frames)
    }

    static let odd: [Double?] = [4, nil, 1, .nan, 3, .infinity]
    static let reductions: [(String, [Double?], JSONValue, Double?)] = [
        ("sum", [1, 2, 4], [:], 7), ("mean", [1, 2, 6], [:], 3), ("min", [3, 1, 2], [:], 1),
        ("max", [3, 9, 2], [:], 9),
        ("count", [1, nil, .nan], [:], 3), ("last", [1, 2, 5], [:], 5), ("median", [5, 1, 3], [:], 3),
        ("median", [4, 1, 3, 2], [:], 2.5), ("SUM", [1, 2], [:], 3),
        ("sum", [1, nil], [:], .nan), ("mean", [1, nil], [:], .nan), ("min", [1, .nan], [:], .nan),
        ("max", [.nan, 1], [:], .nan), ("median", [1, .nan, 3], [:], .nan), ("last", [1, nil], [:], nil),
        ("last", [1, .nan], [:], .nan), ("sum", [1, .infinity], ["mode": "strict"], .infinity),
        ("sum", [], [:], 0), ("count", [], [:], 0), ("mean", [], [:], .nan), ("min", [], [:], .nan),
        ("max", [], [:], .nan), ("median", [], [:], .nan), ("last", [], [:], .nan),
        ("sum", odd, ["mode": "dropNN"], 8), ("count", odd, ["mode": "dropNN"], 3),
        ("mean", odd, ["mode": "dropNN"], 8.0 / 3), ("last", odd, ["mode": "dropNN"], 3),
        ("min", odd, ["mode": "dropNN"], 1), ("max", odd, ["mode": "dropNN"], 4),
        ("median", odd, ["mode": "dropNN"], 3),
        ("mean", [nil, .nan], ["mode": "dropNN"], nil), ("sum", [nil, .nan], ["mode": "dropNN"], 0),
        ("last", [nil], ["mode": "dropNN"], nil), ("count", [nil], ["mode": "dropNN"], 0),
        ("sum", odd, ["mode": "replaceNN", "replaceWithValue": 10], 38),
        ("last", [1, nil], ["mode": "replaceNN", "replaceWithValue": -1], -1),
        ("mean", [], ["mode": "replaceNN", "replaceWithValue": 7], 7),
        ("count", odd, ["mode": "replaceNN", "replaceWithValue": 0], 6),
    ]

    @Test(arguments: 0..<reductions.count)
    func reductionHasTheValue(index: Int) throws {
        let (reducer, values, settings, expected) = Self.reductions[index]

        let outcome = try reduce(reducer, [seriesFrame(values, labels: ["h": "a"])], settings)

        #expect(outcome.frames.count == 1)
        let frame = try #require(outcome.frames.first)
        #expect(same(frame.values, [expected]), "\(reducer) of \(values): \(frame.values)")
        #expect(frame.labels == ["h": "a"] && frame.fields[0].name == "R" && frame.meta?.type == "numeric-multi")
    }

    @Test func numbersPassWithANotice() throws {
        let outcome = try reduce("sum", [numberFrame(1, labels: ["a": "1"]), numberFrame(nil, labels: ["a": "2"])])

        #expect(outcome.frames.map(\.values) == [[1], [nil]])
        #expect(
            outcome.frames.map { $0.meta?.notices.map(\.text) ?? [] } == [
                ["Reduce operation is not needed. Input query or expression A is already reduced data."], [],
            ])
    }

    @Test func modesChangeNumbers() throws {
        let frames = [
            numberFrame(1, labels: ["a": "1"]), numberFrame(nil, labels: ["a": "2"]),
            numberFrame(.nan, labels: ["a": "3"]),
        ]

        let dropped = try reduce("sum", frames, ["mode": "dropNN"])
        let replaced = try reduce("sum", frames, ["mode": "replaceNN", "replaceWithValue": 5])

        #expect(dropped.frames.map(\.labels) == [["a": "1"]])
        #expect(replaced.frames.map(\.values) == [[1], [5], [5]])
        #expect(replaced.frames.allSatisfy { $0.meta?.notices.isEmpty == true })
    }

    @Test func noDataStaysAndScalarsAreRefused() throws {
        var request = TestRequest()
        request.expression("M", ["type": "math", "expression": "1 + 1"])
        request.expression("R", ["type": "reduce", "expression": "M", "reducer": "sum"])
        request.source("A", [])
        request.expression("S", ["type": "reduce", "expression": "A", "reducer": "sum"])

        let outcomes = try request.run()

        #expect(outcomes["R"]?.error?.message == "can only reduce type series, got type scalar")
        #expect(outcomes["S"]?.frames.map(\.name) == ["no data"])
    }

    static let wrongModels: [(JSONValue, String)] = [
        (
            ["type": "reduce", "reducer": "sum"],
            "no expression ID is specified to reduce. Must be a reference to an existing query or expression"
        ),
        (["type": "reduce", "expression": "A"], "no reducer specified"),
        (["type": "reduce", "expression": "A", "reducer": "Mode"], "reduction mode not implemented"),
        (
            ["type": "reduce", "expression": "A", "reducer": "sum", "settings": ["mode": "x"]],
            "reducer mode 'x' is not supported. Supported only: [dropNN,replaceNN]"
        ),
        (
            ["type": "reduce", "expression": "A", "reducer": "sum", "settings": ["mode": "replaceNN"]],
            "setting replaceWithValue must be specified when mode is 'replaceNN'"
        ),
        (
            [
                "type": "reduce", "expression": "A", "reducer": "sum",
                "settings": ["mode": "replaceNN", "replaceWithValue": "x"],
            ], "setting replaceWithValue must be a number, got \"x\""
        ),
        (["type": "resample", "expression": "A"], "no time duration specified for the window in resample command"),
        (
            ["type": "resample", "expression": "A", "window": "10s"],
            "no downsampler function specified in resample command"
        ),
        (
            ["type": "resample", "expression": "A", "window": "10s", "downsampler": "sum"],
            "no upsampler specified in resample command"
        ),
        (
            ["type": "resample", "expression": "A", "window": "10s", "downsampler": "x", "upsampler": "pad"],
            "downsampling x not implemented"
        ),
        (
            ["type": "resample", "expression": "A", "window": "10s", "downsampler": "count", "upsampler": "pad"],
            "downsampling count not implemented"
        ),
        (
            ["type": "resample", "expression": "A", "window": "10s", "downsampler": "sum", "upsampler": "x"],
            "upsampling x not implemented"
        ),
        (
            ["type": "resample", "expression": "A", "window": "x"],
            "failed to parse resample \"window\" duration field \"x\": write 10s, 5m or 1h30m"
        ),
        (
            ["type": "resample", "expression": "A", "window": "0s"],
            "failed to parse resample \"window\" duration field \"0s\": write 10s, 5m or 1h30m"
        ),
        (["type": "math"], "command is missing an expression"),
        (["type": "sql", "expression": " "], "command is missing an expression"),
        (
            ["type": "sql", "expression": "SELECT 1", "format": "x"],
            "sql format 'x' is not supported; leave it out or use alerting"
        ),
    ]

    @Test(arguments: 0..<wrongModels.count)
    func wrongModelRefusesTheRequest(index: Int) {
        let (model, message) = Self.wrongModels[index]

        #expect(throws: ExpressionError(.parse, "failed to parse expression 'R': \(message)")) {
            try TestRequest.run(model, a: [])
        }
    }

    // MARK: Resampling

    private func resample(
        _ window: String, _ down: String, _ up: String, _ frames: [DataFrame], from: Int64 = 0, to: Int64 = 10
    ) throws -> ExpressionPlan.Outcome {
        try TestRequest.run(
            [
                "type": "resample", "expression": "A", "window": .string(window), "downsampler": .string(down),
                "upsampler": .string(up),
            ], a: frames, from: from, to: to)
    }

    static let samples: [(String, String, [Double?])] = [
        // Points at 2, 7, 9, 10; steps at 0, 2, 4, 6, 8, 10.
        ("sum", "pad", [nil, 1, 1, 1, 2, 7]), ("mean", "pad", [nil, 1, 1, 1, 2, 3.5]),
        ("min", "pad", [nil, 1, 1, 1, 2, 3]),
        ("max", "fillna", [nil, 1, nil, nil, 2, 4]), ("last", "backfilling", [1, 1, 2, 2, 2, 4]),
    ]

    @Test(arguments: samples)
    func samplersFillTheGrid(down: String, up: String, expected: [Double?]) throws {
        let series = seriesFrame([1, 2, 3, 4], labels: ["h": "a"], at: [2, 7, 9, 10])

        let outcome = try resample("2s", down, up, [series])

        #expect(outcome.frames.first?.seconds == [0, 2, 4, 6, 8, 10])
        #expect(outcome.frames.first?.values == expected)
        #expect(outcome.frames.first?.labels == ["h": "a"])
    }

    @Test func earlierPointsBelongToTheFirstStepAndLaterOnesToNone() throws {
        let outcome = try resample("5s", "sum", "backfilling", [seriesFrame([1, 2, 4, 8], at: [-5, 0, 3, 12])])

        #expect(outcome.frames.first?.values == [3, 4, 8])
    }

    @Test func nullsSpoilAStepOfSeveralPoints() throws {
        let outcome = try resample("5s", "max", "pad", [seriesFrame([1, nil, 4, nil], at: [1, 2, 7, 12])])

        #expect(same(outcome.frames.first?.values ?? [], [nil, .nan, 4]))
    }

    @Test func padTakesTheLastValueEvenIfItIsNull() throws {
        let outcome = try resample("5s", "max", "pad", [seriesFrame([1, nil], at: [-2, -1])])

        #expect(same(outcome.frames.first?.values ?? [], [.nan, nil, nil]))
    }

    @Test func theEndIsPartOfTheGridOnlyWhenAStepHitsIt() throws {
        let outcome = try resample("3s", "sum", "fillna", [seriesFrame([1], at: [1])])

        #expect(outcome.frames.first?.seconds == [0, 3, 6, 9])
    }

    @Test func resamplingNeedsSeriesAndRange() throws {
        #expect(
            try resample("1m", "sum", "pad", [seriesFrame([1])]).error?.message
                == "the series cannot be sampled further; the time range is shorter than the interval")
        #expect(
            try resample("1s", "sum", "pad", [numberFrame(1)]).error?.message
                == "can only resample type series, got type numberSet")
        #expect(try resample("1s", "sum", "pad", []).frames.map(\.name) == ["no data"])
        #expect(try resample("1ns", "sum", "pad", [seriesFrame([1])]).error?.code == .limit)
    }

    @Test(
        arguments: [
            ("10s", 10_000_000_000), ("1h30m", 5_400_000_000_000), ("500ms", 500_000_000), ("1.5s", 1_500_000_000),
            ("1d", 86_400_000_000_000), ("2w", 1_209_600_000_000_000), ("1M", 2_629_800_000_000_000),
            ("1y", 31_557_600_000_000_000), ("5us", 5000), ("7ns", 7), ("", nil), ("10", nil), ("x", nil), ("1x", nil),
            ("1d2h", nil), ("9999y", nil), ("1.2.3s", nil),
        ] as [(String, Int64?)])
    func durationIsRead(text: String, nanoseconds: Int64?) {
        #expect(GrafanaDuration.nanoseconds(text) == nanoseconds)
    }

    // MARK: Memory

    /// Each of the expressions would fit alone.
    @Test func theResultsOfARequestShareOneLimit() throws {
        var request = TestRequest()
        request.limits.resultBytes = 1 << 20
        (request.from, request.to) = (0, 20)
        request.source("A", [seriesFrame([1])])
        for index in 0..<10 {
            request.expression(
                "R\(index)",
                ["type": "resample", "expression": "A", "window": "1ms", "downsampler": "last", "upsampler": "pad"])
        }

        let outcomes = try request.run()

        let failed = (0..<10).filter { outcomes["R\($0)"]?.error?.code == .limit }
        #expect(failed == Array(3..<10))
        #expect(outcomes["R9"]?.error?.message.contains("resampling 1 series to 20001 points each") == true)
    }

    /// What is hidden makes room as soon as nothing needs it.
    @Test func hiddenResultsMakeRoom() throws {
        var request = TestRequest()
        request.limits.resultBytes = 1 << 20
        (request.from, request.to) = (0, 20)
        request.source("A", [seriesFrame([1])])
        for index in 0..<10 {
            request.expression(
                "R\(index)",
                ["type": "resample", "expression": "A", "window": "1ms", "downsampler": "last", "upsampler": "pad"],
                isHidden: true)
            request.expression("S\(index)", ["type": "reduce", "expression": "R\(index)", "reducer": "sum"])
        }
        request.expression("unused", ["type": "math", "expression": "$A + 1"], isHidden: true)

        let outcomes = try request.run()

        // In the order of the request, each is reduced before the next is made.
        #expect(outcomes.count == 11)
        #expect((0..<10).allSatisfy { outcomes["S\($0)"]?.frames.first?.values == [20001] })
    }

    /// What a formula holds on the way counts as well.
    @Test func operandsOfAFormulaCount() throws {
        var limits = ExpressionLimits()
        limits.resultBytes = 1 << 20
        let series = [seriesFrame([Double?](repeating: 1, count: 20_000))]
        let deep = (1...8).map { "($A * \($0))" }.reduce("0") { "(\($1) + \($0))" }
        let flat = (1...8).map { "($A * \($0))" }.joined(separator: " + ")

        let wide = try TestRequest.run(["type": "math", "expression": .string(deep)], a: series, limits: limits)
        let narrow = try TestRequest.run(["type": "math", "expression": .string(flat)], a: series, limits: limits)

        #expect(wide.error?.code == .limit, "\(wide)")
        #expect(narrow.error == nil && narrow.frames.first?.values.first == 36)
    }

    /// Bits are calculated with as numbers of 64 bits.
    @Test func answersWithTooManyValuesAreRefused() throws {
        var limits = ExpressionLimits()
        limits.inputBytes = 8 * 1000
        let flags = DataFrame(
            meta: FrameMeta(type: "timeseries-wide"),
            fields: [
                Field("t", times((0..<600).map { Int64($0) })), Field("up", [Bool](repeating: true, count: 600)),
            ])
        var request = TestRequest()
        request.limits = limits
        request.source("A", [flags])
        request.expression("R", ["type": "math", "expression": "$A + 1"])

        let outcomes = try request.run()

        #expect(outcomes["A"]?.error?.message.contains("too many values to calculate with") == true)
        #expect(outcomes["R"]?.error?.code == .dependency)
    }

    /// A remark that the plugin put onto its frame stays.
    @Test func remarksOnFramesAreKept() throws {
        var frame = seriesFrame([1])
        frame.meta?.notices = [Notice(severity: .warning, text: "half of it")]
        var request = TestRequest()
        request.source("A", [frame])
        request.notices("A", [Notice(text: "slow")])
        request.expression("R", ["type": "math", "expression": "$A + 1"])

        let outcomes = try request.run()

        #expect(outcomes["A"]?.frames.first?.meta?.notices.map(\.text) == ["slow", "half of it"])
    }
}
