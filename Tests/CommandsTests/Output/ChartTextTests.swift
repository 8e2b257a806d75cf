// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Commands

struct ChartTextTests {
    private static let start: Int64 = 1_700_000_000_000

    private func series(_ name: String, _ values: [Double?]) -> ChartSeries {
        ChartSeries(
            name: name, times: values.indices.map { (Self.start + Int64($0) * 60_000) * 1_000_000 }, values: values)
    }

    @Test func oneSeriesIsALineOfDots() {
        let chart = ChartText(width: 44, usesColor: false, height: 4)

        let text = chart.text(of: [series("up{job=\"node\"}", [0, 1, 2, 3, 4, nil, 4, 2, 0])])

        #expect(text == Self.line)
    }

    @Test func withoutColourEachOfManySeriesHasItsMark() {
        let chart = ChartText(width: 44, usesColor: false, height: 4)

        let text = chart.text(of: [series("a", [0, 1000]), series("b", [1000, 0])])

        #expect(text == Self.cross)
    }

    @Test func coloursAreEndedOnEachLine() throws {
        let chart = ChartText(width: 40, usesColor: true, height: 3)

        let text = try #require(chart.text(of: [series("a", [0, 1]), series("b", [1, 0])]))

        #expect(text.contains("\u{1B}[36m■\u{1B}[0m a"))
        #expect(text.contains("\u{1B}[33m■\u{1B}[0m b"))
        for line in text.split(separator: "\n") {
            #expect(
                line.split(separator: "\u{1B}").filter { $0.hasPrefix("[0m") }.count * 2
                    == line.split(separator: "\u{1B}", omittingEmptySubsequences: false).count - 1)
        }
    }

    @Test(arguments: [[nil], [.nan], [.infinity, nil], []] as [[Double?]])
    func seriesWithoutNumbersAreNoChart(_ values: [Double?]) {
        #expect(ChartText(width: 80, usesColor: false).text(of: [series("a", values)]) == nil)
    }

    @Test(arguments: [
        [5.0], [0, 0], [1e308, -1e308], [.leastNonzeroMagnitude, 0], [1e-9, 2e-9], [.infinity, 1, .nan],
        [1e15, 1e15 + 1], [-7],
    ])
    func anyNumbersCanBeDrawn(_ values: [Double]) throws {
        let text = try #require(ChartText(width: 60, usesColor: false).text(of: [series("a", values)]))

        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count == 16 + 5)
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test(arguments: [[Int64.min, .max], [.max], [.min], [0, 1]])
    func anyTimesCanBeDrawn(_ times: [Int64]) {
        let series = ChartSeries(name: "a", times: times, values: times.map { _ in 1 })

        #expect(ChartText(width: 60, usesColor: false).text(of: [series]) != nil)
    }

    @Test func seriesComeFromAllNumberColumns() {
        let frame = DataFrame(
            name: "f",
            fields: [
                Field("t", [Timestamp(milliseconds: 1), nil]), Field("a", [Int64(1), 2]), Field("b", [0.5, 1.5]),
                Field("s", ["x", "y"]),
            ])

        let series = ChartSeries.all(of: [frame, DataFrame(fields: [Field("n", [1.0])])])

        #expect(series.map(\.name) == ["a", "b"])
        #expect(series.map(\.times) == [[1_000_000], [1_000_000]])
        #expect(series.map(\.values) == [[1], [0.5]])
    }
}

struct ValueScaleTests {
    @Test(
        arguments: [
            (0, 10, 5, [0, 2, 4, 6, 8, 10]), (0.1, 0.9, 4, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-1, 1, 2, [-1, 0, 1]),
            (97, 103, 3, [96, 98, 100, 102, 104]),
        ] as [(Double, Double, Int, [Double])])
    func ticksAreRoundNumbers(_ low: Double, _ high: Double, _ count: Int, _ expected: [Double]) {
        let ticks = ValueScale(low: low, high: high, count: count).ticks

        #expect(ticks.count == expected.count)
        #expect(zip(ticks, expected).allSatisfy { abs($0 - $1) < 1e-9 })
    }

    @Test(
        arguments: [
            (0, 10, 5, "10"), (0, 1, 5, "1.0"), (0, 1_000_000, 4, "1000k"), (0, 50_000_000, 5, "50M"),
            (0, 0.002, 4, "0.0020"),
            (-2, -1, 2, "-1.0"),
        ] as [(Double, Double, Int, String)])
    func labelsHaveTheDigitsThatTheStepNeeds(_ low: Double, _ high: Double, _ count: Int, _ expected: String) {
        let scale = ValueScale(low: low, high: high, count: count)

        #expect(scale.label(high) == expected)
    }
}

struct TimeScaleTests {
    @Test(arguments: [
        (3600, 80, ["22:20", "22:30", "22:40", "22:50", "23:00", "23:10"]), (60, 60, ["22:13:30", "22:14:00"]),
        (86_400, 60, ["11-15 00:00", "11-15 12:00"]), (40 * 86_400, 60, ["2023-11-19", "2023-12-19"]), (3600, 4, []),
    ])
    func ticksAreRoundTimes(_ seconds: Int64, _ columns: Int, _ expected: [String]) {
        let first: Int64 = 1_700_000_000 * 1_000_000_000
        let scale = TimeScale(first: first, last: first + seconds * 1_000_000_000)

        #expect(scale.ticks(columns: columns).map(\.label) == expected)
    }
}
