// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct LokiAnswerTests {
    @Test func recordedAnswersAreThere() {
        #expect(LokiFixtures.good.count == 32)
        #expect(LokiFixtures.errors.count >= 16)
    }

    /// Frame by frame, key by key and value by value what a program in another language makes of the same bytes.
    @Test func recordedAnswersBecomeTheExpectedFrames() async throws {
        let expected = try await LokiFixtures.expectedFrames()

        for answer in LokiFixtures.good {
            for (shape, isDataplane) in [("classic", false), ("dataplane", true)] {
                let frames = try LokiAnswerReader.read(answer.body, query: answer.query, dataplane: isDataplane).frames
                let wanted = expected[answer.name]?[shape]?.array ?? [.null]
                let found = try frames.map { try JSONValue(parsing: $0.json()) }
                #expect(found.count == wanted.count, "\(answer.name)")
                for (found, wanted) in zip(found, wanted) {
                    #expect(found == wanted, "\(answer.name) \(shape): \(firstDifference(found, wanted))")
                }
            }
        }
    }

    /// Where two values differ first, for a message that can be read.
    private func firstDifference(_ found: JSONValue, _ wanted: JSONValue, at path: String = "") -> String {
        if let left = found.object, let right = wanted.object {
            for key in Set(left.keys).union(right.keys).sorted() where left[key] != right[key] {
                return firstDifference(left[key] ?? .null, right[key] ?? .null, at: "\(path).\(key)")
            }
        }
        if let left = found.array, let right = wanted.array {
            for (index, pair) in zip(left, right).enumerated() where pair.0 != pair.1 {
                return firstDifference(pair.0, pair.1, at: "\(path)[\(index)]")
            }
        }
        return "\(path): \(found.encoded().prefix(300)) instead of \(wanted.encoded().prefix(300))"
    }

    @Test(arguments: LokiFixtures.good)
    func piecesOfAnySizeGiveTheSame(answer: RecordedQuery) throws {
        let whole = try LokiAnswerReader.read(answer.body, query: answer.query).frames
        let sizes = answer.body.count > 100_000 ? [4096, 65_536] : [1, 7, 4096]

        for size in sizes {
            #expect(try LokiAnswerReader.read(answer.body, pieceSize: size, query: answer.query).frames == whole)
        }
    }

    /// Values that Grafana's own test data has.
    @Test func lineIdentitiesAreGrafanas() throws {
        let labels = #"{"code":"one\",","location":"moon🌙"}"#
        let values = #"["1645030244810757120","log line error 1"],["1645030244810757120","log line error 1"]"#

        let frame = try LokiAnswerReader.read(streamsAnswer(values, labels: labels)).frames[0]

        let ids = try #require(frame.field(named: "id")?.column)
        #expect(ids.string(at: 0) == "1645030244810757120_1d8c2178")
        #expect(ids.string(at: 1) == "1645030244810757120_1d8c2178_1")
    }

    @Test func nanosecondsAreExact() throws {
        let values = #"["9223372036854775807","last"],["-1","before"],["1795226206109368609","now"]"#

        let frame = try LokiAnswerReader.read(streamsAnswer(values)).frames[0]

        let times = try #require(frame.field(named: "Time")?.column)
        #expect((0..<3).map { times[$0, as: Timestamp.self]?.nanoseconds } == [.max, -1, 1_795_226_206_109_368_609])
        #expect(frame.field(named: "tsNs")?.column.string(at: 2) == "1795226206109368609")
    }

    @Test func laterCategoriesWin() throws {
        let values = """
            ["1","x",{"structuredMetadata":{"a":"s","b":"s","c":"1"},"parsed":{"b":"p","c":"2","d":"é<"},"new":[1]}]
            """

        let frame = try LokiAnswerReader.read(streamsAnswer(values, labels: #"{"a":"i","z":"i"}"#)).frames[0]

        #expect(
            frame.field(named: "labels")?.column.string(at: 0) == #"{"a":"s","b":"p","c":"2","d":"é\u003c","z":"i"}"#)
        #expect(
            frame.field(named: "labelTypes")?.column.string(at: 0) == #"{"a":"S","b":"P","c":"P","d":"P","z":"I"}"#)
    }

    @Test(arguments: [
        ("", #"{a="1", a1="x\"y", b="2"}"#), ("{{a1}} of {{ b }}{{none}}", "x\"y of 2"), ("plain", "plain"),
    ])
    func legends(format: String, text: String) {
        // `a1` comes before `a`, as in Grafana, which sorts the pairs; the digit is less than the equals sign.
        let sorted = format.isEmpty ? #"{a1="x\"y", a="1", b="2"}"# : text
        #expect(LokiFrames.legend(["a": "1", "a1": "x\"y", "b": "2"], format: format) == sorted)
    }

    @Test func legendWithoutLabels() {
        #expect(LokiFrames.legend([:], format: "") == "{}")
    }

    @Test func warningsAreNotices() throws {
        let metric = #"{"status":"success","warnings":["w"],"data":{"resultType":"vector","result":[]}}"#
        let series = #"{"metric":{},"value":[1,"2"]}"#
        let late = #"{"status":"success","data":{"resultType":"vector","result":[\#(series)]},"warnings":["a","b"]}"#

        let alone = try LokiAnswerReader.read(metric)
        let beside = try LokiAnswerReader.read(late, pieceSize: 9)

        #expect(alone.notices == [Notice(severity: .warning, text: "w")])
        #expect(try alone.frames.map(\.name) == ["Warnings"])
        #expect(try alone.frames[0].fields.isEmpty)
        #expect(beside.notices.map(\.text) == ["a", "b"])
        #expect(try beside.frames.count == 1)
    }

    @Test func aFullAnswerSaysThatLinesMayBeMissing() throws {
        let answer = streamsAnswer(#"["1","a"],["2","b"]"#)

        let full = try LokiAnswerReader.read(answer, query: .sample(maxLines: 2))
        let partial = try LokiAnswerReader.read(answer, query: .sample(maxLines: 3))

        #expect(full.notices.map(\.severity) == [.info])
        #expect(full.notices[0].text.contains("2 lines"))
        #expect(partial.notices.isEmpty)
    }

    /// A large answer goes out in batches before it has come to its end, and only then without statistics.
    @Test func aLargeAnswerStreams() throws {
        let line = String(repeating: "x", count: 200)
        let values = (0..<60_000).map { #"["\#($0)","\#(line)"]"# }.joined(separator: ",")
        let body = Array(streamsAnswer(values, more: #","stats":{"summary":{}}"#).utf8)
        var firstAt: Int?

        let answer = try LokiAnswerReader.read(body, pieceSize: 65_536) { delivery, position in
            if firstAt == nil, !delivery.parts.isEmpty { firstAt = position }
        }

        let frame = try answer.frames[0]
        #expect(try answer.frames.count == 1 && frame.rowCount == 60_000)
        #expect(try #require(firstAt) < body.count * 3 / 4)
        #expect(frame.meta?.stats.isEmpty == true && answer.notices.count == 1)
        let last = frame.field(named: "tsNs")?.column.string(at: 59_999)
        #expect(last == "59999")
    }

    /// The rows of a batch are whole, wherever the bytes of the piece are full.
    @Test func batchesEndWithALine() throws {
        let sizes = [1, 70_000, 300, 2_000_000, 5, 900_000]
        let values = (0..<60).map { #"["\#($0)","\#(String(repeating: "x", count: sizes[$0 % sizes.count]))"]"# }

        let answer = try LokiAnswerReader.read(Array(streamsAnswer(values.joined(separator: ",")).utf8)) {
            delivery, _ in
            for part in delivery.parts {
                switch part {
                case .open(let frame), .rows(let frame), .frame(let frame):
                    #expect(Set(frame.fields.map(\.column.count)).count == 1)
                }
            }
        }

        #expect(answer.parts.count > 3)
        #expect(try answer.frames[0].rowCount == 60)
    }

    /// A gateway that sorts keys puts the type behind all data: large answers are read all the same.
    @Test(.timeLimit(.minutes(5)), arguments: [LokiEnvelope.ResultType.matrix, .vector, .streams])
    func aLargeAnswerMayNameItsTypeAtTheEnd(type: LokiEnvelope.ResultType) throws {
        let points = (0..<1000).map { #"[\#($0),"1"]"# }.joined(separator: ",")
        let lines = (0..<1000).map { #"["\#($0)","x"]"# }.joined(separator: ",")
        let label = String(repeating: "x", count: 10_000)
        let entry =
            switch type {
            case .matrix, .scalar: #"{"metric":{"a":"\#(label)"},"values":[\#(points)]}"#
            case .vector: #"{"metric":{"a":"\#(label)"},"value":[1,"2"]}"#
            case .streams: #"{"stream":{"a":"\#(label)"},"values":[\#(lines)]}"#
            }
        let count = type == .streams ? 2 : 1000
        let result = Array(repeating: entry, count: count).joined(separator: ",")
        let body = #"{"data":{"result":[\#(result)],"resultType":"\#(type.rawValue)"},"status":"success"}"#

        let frames = try LokiAnswerReader.read(Array(body.utf8), pieceSize: 65_536).frames

        #expect(frames.count == (type == .streams ? 1 : count))
        #expect(frames.reduce(0) { $0 + $1.rowCount } == (type == .vector ? count : count * 1000))
        let wanted = [LokiEnvelope.ResultType.matrix: "timeseries-multi", .vector: "numeric-multi"][type]
        #expect(frames.allSatisfy { $0.meta?.type == wanted })
    }

    /// What does not fit the declared type is refused before it is collected.
    @Test(.timeLimit(.minutes(5))) func aLargeAnswerOfTheWrongKindIsRefused() {
        let lines = (0..<100_000).map { #"["\#($0)","\#(String(repeating: "x", count: 100))"]"# }.joined(separator: ",")
        let body = #"{"status":"success","data":{"resultType":"matrix","result":[{"stream":{},"values":[\#(lines)]}]}}"#

        let error = #expect(throws: PluginError.self) { try LokiAnswerReader.read(Array(body.utf8), pieceSize: 65_536) }

        #expect(error?.code == .badData && error?.message.contains("contradicts itself") == true)
    }

    /// The names of lines are remembered for a while, not for ever.
    @Test func identitiesTakeBoundedMemory() {
        var identities = LogLineIdentities()
        let size = UInt32(LogLineIdentities.generationSize)

        let first = identities.next(time: Timestamp(nanoseconds: 1), hash: 0)
        for hash in 1..<size { _ = identities.next(time: Timestamp(nanoseconds: 1), hash: hash) }
        let again = identities.next(time: Timestamp(nanoseconds: 1), hash: 0)
        for hash in size..<(3 * size) { _ = identities.next(time: Timestamp(nanoseconds: 1), hash: hash) }
        let late = identities.next(time: Timestamp(nanoseconds: 1), hash: 0)

        #expect([first, again, late] == ["1_0", "1_0_1", "1_0"])
    }

    /// Labels are repeated for each line: a small body can ask for much memory, which goes out in batches.
    @Test func manyLinesOfAStreamWithLargeLabelsStayInBatches() throws {
        let labels = #"{"a":"\#(String(repeating: "x", count: 100_000))"}"#
        let values = (0..<500).map { #"["\#($0)",""]"# }.joined(separator: ",")
        var largest = 0

        let answer = try LokiAnswerReader.read(Array(streamsAnswer(values, labels: labels).utf8)) { delivery, _ in
            for case .rows(let rows) in delivery.parts {
                largest = max(largest, rows.fields.reduce(0) { $0 + $1.column.values.byteCount })
            }
        }

        #expect(try answer.frames[0].rowCount == 500)
        #expect(largest < 4 << 20)
    }

    @Test func scalarTimesAreRead() throws {
        let scalar = #"{"status":"success","data":{"resultType":"scalar","result":[1795227489419,"2"]}}"#
        let seconds = #"{"status":"success","data":{"resultType":"scalar","result":[1795227489.419,"NaN"]}}"#

        for (body, isNaN) in [(scalar, false), (seconds, true)] {
            let frame = try LokiAnswerReader.read(body, query: .sample(kind: .instant)).frames[0]
            #expect(frame.fields[0].column[0, as: Timestamp.self]?.milliseconds == 1_795_227_489_419)
            #expect((frame.fields[1].column[0, as: Double.self]?.isNaN == true) == isNaN)
        }
    }

    @Test(arguments: LokiFixtures.errors)
    func recordedErrorsAreToldInTheirWords(answer: RecordedQuery) {
        let error = UpstreamStatus.lokiError(status: answer.status, body: answer.body)

        var words = String(decoding: answer.body, as: UTF8.self)[...]
        if answer.name == "format_query_bad" {
            // The one error that is JSON.
            words = "parse error at line 1, col 6: syntax error: unexpected $end, expecting STRING"
        }
        while words.last == "\n" { words.removeLast() }
        #expect(error.message == words)
        #expect(error.source == .downstream && error.httpStatus == answer.status)
    }
}
