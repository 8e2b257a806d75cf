// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Real servers with the Prometheus API, from Debian's packages, for the length of one test.
enum RealPrometheus {
    /// Series with known values that a server holds from its start.
    struct Bulk: Sendable {
        var seriesCount = 200
        var stepCount = 5001
        var stepSeconds = 15
        /// Seconds since 1970 of the first sample; a multiple of the step.
        var start = 1_700_000_010

        static let name = "bulk_value"

        /// Of the last sample.
        var end: Int { start + (stepCount - 1) * stepSeconds }

        /// The value of a series (label `series`, from 0) at a step: a short decimal, as VictoriaMetrics keeps 15 digits.
        func value(series: Int, step: Int) -> Double {
            Double((series * 7919 + step * 104_729) % 1_000_003 - series * 1000) / 1000
        }

        /// The path and query of the range query that answers all samples, in the order of the label's text.
        var rangePath: String {
            "/api/v1/query_range?query=\(Self.name)&start=\(start)&end=\(end)&step=\(stepSeconds)"
        }
    }

    /// Runs `body` with a Prometheus that scrapes itself and a node exporter every second.
    ///
    /// All programs are killed and all files removed when `body` ends, whichever way.
    static func withPrometheus<Result>(
        bulk: Bulk? = nil, _ body: (RealServer) async throws -> Result
    ) async throws -> Result {
        try await withFolder { folder in
            let data = folder.appending(path: "data")
            if let bulk { try await makeBlocks(of: bulk, in: data, folder: folder) }
            let exporterPort = try RealServer.freePort()
            let exporter = try RealServer(
                "prometheus-node-exporter", ["--web.listen-address=127.0.0.1:\(exporterPort)"], port: exporterPort,
                log: folder.appending(path: "exporter.log"))
            defer { exporter.end() }
            let port = try RealServer.freePort()
            let config = try writeConfig(ports: [("prometheus", port), ("node", exporterPort)], in: folder)
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
    static func withVictoriaMetrics<Result>(
        bulk: Bulk? = nil, _ body: (RealServer) async throws -> Result
    ) async throws -> Result {
        try await withFolder { folder in
            let port = try RealServer.freePort()
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
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let output = Pipe()
        process.standardOutput = FileHandle.nullDevice
        process.standardError = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw RealServerError("\(program) failed: \(String(decoding: text, as: UTF8.self).suffix(1000))")
        }
    }
}
