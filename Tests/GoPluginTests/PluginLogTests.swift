// SPDX-License-Identifier: Apache-2.0
@testable import GoPlugin
import Testing

struct PluginLogTests {
    @Test(arguments: Fixtures.handshakes)
    func recordedLinesKeepTheirStructure(_ recorded: Fixtures.Handshake) throws {
        var parser = PluginLogParser()
        let text = try #require(recorded.stderr.first)
        let line = parser.line(text)

        #expect(line.level == .debug)
        #expect(line.message == "Serving plugin")
        #expect(line.fields.map(\.key) == ["plugins"])
        #expect(line.fields.first?.value.contains("\"stream\"") == true)
    }

    @Test func levelsAndValuesAreRead() {
        var parser = PluginLogParser()
        let line = parser.line(
            #"{"@level":"warn","@message":"slow","@timestamp":"2026-11-21T02:21:01.256781+02:00","@module":"m","n":1.5,"timestamp":"x"}"#
        )

        #expect(
            line
                == PluginLogLine(
                    level: .warn, message: "slow",
                    fields: [.init(key: "@module", value: "m"), .init(key: "n", value: "1.5")]))
    }

    @Test(arguments: [
        #"{"@level":"loud","@message":"m"}"#, #"{"@level":"info","@message":"m","@timestamp":"yesterday"}"#,
        #"{"@level":"info""#, "{}", "[1]", "plain",
    ])
    func whatHasNoUsableLevelIsDebugText(_ text: String) {
        var parser = PluginLogParser()

        let line = parser.line(text)
        #expect(line == PluginLogLine(level: .debug, message: text))
    }

    @Test func prefixesAndPanicsSetTheLevel() {
        var parser = PluginLogParser()

        let lines = [
            "[WARN] careful", "panic: index out of range", "goroutine 1 [running]:", "[DEBUG] tagged", "\tmain.go:12",
        ]
        let levels = lines.map { parser.line($0).level }
        #expect(levels == [.warn, .error, .error, .debug, .error])
    }

    @Test func longLinesComeInPieces() {
        var splitter = LineSplitter()
        let long = [UInt8](repeating: 65, count: LineSplitter.limit + 10)
        let lines = splitter.received(long + Array("\nnext\n".utf8))

        #expect(lines.map(\.text.utf8.count) == [LineSplitter.limit, 10, 4])
        #expect(lines.map(\.isPart) == [true, true, false])
        let rest = splitter.ended()
        #expect(rest == nil)
    }

    @Test func aLastLineWithoutANewlineIsNotLost() {
        var splitter = LineSplitter()

        let first = splitter.received(Array("one\r\ntw".utf8))
        let second = splitter.received(Array("o".utf8))
        let rest = splitter.ended()
        #expect(first == [.init(text: "one", isPart: false)])
        #expect(second == [])
        #expect(rest == .init(text: "two", isPart: false))
    }
}
