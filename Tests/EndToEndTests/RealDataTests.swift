// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// Queries through the server to real servers from Debian's packages.
    struct RealDataTests {}
}

extension EndToEnd.RealDataTests {
    @Test func prometheusAnswersThroughTheServer() async throws {
        try await withExemplars { exporterPort in
            try await RealPrometheus.withPrometheus(exporters: [("shop", exporterPort)]) { prometheus in
                try await GrafanaHome.withServer { server, _ in
                    try server.addDataSource("prom", type: "prometheus", ["url": .string(prometheus.url)])
                    try await prometheus.wait(for: "/api/v1/query?query=sum(up)") {
                        String(decoding: $0, as: UTF8.self).contains("\"3\"")
                    }

                    try await checkHealth(server, prometheus)
                    try checkInstant(server)
                    try await checkRange(server)
                    try await checkExemplars(server)
                    try await checkResources(server, prometheus)
                    let wrong = try server.query("prom", ["expr": "up(", "instant": true])
                    #expect(wrong.status == 400 && wrong.queryError?.contains("parse error") == true, "\(wrong.text)")
                }
            }
        }
    }

    private func checkHealth(_ server: GrafanaServer, _ prometheus: RealServer) async throws {
        let health = try server.get("/api/datasources/uid/prom/health").json
        let build = try await prometheus.get("/api/v1/status/buildinfo").json

        #expect(health["status"]?.string == "OK")
        #expect(health["details"]?["version"]?.string == build["data"]?["version"]?.string)
        #expect(build["data"]?["version"]?.string?.isEmpty == false)
    }

    private func checkInstant(_ server: GrafanaServer) throws {
        let answer = try server.query("prom", ["expr": "up", "instant": true, "format": "time_series"])

        let jobs = answer.frames.compactMap { $0["schema"]?["fields"]?[1]?["labels"]?["job"]?.string }
        #expect(jobs.sorted() == ["node", "prometheus", "shop"])
        #expect(answer.frames.allSatisfy { $0.values(1) == [1] })
    }

    private func checkRange(_ server: GrafanaServer) async throws {
        let query: JSONObject = [
            "expr": "up{job=\"$job\"} or up{job=\"node\"}", "range": true, "intervalMs": 1000, "maxDataPoints": 1000,
            "interval": "1s", "legendFormat": "{{job}}",
        ]
        var answer = try server.query("prom", query, from: "now-1m", to: "now")
        try await eventually("two steps have passed", within: 30) {
            answer = try server.query("prom", query, from: "now-1m", to: "now")
            return (answer.frames.first?.values(1).count ?? 0) > 1
        }

        #expect(answer.frames.count == 1)
        let schema = answer.frames.first?["schema"]
        #expect(schema?["fields"]?[1]?["config"]?["displayNameFromDS"]?.string == "node")
        #expect(schema?["meta"]?["executedQueryString"]?.string?.contains("Step: 1s") == true)
        #expect(answer.frames.first?.values(1).allSatisfy { $0 == 1 } == true)
    }

    private func checkExemplars(_ server: GrafanaServer) async throws {
        try await eventually("exemplars come", within: 30) {
            let answer = try server.query(
                "prom", ["expr": "shop_seconds_bucket", "exemplar": true, "intervalMs": 1000, "maxDataPoints": 1000])
            return answer.text.contains("trace-") && answer.text.contains("trace_id")
        }
    }

    private func checkResources(_ server: GrafanaServer, _ prometheus: RealServer) async throws {
        let base = "/api/datasources/uid/prom/resources/api/v1"
        let values = try server.get(base + "/label/job/values")
        let series = try server.send("GET", base + "/series?match[]=up%7Bjob%3D%22node%22%7D")
        let proxy = "/api/datasources/proxy/uid/prom/api/v1"
        let proxied = try server.get(proxy + "/query?query=up%7Bjob%3D%22node%22%7D")
        let proxiedSeries = try server.get(proxy + "/series?match[]=up%7Bjob%3D%22node%22%7D")

        #expect(values.json["data"] == ["node", "prometheus", "shop"])
        #expect(series.json["data"]?[0]?["job"]?.string == "node", "\(series.status) \(series.text)")
        #expect(proxiedSeries.json["data"] == series.json["data"], "\(proxiedSeries.text)")
        #expect(proxied.json["data"]?["result"]?[0]?["value"]?[1]?.string == "1")
        let names = try await prometheus.get("/api/v1/label/__name__/values").json["data"]?.array
        #expect((names?.count ?? 0) > 100)
        #expect(try server.get(base + "/label/__name__/values").json["data"]?.array?.count == names?.count)
    }

    /// 200 series with 5001 samples each, compared with Prometheus's own answer.
    @Test func aMillionSamplesComeBackRight() async throws {
        let bulk = RealPrometheus.Bulk()
        try await RealPrometheus.withPrometheus(bulk: bulk) { prometheus in
            try await compare(bulk, prometheus)
        }
    }

    @Test func victoriaMetricsAnswersTheSame() async throws {
        let bulk = RealPrometheus.Bulk(seriesCount: 20, stepCount: 501)
        try await RealPrometheus.withVictoriaMetrics(bulk: bulk) { victoria in
            try await compare(bulk, victoria) { server in
                let health = try server.get("/api/datasources/uid/prom/health").json
                #expect(health["status"]?.string == "OK")
            }
        }
    }

    private func compare(
        _ bulk: RealPrometheus.Bulk, _ upstream: RealServer, also: (GrafanaServer) throws -> Void = { _ in }
    ) async throws {
        try await GrafanaHome.withServer { server, home in
            try server.addDataSource("prom", type: "prometheus", ["url": .string(upstream.url)])
            let query: JSONObject = [
                "expr": .string(RealPrometheus.Bulk.name), "range": true,
                "intervalMs": .integer(Int64(bulk.stepSeconds * 1000)),
                "maxDataPoints": .integer(Int64(bulk.stepCount)),
            ]

            let ours = try server.query("prom", query, from: "\(bulk.start * 1000)", to: "\(bulk.end * 1000)")
            let theirs = try await upstream.get(bulk.rangePath)

            #expect(ours.status == 200 && theirs.status == 200)
            let files = [home.folder.appending(path: "theirs.json"), home.folder.appending(path: "ours.json")]
            try Data(theirs.body).write(to: files[0])
            try Data(ours.body).write(to: files[1])
            let tool = repositoryRoot.appending(path: "Tests/Tools/compare_range.py").path
            let (status, output) = try await Tool.run("python3", [tool] + files.map(\.path))
            #expect(status == 0 && output == "\(bulk.seriesCount * bulk.stepCount)\n", "\(output)")
            try also(server)
        }
    }

    private func withExemplars<R>(_ body: (Int) async throws -> R) async throws -> R {
        let port = try LoopbackSocket.freePort()
        let log = FileManager.default.temporaryDirectory.appending(path: "exemplars-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let tool = repositoryRoot.appending(path: "Tests/Tools/exemplar_exporter.py").path
        let exporter = try RealServer("python3", [tool, "\(port)"], port: port, log: log)
        defer { exporter.end() }
        try await exporter.wait(for: "/metrics")
        return try await body(port)
    }
}
