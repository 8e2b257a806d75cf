// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct PrometheusFramesTests {
    @Test(
        arguments: [
            (["__name__": "up", "job": "a", "b": "c"], "", "up{b=\"c\", job=\"a\"}"),
            (["__name__": "up"], "", "up"),
            (["job": "a \"q\" \\ \n ü"], "", "{job=\"a \\\"q\\\" \\\\ \\n ü\"}"),
            ([:], "", "sum(up)"),
            (["job": "a"], "__auto", nil),
            ([:], "__auto", "sum(up)"),
            (["job": "a"], "{{job}} and {{ job }}", "a and a"),
            (["job": "a"], "{{ missing }}", nil),
            (["job": "a"], "static", "static"),
            (["job": "a"], "{{job", "{{job"),
            (["job": "a"], "{{}}", "{{}}"),
            (["job": "a"], "{}", "sum(up)"),
            (["job": "a"], "x{{job}}y{{other}}z", "xayz"),
            (["a b": "v"], "{{  a b  }}", "v"),
        ] as [(Labels, String, String?)])
    func legend(labels: Labels, format: String, name: String?) {
        #expect(SeriesName.text(labels: labels, legendFormat: format, expression: "sum(up)") == name)
    }

    @Test func emptyNameLeavesTheConfigOut() throws {
        let body = Array(
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2"]}]}}"#.utf8
        )

        let frame = try PrometheusAnswerReader.read(body, query: .sample(legend: "__auto")).frames[0]

        #expect(frame.fields[1].config == nil)
        #expect(frame.fields[1].name == "Value")
    }

    @Test func exemplarsBecomeOneFrame() throws {
        let body = try Fixtures.bytes("prometheus/exemplars_rate.json")

        let frames = try PrometheusAnswerReader.read(body, query: .sample(isExemplar: true), call: .exemplar).frames

        #expect(frames.count == 1)
        #expect(frames[0].name == "exemplar")
        #expect(frames[0].meta?.custom?["resultType"]?.string == "exemplar")
        #expect(
            frames[0].fields.map(\.name) == ["Time", "Value", "__name__", "code", "instance", "job", "trace_id"])
        let times = (0..<frames[0].rowCount).compactMap { frames[0].fields[0].column[$0, as: Timestamp.self] }
        #expect(times == times.sorted())
        #expect(frames[0].fields[6].column.string(at: 0) == "b9e97230e7e3f4e9329677712b55c06c")
    }

    @Test(arguments: ["prometheus/exemplars.json", "prometheus3/exemplars.json"])
    func exemplarsAreReadInAnyPieces(file: String) throws {
        let body = try Fixtures.bytes(file)
        let query = PrometheusQuery.sample(isExemplar: true)

        let whole = try PrometheusAnswerReader.read(body, query: query, call: .exemplar)
        let pieces = try PrometheusAnswerReader.read(body, pieceSize: 3, query: query, call: .exemplar)

        #expect(whole.frames == pieces.frames)
        #expect(whole.frames.count == 1)
    }

    @Test func noExemplarsGiveNoFrame() throws {
        let body = try Fixtures.bytes("prometheus/exemplars_none.json")

        #expect(try PrometheusAnswerReader.read(body, query: .sample(isExemplar: true), call: .exemplar).frames.isEmpty)
    }

    private func exemplar(_ seconds: Double, _ value: Double, _ labels: Labels = [:]) -> Exemplar {
        Exemplar(labels: labels, time: Timestamp(seconds: seconds), value: value)
    }

    @Test func samplingKeepsTheHighestAndThoseFarBelow() {
        // Values 10, 9, 1, 1, 1, 1: deviation 4.4, so two of them are 8.8 apart.
        let series = ExemplarSeries(
            labels: [:],
            exemplars: [
                exemplar(1, 9), exemplar(2, 10), exemplar(3, 1), exemplar(4, 1), exemplar(16, 1), exemplar(17, 1),
            ])

        let rows = ExemplarSampler(step: .seconds(15)).sample([series])

        #expect(rows.map(\.exemplar.value) == [10, 1, 1])
        #expect(rows.map(\.exemplar.time) == rows.map(\.exemplar.time).sorted())
    }

    @Test func equalValuesKeepOneAStep() {
        let series = ExemplarSeries(labels: [:], exemplars: (0..<30).map { exemplar(Double($0), 5) })

        #expect(ExemplarSampler(step: .seconds(15)).sample([series]).count == 2)
    }

    @Test func ownLabelOfAnExemplarWins() {
        var frames = PrometheusFrames(query: .sample(), call: .exemplar)
        let series = [
            ExemplarSeries(labels: ["job": "s", "only": "x"], exemplars: [exemplar(1, 1, ["job": "own"])]),
            ExemplarSeries(labels: ["job": "t"], exemplars: [exemplar(20, 1)]),
        ]

        let frame = frames.frame(exemplars: series)

        #expect(frame.fields.map(\.name) == ["Time", "Value", "job", "only"])
        #expect((0..<2).map { frame.fields[2].column.string(at: $0) } == ["own", "t"])
        #expect((0..<2).map { frame.fields[3].column.string(at: $0) } == ["x", ""])
    }

    @Test func serverTimingBecomesStatistics() {
        let rows = ServerTiming.statistics("querier_wall_time;dur=12.5, x;dur=1, bytes_processed;val=7", call: .range)

        #expect(rows.map { $0["displayName"]?.string } == ["Range: Querier wall time", "Range: Bytes processed"])
        #expect(rows.map { $0["value"]?.double } == [12.5, 7])
        #expect(ServerTiming.statistics("", call: .range).isEmpty)
        #expect(ServerTiming.statistics(";=,;;dur=,querier_wall_time;dur=nan", call: .range).isEmpty)
    }
}
