// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Commands

struct TimeTextTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59.999999999Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00Z"), (1_709_251_199_000_000_000, "2024-02-29T23:59:59Z"),
        (Int64.max, "2262-04-11T23:47:16.854775807Z"), (Int64.min, "1677-09-21T00:12:43.145224192Z"),
    ])
    func isoTimesAreUTC(_ nanoseconds: Int64, _ text: String) {
        #expect(TimeText(nanoseconds: nanoseconds).iso == text)
    }
}

struct TimeAmountTests {
    @Test(arguments: [
        ("15", "15s", 15_000), ("15s", "15s", 15_000), ("500ms", "500ms", 500), ("2h", "2h", 7_200_000),
        ("1M", "1M", 2_592_000_000),
    ])
    func amountsHaveUnits(_ argument: String, _ text: String, _ milliseconds: Int64) {
        #expect(TimeAmount(argument: argument) == TimeAmount(text: text, milliseconds: milliseconds))
    }

    @Test(arguments: ["", "0", "0s", "-5s", "s", "5x", "1h30m", "9999999999s", "999999999y", "٣s"])
    func otherTextsAreRefused(_ argument: String) {
        #expect(TimeAmount(argument: argument) == nil)
    }

    @Test(arguments: [("now", 0), ("now-5m", 300_000), ("now-1d/d", nil), ("now/d", nil), ("1700000000000", nil)])
    func simpleTimesAreKnownBeforeTheServerIs(_ expression: String, _ expected: Int64?) {
        #expect(TimeAmount.beforeNow(expression) == expected)
    }
}

struct CellTextTests {
    @Test(arguments: [
        (55.82861564647461, "55.8286"), (-0.000_123_456_789, "-0.000123457"), (123_456_789, "123457000"), (0, "0"),
        (4, "4"), (1e308, "1e+308"), (.nan, "NaN"), (.leastNonzeroMagnitude, "5e-324"),
    ])
    func aBriefNumberHasSixDigits(_ value: Double, _ text: String) {
        #expect(CellText.brief(value) == text)
    }
}

struct TerminalTextTests {
    @Test(arguments: [("abc", 3), ("漢字", 4), ("e\u{301}", 1), ("🙂", 2), ("\u{200B}", 0)])
    func widthIsThatOfTheTerminal(_ text: String, _ width: Int) {
        #expect(TerminalText.width(text) == width)
    }

    @Test func longTextsAreShortened() {
        #expect(TerminalText.shortened("abcdef", to: 4) == "abc…")
        #expect(TerminalText.shortened("abcd", to: 4) == "abcd")
        #expect(TerminalText.shortened("漢字漢字", to: 4) == "漢…")
    }

    @Test func linesKeepTheirLineFeedsOnly() {
        #expect(TerminalText.lines("a\nb\r\u{9B}") == "a\nb\\r\\u{9b}")
        #expect(TerminalText.line("a\nb\tc") == "a\\nb\\tc")
    }
}

struct LineInputTests {
    private func typed(_ bytes: [UInt8], isTerminal: Bool = true) throws -> String {
        var rest = bytes[...]
        return try LineInput.line(at: { rest.popFirst() }, limit: 16, isTerminal: isTerminal)
    }

    @Test func theLineEndsAtItsEnd() throws {
        #expect(try typed(Array("pass\nrest".utf8)) == "pass")
        #expect(try typed(Array("pass\r".utf8)) == "pass")
        #expect(try typed(Array("pass\r\n".utf8), isTerminal: false) == "pass")
    }

    @Test func keysEdit() throws {
        #expect(try typed(Array("paß".utf8) + [0x7F] + Array("ss\n".utf8)) == "pass")
        #expect(try typed(Array("wrong".utf8) + [0x15] + Array("pass\n".utf8)) == "pass")
        #expect(try typed([0x7F] + Array("pass\n".utf8)) == "pass")
    }

    @Test(arguments: [
        ([0x61, 0x03], Commands.ExitStatus.interrupted), ([], .inputOutput), ([0x0A], .inputOutput),
        ([0xFF, 0x0A], .usage),
        (Array(repeating: 0x61, count: 17), .usage),
    ])
    func otherInputIsRefused(_ bytes: [UInt8], _ status: Commands.ExitStatus) {
        let failure = #expect(throws: CommandFailure.self) { try typed(bytes) }
        #expect(failure?.status == status)
    }
}
