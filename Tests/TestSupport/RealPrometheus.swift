// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Real servers with the Prometheus API, from Debian's packages, for the length of one test.
package enum RealPrometheus {
    /// Series with known values that a server holds from its start.
    package struct Bulk: Sendable {
        package var seriesCount = 200
        package var stepCount = 5001
        package var stepSeconds = 15
        /// Seconds since 1970 of the first sample; a multiple of the step.
        package var start = 1_700_000_010

        package static let name = "bulk_value"

        package init(seriesCount: Int = 200, stepCount: Int = 5001) {
            self.seriesCount = seriesCount
            self.stepCount = stepCount
        }

        /// Of the last sample.
        package var end: Int { start + (stepCount - 1) * stepSeconds }

        /// The value of a series (label `series`, from 0) at a step: a short decimal, as VictoriaMetrics keeps 15 digits.
        package func value(series: Int, step: Int) -> Double {
            Double((series * 7919 + step * 104_729) % 1_000_003 - series * 1000) / 1000
        }

        /// The path and query of the range query that answers all samples, in the order of the label's text.
        package var rangePath: String {
            "/api/v1/query_range?query=\(Self.name)&start=\(start)&end=\(end)&step=\(stepSeconds)"
        }
    }

    /// Runs `body` with a Prometheus that scrapes itself and a node exporter every second.
    ///
    /// - Parameter exporters: Further targets to scrape.
    ///
    /// All programs are killed and all files removed when `body` ends, whichever way.
    package static func withPrometheus<Result>(
        bulk: Bulk? = nil, exporters: [(job: String, port: Int)] = [], _ body: (RealServer) async throws -> Result
    ) async throws -> Result {
        try await withFolder { folder in
            let data = folder.appending(path: "data")
            if let bulk { try await makeBlocks(of: bulk, in: data, folder: folder) }
            let exporterPort = try LoopbackSocket.freePort()
            let exporter = try RealServer(
                "prometheus-node-exporter", ["--web.listen-address=127.0.0.1:\(exporterPort)"], port: exporterPort,
                log: folder.appending(path: "exporter.log"))
            defer { exporter.end() }
            let port = try LoopbackSocket.freePort()
            let config = try writeConfig(ports: [("prometheus", port), ("node", exporterPort)] + exporters, in: folder)
            let server = try RealServer(
                "prometheus",
                [
                    "--config.file=\(config.path)", "--storage.tsdb.path=\(data.path)",
                    "--web.listen-address=127.0.0.1:\(port)", "--storage.tsdb.retention.time=100y",
                    "--enable-feature=exemplar-storage,native-histograms",
                ], port: port, log: folder.appending(path: "prometheus.log"))
            defer { server.end() }
            try await server.wait(for: "/-/ready")
            return try await body(server)
        }
    }

    /// Runs `body` with a VictoriaMetrics that scrapes itself every second.
    package static func withVictoriaMetrics<Result>(
        bulk: Bulk? = nil, _ body: (RealServer) async throws -> Result
    ) async throws -> Result {
        try await withFolder { folder in
            let port = try LoopbackSocket.freePort()
            let config = try writeConfig(ports: [("victoria-metrics", port)], in: folder)
            let server = try RealServer(
                "victoria-metrics",
                [
                    "-httpListenAddr=127.0.0.1:\(port)", "-storageDataPath=\(folder.appending(path: "data").path)",
                    "-promscrape.config=\(config.path)", "-retentionPeriod=100y", "-search.latencyOffset=0s",
                ], port: port, log: folder.appending(path: "victoria.log"))
            defer { server.end() }
            try await server.wait(for: "/health")
            if let bulk { try await importSamples(of: bulk, into: server) }
            return try await body(server)
        }
    }

    private static func withFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "prometheus-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder)
    }

    private static func writeConfig(ports: [(job: String, port: Int)], in folder: URL) throws -> URL {
        var text = "global:\n  scrape_interval: 1s\nscrape_configs:\n"
        for (job, port) in ports {
            text += "  - job_name: \(job)\n    static_configs:\n      - targets: ['127.0.0.1:\(port)']\n"
        }
        let file = folder.appending(path: "scrape.yml")
        try text.write(to: file, atomically: true, encoding: .utf8)
        return file
    }
}

// MARK: - Bulk data

extension RealPrometheus {
    /// The samples as text, one a line; `unit` turns seconds into the unit of the format.
    private static func lines(of bulk: Bulk, unit: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(bulk.seriesCount * bulk.stepCount * 48)
        for series in 0..<bulk.seriesCount {
            let name = Array("\(Bulk.name){series=\"\(series)\"} ".utf8)
            for step in 0..<bulk.stepCount {
                bytes += name
                bytes +=
                    "\(bulk.value(series: series, step: step)) \((bulk.start + step * bulk.stepSeconds) * unit)\n".utf8
            }
        }
        return bytes
    }

    private static func makeBlocks(of bulk: Bulk, in data: URL, folder: URL) async throws {
        let file = folder.appending(path: "bulk.om")
        let text = Array("# TYPE \(Bulk.name) gauge\n".utf8) + lines(of: bulk, unit: 1) + Array("# EOF\n".utf8)
        try Data(text).write(to: file)
        // The hidden flag makes few large blocks: the file is read once for each.
        try await run(
            "promtool",
            ["tsdb", "create-blocks-from", "--max-block-duration=162h", "openmetrics", file.path, data.path])
        try FileManager.default.removeItem(at: file)
    }

    private static func importSamples(of bulk: Bulk, into server: RealServer) async throws {
        let answer = try await server.post("/api/v1/import/prometheus", body: lines(of: bulk, unit: 1000))
        guard answer.status == 204 else { throw RealServerError("import answered \(answer.status)") }
        _ = try await server.get("/internal/force_flush")
        let path = "/api/v1/query?query=count(\(Bulk.name))&time=\(bulk.end)"
        try await server.wait(for: path) {
            String(decoding: $0, as: UTF8.self).contains("\"\(bulk.seriesCount)\"")
        }
    }

    private static func run(_ program: String, _ arguments: [String]) async throws {
        let (status, output) = try await Tool.run(program, arguments)
        guard status == 0 else { throw RealServerError("\(program) failed: \(output.suffix(1000))") }
    }
}
