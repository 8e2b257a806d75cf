// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct PrometheusAnswerTests {
    @Test func allCapturesAreThere() {
        #expect(Fixtures.prometheus.count == 98 + 45)
        #expect(Fixtures.good.count > 80)
        #expect(Fixtures.errors.count >= 20)
    }

    @Test(arguments: Fixtures.readable.filter { !$0.path.hasSuffix("query_exemplars") })
    func capturedAnswerBecomesTheExpectedFrames(answer: CapturedAnswer) throws {
        let expected = try ExpectedFrames(answer.body).texts

        let whole = try PrometheusAnswerReader.read(answer.body, waitsForStatistics: true)

        #expect(whole.frames.map(dump) == expected)
    }

    @Test(arguments: Fixtures.readable, [1, 7, 4096])
    func sizeOfThePiecesDoesNotMatter(answer: CapturedAnswer, pieceSize: Int) throws {
        let whole = try PrometheusAnswerReader.read(answer.body, waitsForStatistics: true)
        let pieces = try PrometheusAnswerReader.read(answer.body, pieceSize: pieceSize, waitsForStatistics: true)

        #expect(pieces.notices == whole.notices)
        #expect(pieces.frames == whole.frames)
    }

    @Test(arguments: Fixtures.good.filter { $0.name == "format_query" })
    func answerThatIsATextIsRefused(answer: CapturedAnswer) {
        #expect(throws: PluginError.self) { try PrometheusAnswerReader.read(answer.body) }
    }

    @Test(arguments: Fixtures.errors)
    func capturedErrorIsTheServersText(answer: CapturedAnswer) throws {
        let json = try JSONValue(parsing: answer.body)
        let text = "\(json["errorType"]?.string ?? ""): \(json["error"]?.string ?? "")"

        let error = UpstreamStatus.error(status: answer.status, body: answer.body)

        #expect(error.message == text)
        #expect(error.httpStatus == answer.status)
        #expect(error.source == .downstream)
        #expect(throws: PluginError.self) { try PrometheusAnswerReader.read(answer.body) }
    }

    @Test(arguments: Fixtures.prometheus.filter { !$0.isJSON })
    func capturedPagesAreRefused(answer: CapturedAnswer) {
        #expect(throws: PluginError.self) { try PrometheusAnswerReader.read(answer.body) }

        let error = UpstreamStatus.error(status: 404, body: answer.body)

        #expect(error.message.hasPrefix("unexpected response with status code 404: "))
        #expect(error.message.utf8.count <= 1024 * 3 + 50)
    }

    @Test func seriesIsReadyBeforeTheRestArrives() throws {
        var reader = PrometheusAnswerReader(frames: PrometheusFrames(query: .sample(), call: .range))
        let start =
            #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"]]},{"me"#

        let delivery = try Array(start.utf8).withUnsafeBufferPointer { try reader.consume($0) }

        #expect(delivery.frames.count == 1)
        #expect(delivery.frames[0].fields[1].column[0, as: Double.self] == 2)
    }

    @Test func resultMayComeBeforeItsType() throws {
        let matrix = try PrometheusAnswerReader.read(
            #"{"data":{"result":[{"values":[[1,"2"]],"metric":{"a":"b"}}],"resultType":"matrix"},"status":"success"}"#)
        let vector = try PrometheusAnswerReader.read(
            #"{"data":{"result":[{"value":[1,"2"],"metric":{"a":"b"}}],"resultType":"vector"},"status":"success"}"#)
        let scalar = try PrometheusAnswerReader.read(
            #"{"data":{"result":[1,"2"],"resultType":"scalar"},"status":"success"}"#)
        let string = try PrometheusAnswerReader.read(
            #"{"data":{"result":[1,"2"],"resultType":"string"},"status":"success"}"#)

        #expect(matrix.frames[0].meta?.type == "timeseries-multi")
        #expect(matrix.frames[0].fields[1].labels == ["a": "b"])
        #expect(vector.frames[0].meta?.type == "numeric-multi")
        #expect(scalar.frames[0].fields[1].type == .float64)
        #expect(string.frames[0].fields[1].type == .string)
    }

    @Test func warningsAndInfosBecomeNoticesWarningsFirst() throws {
        let body =
            #"{"status":"success","data":{"resultType":"vector","result":[]},"infos":["i"],"warnings":["w1","w2"]}"#

        let delivery = try PrometheusAnswerReader.read(body)

        #expect(delivery.notices.map(\.text) == ["w1", "w2", "i"])
        #expect(delivery.notices.map(\.severity) == [.warning, .warning, .info])
        #expect(delivery.frames.map(\.name) == ["Warnings"])
    }

    @Test func noResultIsOneFrameWithoutFields() throws {
        let body = Array(#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#.utf8)

        let frames = try PrometheusAnswerReader.read(body).frames
        let ofExemplarQuery = try PrometheusAnswerReader.read(body, query: .sample(isExemplar: true)).frames

        #expect(frames.count == 1)
        #expect(frames[0].fields.isEmpty)
        #expect(frames[0].meta?.executedQueryString == "Expr: up\nStep: 15s")
        #expect(ofExemplarQuery.isEmpty)
    }

    @Test func unusualFormsOfSamplesAreRead() throws {
        let body = """
            {"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[
             [ 1.5 , "1e3" ],[1.25,"-0"],[-1.5,"1"],[0,"NaN"],[1e1,"+Inf"],[1435781430.7819,"-Inf"],[2,".5"],[3,4.5],
             [1435781430.781,"1.7976931348623157e+308"],[9,"100000000000000000000000"],[4,"0.30000000000000004"],[5,"9007199254740993"],
             [6,"00012"],[7,"123456789012345678"]]}]}}
            """
        let frame = try PrometheusAnswerReader.read(body).frames[0]
        let pieces = try PrometheusAnswerReader.read(body, pieceSize: 3).frames[0]

        #expect(dump(frame) == dump(pieces))
        #expect(
            (0..<frame.rowCount).map { frame.fields[0].column[$0, as: Timestamp.self]?.milliseconds } == [
                1500, 1250, -1500, 0, 10_000, 1_435_781_430_781, 2000, 3000, 1_435_781_430_781, 9000,
                4000, 5000, 6000, 7000,
            ])
        #expect(
            (0..<frame.rowCount).map { numberText(frame.fields[1].column[$0, as: Double.self] ?? 99) } == [
                "1000.0", "-0.0", "1.0", "NaN", "inf", "-inf", "0.5", "4.5", "1.7976931348623157e+308",
                "1e+23", "0.30000000000000004", "9007199254740992.0", "12.0", "1.2345678901234568e+17",
            ])
    }

    @Test func statisticsGoToTheFirstFrame() throws {
        let body = Array(
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}],"stats":{"a":[1,{"b":"c, d"}],"e":null}}}"#
                .utf8)
        for size in [1, 5, .max] {
            let frames = try PrometheusAnswerReader.read(body, pieceSize: size, waitsForStatistics: true).frames

            #expect(frames[0].meta?.custom?["stats"]?["a"]?[1]?["b"]?.string == "c, d")
            #expect(frames[0].meta?.custom?["stats"]?["e"] == .null)
        }
    }

    @Test func onlyTheFirstFrameNamesTheQuery() throws {
        let body = try Fixtures.bytes("prometheus/range_up.json")

        let frames = try PrometheusAnswerReader.read(body).frames

        #expect(frames.count == 4)
        #expect(frames.map { $0.meta?.executedQueryString != nil } == [true, false, false, false])
        #expect(frames.map { $0.meta?.custom?["calculatedMinStep"] != nil } == [true, false, false, false])
    }
}
