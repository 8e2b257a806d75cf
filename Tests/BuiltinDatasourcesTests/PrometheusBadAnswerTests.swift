// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct PrometheusBadAnswerTests {
    private static let small = Fixtures.readable.filter { $0.body.count < 3000 || $0.name.contains("native") }

    @Test(arguments: small)
    func cutAnswerIsAnError(answer: CapturedAnswer) {
        let end = answer.body.lastIndex(of: UInt8(ascii: "}")) ?? 0
        for length in stride(from: 0, to: end, by: max(1, end / 100)) {
            #expect(throws: PluginError.self, "cut after \(length) bytes") {
                try PrometheusAnswerReader.read(Array(answer.body[..<length]))
            }
        }
    }

    @Test(arguments: small)
    func flippedBytesNeverTrapAndPiecesAgree(answer: CapturedAnswer) {
        var random = SystemRandomNumberGenerator()
        for position in stride(from: 0, to: answer.body.count, by: max(1, answer.body.count / 60)) {
            var body = answer.body
            body[position] = UInt8.random(in: 0...255, using: &random)

            let whole = try? PrometheusAnswerReader.read(body)
            let pieces = try? PrometheusAnswerReader.read(body, pieceSize: 5)

            #expect(whole?.frames == pieces?.frames, "byte \(position) is \(body[position])")
        }
    }

    @Test(arguments: [
        ("", "is empty"),
        ("<html>", "is not valid JSON at byte 0: expected a value, found '<'; check that the URL"),
        ("[]", "the answer is an array, expected an object"),
        ("{}", "has no \"status\""),
        (#"{"status":"success"} x"#, "is not valid JSON at byte 21: expected the end"),
        (#"{"status":"fine"}"#, "unknown status \"fine\""),
        (#"{"status":1}"#, "\"status\" in the answer is a number"),
        (#"{"status":"success","data":"x"}"#, "\"data\" in the answer is a string"),
        (#"{"status":"success","data":{"resultType":"cube"}}"#, "unknown result type: cube"),
        (#"{"status":"success","data":{"result":{}}}"#, "\"result\" in \"data\" is an object, expected an array"),
        (#"{"status":"success","data":{"result":[[]]}}"#, "an array, expected an object"),
        (#"{"status":"success","data":{"result":["a"]}}"#, "a scalar that is not [time, value]"),
        (#"{"status":"success","data":{"result":[1,"x"]}}"#, "a value that is not a number: \"x\""),
        (#"{"data":{"result":[{"metric":{"a":1}}]}}"#, "\"a\" in \"labels\" is a number, expected a string"),
        (#"{"data":{"result":[{"metric":{"a":{}}}]}}"#, "\"a\" in \"labels\" is an object"),
        (#"{"data":{"result":[{"values":[[1]]}]}}"#, "a sample that is not [time, value]"),
        (#"{"data":{"result":[{"values":[[1,"2","3"]]}]}}"#, "a sample that is not [time, value]"),
        (#"{"data":{"result":[{"values":[["1","2"]]}]}}"#, "a sample that is not [time, value]"),
        (#"{"data":{"result":[{"values":[[1,"two"]]}]}}"#, "a value that is not a number: \"two\""),
        (#"{"data":{"result":[{"values":[[1e300,"2"]]}]}}"#, "a time out of range: 1e300"),
        (#"{"data":{"result":[{"values":[[01,"2"]]}]}}"#, "a malformed number"),
        (#"{"data":{"result":[{"values":[1]}]}}"#, "an element of \"values\" is a number"),
        (#"{"data":{"result":[{"values":[[1,"2"],]}]}}"#, "expected a value, found ']'"),
        (#"{"data":{"result":[{"histogram":[1]}]}}"#, ""),
        (#"{"data":{"result":[{"histogram":[1,{"buckets":[[0,"1","2"]]}]}]}}"#, "a histogram bucket that is not"),
        (
            #"{"data":{"result":[{"histogram":[1,{"buckets":[[9999,"1","2","3"]]}]}]}}"#,
            "a histogram bucket that is not"
        ),
        (#"{"data":[{"exemplars":[{"labels":{}}]}]}"#, "an exemplar without timestamp or value"),
        (#"{"status":"suc\#u{1}cess"}"#, "no control character in a string"),
        (#"{"status":"\q"}"#, "a bad escape"),
        (#"{"a":tru}"#, "expected 'true', found '}'"),
        (#"{"a":1.}"#, "a malformed number"),
        (#"{"a":--1}"#, "a malformed number"),
        (#"{"a" 1}"#, "expected ':'"),
        (#"{a:1}"#, "expected a key or '}', found 'a'"),
        (#"{"a":1,}"#, "expected a key, found '}'"),
        (#"{"a":[1}"#, "expected ',' or ']', found '}'"),
    ])
    func badAnswerIsNamed(body: String, part: String) {
        for size in [1, 2, .max] {
            let error = #expect(throws: PluginError.self) { try PrometheusAnswerReader.read(body, pieceSize: size) }

            #expect(error?.message.contains(part) == true, "\(error?.message ?? "") should say \(part)")
            #expect(error?.source == .downstream)
        }
    }

    @Test func textThatIsNotUTF8IsRefused() {
        let body = Array(#"{"data":{"result":[{"metric":{"a":""#.utf8) + [0xFF, 0xC0] + Array(#""}}]}}"#.utf8)

        let error = #expect(throws: PluginError.self) { try PrometheusAnswerReader.read(body) }

        #expect(error?.message.contains("not UTF-8") == true)
    }

    @Test func deepNestingIsRefused() {
        let error = #expect(throws: PluginError.self) {
            try PrometheusAnswerReader.read("{\"a\":" + String(repeating: "[", count: 1_000_000))
        }

        #expect(error?.message.contains("nested deeper than 512 levels") == true)
    }

    @Test func endlessStringIsRefused() {
        let error = #expect(throws: PluginError.self) {
            try PrometheusAnswerReader.read("{\"a\":\"" + String(repeating: "x", count: 5 << 20), pieceSize: 65_536)
        }

        #expect(error?.message.contains("a string of more than 4194304 bytes") == true)
    }

    @Test func endlessNumberIsRefused() {
        let error = #expect(throws: PluginError.self) {
            try PrometheusAnswerReader.read("{\"a\":" + String(repeating: "1", count: 1000), pieceSize: 10)
        }

        #expect(error?.message.contains("a number of more than 512 characters") == true)
    }

    @Test func unknownKeysAreSkipped() throws {
        let body = """
            {"isPartial":false,"x":[1,{"data":[null,true]}],"status":"success","n":null,"data":{"y":{"result":[1]},\
            "resultType":"vector","result":[{"metric":{"a":"b"},"z":[[1]],"value":[1,"2"],"q":1}]},"warnings":null}
            """

        let frames = try PrometheusAnswerReader.read(body).frames

        #expect(frames.count == 1)
        #expect(frames[0].fields[1].labels == ["a": "b"])
    }

    @Test func gatewayErrorShowsItsText() {
        let error = UpstreamStatus.error(status: 503, body: Array("<h1>down</h1>".utf8))
        let wrongMethod = UpstreamStatus.error(status: 405, body: Array("Method Not Allowed".utf8))

        #expect(error.message == "unexpected response with status code 503: <h1>down</h1>")
        #expect(error.source == .downstream)
        #expect(wrongMethod.source == .plugin)
    }
}
