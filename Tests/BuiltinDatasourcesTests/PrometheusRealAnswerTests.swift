// SPDX-License-Identifier: Apache-2.0
import PluginABI
import TestSupport
import Testing

@testable import BuiltinDatasources

/// Reads answers of real servers; their programs come from Debian's packages.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct PrometheusRealAnswerTests {
    private static let bulk = RealPrometheus.Bulk(seriesCount: 20, stepCount: 501)

    /// Compares all samples of the bulk data with the values they were made from.
    private func check(_ answer: HTTPAnswer, pieceSize: Int) throws {
        let bulk = Self.bulk
        let frames = try PrometheusAnswerReader.read(answer.body, pieceSize: pieceSize).frames

        #expect(answer.status == 200)
        #expect(frames.count == bulk.seriesCount)
        for frame in frames {
            let series = try #require(frame.fields[1].labels?["series"].flatMap { Int($0) })
            try #require(frame.rowCount == bulk.stepCount)
            let isRight = (0..<bulk.stepCount).allSatisfy { step in
                frame.fields[0].column[step, as: Timestamp.self]?.milliseconds
                    == Int64(bulk.start + step * bulk.stepSeconds) * 1000
                    && frame.fields[1].column[step, as: Double.self] == bulk.value(series: series, step: step)
            }
            #expect(isRight, "series \(series)")
        }
    }

    @Test func prometheusAnswersValueByValue() async throws {
        try await RealPrometheus.withPrometheus(bulk: Self.bulk) { server in
            try check(try await server.get(Self.bulk.rangePath), pieceSize: 4096)
            try await server.wait(for: "/api/v1/query?query=sum(up)") {
                String(decoding: $0, as: UTF8.self).contains("\"2\"")
            }
            let up = try await server.get("/api/v1/query?query=up")
            let frames = try PrometheusAnswerReader.read(up.body).frames
            #expect(frames.map { $0.fields[1].labels?["job"] ?? "" }.sorted() == ["node", "prometheus"])
            #expect(frames.allSatisfy { $0.fields[1].name == "up" && $0.fields[1].column[0, as: Double.self] == 1 })

            let wrong = try await server.get("/api/v1/query?query=up(")
            let error = UpstreamStatus.error(status: wrong.status, body: wrong.body)
            #expect(error.message.hasPrefix("bad_data: invalid parameter \"query\""))

            let build = try await server.get("/api/v1/status/buildinfo")
            #expect(BuildInfo(answer: build.body)?.version.hasPrefix("2.") == true)
        }
    }

    @Test func victoriaMetricsAnswersValueByValue() async throws {
        try await RealPrometheus.withVictoriaMetrics(bulk: Self.bulk) { server in
            try check(try await server.get(Self.bulk.rangePath), pieceSize: 1000)

            let wrong = try await server.get("/api/v1/query?query=up(")
            #expect(UpstreamStatus.error(status: wrong.status, body: wrong.body).message.hasPrefix("422: "))
        }
    }
}
