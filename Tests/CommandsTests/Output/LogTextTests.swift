// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Commands

struct LogTextTests {
    private func frame(_ rows: [(Int64, String, String)], isContract: Bool = false) -> DataFrame {
        var meta = FrameMeta()
        if isContract { meta.type = "log-lines" } else { meta.custom = ["frameType": "LabeledTimeValues"] }
        return DataFrame(
            meta: meta,
            fields: [
                Field("labels", rows.map { JSONText($0.1) }),
                Field(isContract ? "timestamp" : "Time", rows.map { Timestamp(nanoseconds: $0.0) }),
                Field(isContract ? "body" : "Line", rows.map(\.2)),
            ])
    }

    @Test(arguments: [false, true])
    func linesStandBelowEachOtherWithTheNewestLast(isContract: Bool) throws {
        let text = try #require(
            LogText([
                frame(
                    [
                        (1_700_000_001_000_000_002, #"{"detected_level":"error"}"#, "two"),
                        (1_700_000_000_000_000_000, #"{"level":"info"}"#, "one"),
                    ], isContract: isContract),
                frame([(1_700_000_002_500_000_000, "{}", "three")], isContract: isContract),
            ]))

        #expect(
            text.text(newest: 3) == """
                2023-11-14T22:13:20.000000000Z  info   one
                2023-11-14T22:13:21.000000002Z  error  two
                2023-11-14T22:13:22.500000000Z         three

                """)
        #expect(text.text(newest: 1) == "2023-11-14T22:13:22.500000000Z  three\n")
        #expect(text.count == 3)
    }

    @Test func linesCannotSteerTheTerminal() throws {
        let text = try #require(LogText([frame([(0, #"{"level":"\u001b[31m"}"#, "a\u{1B}[2Jb\nc")])]))

        #expect(text.text(newest: 1) == "1970-01-01T00:00:00.000000000Z  \\u{1b}[31m  a\\u{1b}[2Jb\\nc\n")
    }

    @Test func otherFramesAreNoLines() {
        #expect(LogText([]) == nil)
        #expect(
            LogText([DataFrame(fields: [Field("Time", [Timestamp(nanoseconds: 0)]), Field("Value", [1.0])])]) == nil)
        #expect(LogText([frame([(0, "{}", "x")]), DataFrame(fields: [Field("v", [1.0])])]) == nil)
    }
}
