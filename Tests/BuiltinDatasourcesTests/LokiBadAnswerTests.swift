// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct LokiBadAnswerTests {
    private static let samples = LokiFixtures.good.filter {
        ["range_edge_categorized", "range_streams_forward", "range_matrix_bytes", "instant_scalar"].contains($0.name)
    }

    @Test(arguments: samples)
    func cutAnswerIsAnError(answer: RecordedQuery) {
        let end = answer.body.lastIndex(of: UInt8(ascii: "}")) ?? 0
        for length in stride(from: 0, to: end, by: max(1, end / 150)) {
            #expect(throws: PluginError.self, "cut after \(length) bytes") {
                try LokiAnswerReader.read(Array(answer.body[..<length]))
            }
        }
    }

    @Test(arguments: samples)
    func flippedBytesNeverTrapAndPiecesAgree(answer: RecordedQuery) throws {
        var random = SystemRandomNumberGenerator()
        for position in stride(from: 0, to: answer.body.count, by: max(1, answer.body.count / 100)) {
            var body = answer.body
            body[position] = UInt8.random(in: 0...255, using: &random)

            let whole = try? LokiAnswerReader.read(body).frames
            let pieces = try? LokiAnswerReader.read(body, pieceSize: 5).frames

            #expect(whole == pieces, "byte \(position) is \(body[position])")
        }
    }

    private static func streams(_ value: String) -> String { streamsAnswer(value) }

    private static func matrix(_ series: String) -> String {
        #"{"status":"success","data":{"resultType":"matrix","result":[\#(series)]}}"#
    }

    @Test(arguments: [
        ("", "is empty"),
        ("<html>", "is not valid JSON at byte 0: expected a value, found '<'; check that the URL"),
        ("[]", "the answer is an array, expected an object"),
        ("{}", "has no \"status\""),
        (#"{"status":"success"}"#, "has no \"resultType\""),
        (#"{"status":"success","data":{"resultType":"streams"}}"#, "has no \"result\""),
        (
            matrix(#"{"stream":{},"values":[["1","x"]]}"#),
            "contradicts itself: its result type is matrix, and a result is that of streams"
        ),
        (
            #"{"data":{"result":[{"metric":{},"values":[[1,"2"]]}],"resultType":"streams"}}"#,
            "contradicts itself: its result type is streams, and a result is that of matrix"
        ),
        (
            #"{"data":{"result":[{"metric":{},"value":[1,"2"]},{"stream":{},"values":[["1","x"]]}]}}"#,
            "contradicts itself: its result type is vector, and a result is that of streams"
        ),
        (
            #"{"data":{"resultType":"streams","result":[1,"2"]}}"#,
            "contradicts itself: its result type is streams, and a result is that of scalar"
        ),
        (
            #"{"data":{"resultType":"scalar","result":[{"metric":{},"value":[1,"2"]}]}}"#,
            "contradicts itself: its result type is scalar, and a result is that of vector"
        ),
        (#"{"status":"fine"}"#, "unknown status \"fine\""),
        (#"{"status":1}"#, "\"status\" in the answer is a number"),
        (#"{"status":"success","data":[]}"#, "\"data\" in the answer is an array, expected an object"),
        (#"{"status":"success","data":{"resultType":"cube"}}"#, "unknown result type: cube"),
        (#"{"status":"success","data":{"resultType":"streams","result":{}}}"#, "is an object, expected an array"),
        (matrix("[]"), "an array, expected an object"),
        (matrix(#""a""#), "a value that is not a number"),
        (matrix(#"{"metric":{"a":1}}"#), "\"a\" in the labels of a series is a number, expected a string"),
        (matrix(#"{"metric":{},"values":[[1]]}"#), "a sample that is not [time, value]"),
        (matrix(#"{"metric":{},"values":[["1","2"]]}"#), "a sample that is not [time, value]"),
        (matrix(#"{"metric":{},"values":[[1,"x"]]}"#), "a value that is not a number: \"x\""),
        (streams(#"1"#), "an element of \"values\" is a number"),
        (streams(#"null"#), "an element of \"values\" is null"),
        (streams(#"[]"#), "a log line that is not"),
        (streams(#"["1"]"#), "a log line that is not"),
        (streams(#"[1,"x"]"#), "a log line that is not"),
        (streams(#"["1","x","y"]"#), "a log line that is not"),
        (streams(#"["1",2]"#), "a log line that is not"),
        (streams(#"["1",null]"#), "a value is null"),
        (streams(#"["1","x",[]]"#), "a value is an array, expected an object"),
        (streams(#"["soon","x"]"#), "a line whose time is not in nanoseconds: \"soon\""),
        (streams(#"["1.5","x"]"#), "a line whose time is not in nanoseconds: \"1.5\""),
        (streams(#"["9223372036854775808","x"]"#), "a line whose time is not in nanoseconds"),
        (streams(#"["","x"]"#), "a line whose time is not in nanoseconds"),
        (streams(#"["1","x",{"parsed":{"a":1}}]"#), "\"a\" in parsed labels is a number, expected a string"),
        (streams(#"["1","x",{"structuredMetadata":[]}]"#), "is an array, expected an object"),
        (streams(#"["1","\q"]"#), "a bad escape"),
        (streams("[\"1\",\"\u{1}\"]"), "no control character in a string"),
        (
            #"{"data":{"resultType":"streams","result":[{"values":[["1","x"]]}]}}"#,
            "a stream's lines come before its labels"
        ),
        (#"{"data":{"resultType":"streams","result":[{"stream":{"a":{}}}]}}"#, "\"a\" in the labels of a stream"),
        (#"{"data":{"resultType":"scalar","result":["1"]}}"#, "a scalar that is not [time, value]"),
        (#"{"data":{"resultType":"scalar","result":[1,"2",3,"4"]}}"#, "a scalar that is not [time, value]"),
    ])
    func badAnswerIsNamed(body: String, part: String) {
        for size in [1, 2, .max] {
            let error = #expect(throws: PluginError.self) { try LokiAnswerReader.read(body, pieceSize: size) }

            #expect(error?.message.contains(part) == true, "\(error?.message ?? "") should say \(part)")
            #expect(error?.source == .downstream)
        }
    }

    @Test func errorInTheBodyIsTheServersOwn() {
        let error = #expect(throws: PluginError.self) {
            try LokiAnswerReader.read(#"{"status":"error","errorType":"execution","error":"too many requests"}"#)
        }

        #expect(error?.message == "execution: too many requests")
        #expect(error?.code == .downstream)
    }

    @Test(arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82]] as [[UInt8]])
    func lineThatIsNotUTF8IsRefused(bytes: [UInt8]) {
        let parts = streamsAnswer(#"["1","a@"]"#).split(separator: "@").map { Array($0.utf8) }

        for size in [1, .max] {
            let error = #expect(throws: PluginError.self) {
                try LokiAnswerReader.read(parts[0] + bytes + parts[1], pieceSize: size)
            }
            #expect(error?.message.contains("not UTF-8") == true)
        }
    }

    @Test func aLineOfManyMegabytesIsRefused() throws {
        let fits = String(repeating: "x", count: 3 << 20)
        let frame = try LokiAnswerReader.read(streamsAnswer(#"["1","\#(fits)"]"#), pieceSize: 65_536).frames[0]
        #expect(frame.field(named: "Line")?.column.string(at: 0)?.utf8.count == 3 << 20)

        let error = #expect(throws: PluginError.self) {
            try LokiAnswerReader.read(
                streamsAnswer(#"["1","\#(String(repeating: "x", count: 5 << 20))"]"#), pieceSize: 65_536)
        }
        #expect(error?.message.contains("a string of more than 4194304 bytes") == true)
    }

    @Test(arguments: ["stream", "metadata"])
    func millionsOfLabelsAreRefused(kind: String) {
        let labels = "{" + (0..<200_000).map { #""l\#($0)":"x""# }.joined(separator: ",") + "}"
        let answer =
            kind == "metadata"
            ? streamsAnswer(#"["1","x",{"parsed":\#(labels)}]"#) : streamsAnswer(#"["1","x"]"#, labels: labels)

        let error = #expect(throws: PluginError.self) { try LokiAnswerReader.read(answer) }

        #expect(error?.code == .limit && error?.message.contains("more than 10000 labels") == true)
    }

    @Test func megabytesOfLabelsAreRefused() {
        let labels = #"{"a":"\#(String(repeating: "x", count: 2 << 20))"}"#

        let error = #expect(throws: PluginError.self) {
            try LokiAnswerReader.read(streamsAnswer(#"["1","x"]"#, labels: labels))
        }

        #expect(error?.code == .limit)
    }

    @Test func deepNestingIsRefused() {
        let error = #expect(throws: PluginError.self) {
            try LokiAnswerReader.read("{\"a\":" + String(repeating: "[", count: 1_000_000))
        }

        #expect(error?.message.contains("nested deeper than 512 levels") == true)
    }

    @Test func unknownKeysAreSkipped() throws {
        let body = """
            {"x":[1,{"data":[null,true]}],"status":"success","n":null,"data":{"y":{"result":[1]},"resultType":"streams",\
            "z":null,"result":[{"stream":{"a":"b"},"w":[[1]],"values":[["1","x",{"u":{"v":[2]}}]],"q":1}]},"warnings":null}
            """

        let frame = try LokiAnswerReader.read(body).frames[0]

        #expect(frame.rowCount == 1 && frame.field(named: "labels")?.column.string(at: 0) == #"{"a":"b"}"#)
    }

    @Test func errorsOfGatewaysShowTheirText() {
        let page = UpstreamStatus.lokiError(status: 502, body: Array("<h1>down</h1>\n".utf8))
        let silent = UpstreamStatus.lokiError(status: 503, body: [])
        let json = UpstreamStatus.lokiError(status: 400, body: Array(#"{"message":"no","code":1}"#.utf8))
        let long = UpstreamStatus.lokiError(status: 500, body: Array(repeating: 120, count: 5000))

        #expect(page.message == "<h1>down</h1>" && page.source == .downstream)
        #expect(silent.message == "the server answers 503 Service Unavailable without a word")
        #expect(json.message == "no")
        #expect(long.message.utf8.count < 1100)
        #expect(UpstreamStatus.lokiError(status: 405, body: []).source == .plugin)
        #expect(UpstreamStatus.lokiError(status: 404, body: []).hint != nil)
    }
}
