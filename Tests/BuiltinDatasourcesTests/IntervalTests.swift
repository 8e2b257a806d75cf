// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct IntervalTests {
    private static let vectors = try? Fixtures.json("sdk/intervals.json")
    private static let parsed = vectors?["parse"]?.array ?? []
    private static let rounded = vectors?["roundAndFormat"]?.array ?? []
    /// When the vectors were made: 2026-11-21, in seconds since 1970.
    private static let then: Int64 = 1_795_219_200

    @Test func vectorsAreThere() {
        #expect(Self.parsed.count == 30)
        #expect(Self.rounded.count == 73)
    }

    @Test(arguments: parsed)
    func textsAreReadAsGrafanaDoes(vector: JSONValue) throws {
        let text = try #require(vector["input"]?.string)

        try check(vector, "parseDuration") { try Interval(parsing: text) }
        try check(vector, "intervalString") { try Interval(parsingIntervalString: text) }
        try check(vector, "parseInterval") { try Interval(parsing: text, from: Self.then) }
    }

    private func check(_ vector: JSONValue, _ name: String, _ read: () throws -> Interval) throws {
        let message = try #require(vector["\(name)Error"]?.string)
        let nanoseconds = try #require(vector["\(name)Ns"]?.int)
        guard message.isEmpty else {
            #expect(throws: IntervalError(message)) { try read() }
            return
        }
        #expect(try read().nanoseconds == Int64(nanoseconds), "\(name) of \(vector["input"]?.string ?? "")")
    }

    @Test(arguments: rounded)
    func intervalsAreRoundedAndWrittenAsGrafanaDoes(vector: JSONValue) throws {
        let interval = Interval(milliseconds: Int64(try #require(vector["ms"]?.int)))

        #expect(interval.rounded.milliseconds == Int64(try #require(vector["roundIntervalMs"]?.int)))
        #expect(interval.text == vector["formatInterval"]?.string)
    }

    @Test(arguments: [
        (0, "0s"), (1, "1ns"), (1500, "1.5µs"), (500_000_000, "500ms"), (15_000_000_000, "15s"),
        (1_500_000_000, "1.5s"), (60_000_000_000, "1m0s"), (90_000_000_000, "1m30s"), (3_600_000_000_000, "1h0m0s"),
        (-1_000_000_000, "-1s"), (Int64.min, "-2562047h47m16.854775808s"),
    ])
    func durationsAreWrittenAsGoDoes(nanoseconds: Int64, text: String) {
        #expect(Interval(nanoseconds: nanoseconds).goText == text)
    }

    @Test func leapDayOverflowsIntoMarch() throws {
        let january31: Int64 = 1_769_817_600  // 2026

        #expect(try Interval(parsing: "1M", from: january31) == .day * 31)
    }

    @Test(arguments: ["99999999999999999999y", "99999999999999999999h", "1e5s", "1..5s", ".s", "1m x", "M"])
    func hostileTextsAreErrors(text: String) {
        #expect(throws: IntervalError.self) { try Interval(parsing: text) }
    }

    @Test func hugeCountsStopAtTheEnd() throws {
        #expect(try Interval(parsing: "9223372036854775807y").nanoseconds == .max)
        #expect((Interval(milliseconds: .max) + .day).nanoseconds == .max)
    }
}
