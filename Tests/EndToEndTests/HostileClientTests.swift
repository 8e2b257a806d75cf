// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// Clients that break the protocol, send too much, or are too slow.
    struct HostileClientTests {}
}

extension EndToEnd.HostileClientTests {
    private static let limits = [
        "server.max_body_bytes=100000", "server.idle_timeout=1s", "server.read_timeout=1s", "server.write_timeout=1s",
    ]
    private static let login = "Authorization: Basic YWRtaW46YWRtaW4=\r\n"

    private func checkIsWell(_ server: GrafanaServer) async throws {
        #expect(try server.get("/api/user").status == 200)
        // The one is the connection that asks.
        try await eventually("all connections end", within: 30) { try server.metric("grafana_http_connections") == 1 }
        #expect(server.program.isRunning)
    }

    @Test func requestsThatEndEarlyLeaveNothingBehind() async throws {
        let query = GrafanaServer.request("POST", "/api/ds/query", GrafanaServer.query("demo", [:]))
        try await GrafanaHome.withServer { server, _ in
            for length in stride(from: 0, to: query.count - 1, by: 7) {
                let connection = try LoopbackConnection(port: server.port)
                connection.send(Array(query[..<length]))
                if length % 2 == 0 { connection.close() } else { connection.reset() }
            }
            let half = try LoopbackConnection(port: server.port)
            half.send(Array(query[..<(query.count - 5)]))
            half.finishSending()

            let rest = String(decoding: try half.readToEnd(), as: UTF8.self)
            #expect(!rest.hasPrefix("HTTP/1.1 200"), "\(rest)")
            try await checkIsWell(server)
        }
    }

    @Test func whatIsTooLargeIsRefused() async throws {
        try await GrafanaHome.withServer(Self.limits) { server, _ in
            let long = String(repeating: "x", count: 100_000)
            let many = (0..<5000).map { "X-\($0): y\r\n" }.joined()
            for field in ["X-Long: \(long)\r\n", many, "Cookie: a=\(long)\r\n"] {
                let connection = try LoopbackConnection(port: server.port)
                connection.send("GET /api/user HTTP/1.1\r\nHost: x\r\n\(Self.login)\(field)\r\n")
                // A server that closes before it has read everything resets the connection, and the answer may be lost.
                let status = try? connection.readAnswer().status
                #expect([nil, 400, 431].contains(status), "\(field.prefix(10)): \(status ?? 0)")
            }
            let target = try LoopbackConnection(port: server.port)
            target.send("GET /\(long) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect([nil, 400, 414, 431].contains(try? target.readAnswer().status))

            let announced = try LoopbackConnection(port: server.port)
            announced.send(
                "POST /api/ds/query HTTP/1.1\r\nHost: x\r\n\(Self.login)Content-Length: 9999999999\r\n\r\n")
            #expect(try announced.readAnswer().status == 413)
            let chunked = try LoopbackConnection(port: server.port)
            chunked.send(
                "POST /api/ds/query HTTP/1.1\r\nHost: x\r\n\(Self.login)Transfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<4 { chunked.send("8000\r\n\(String(repeating: " ", count: 0x8000))\r\n") }
            #expect(try chunked.readAnswer().status == 413)
            try await checkIsWell(server)
        }
    }

    @Test func slowHeadsAndSlowBodiesAreCutOff() async throws {
        try await GrafanaHome.withServer(Self.limits) { server, _ in
            let head = try LoopbackConnection(port: server.port)
            head.send("GET /api/user HTTP/1.1\r\nHost:")
            let body = try LoopbackConnection(port: server.port)
            body.send("POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
            let silent = try LoopbackConnection(port: server.port)
            let begin = ContinuousClock.now

            for connection in [head, body, silent] {
                let text = String(decoding: try connection.readToEnd(), as: UTF8.self)
                #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 4"), "\(text)")
            }
            #expect(ContinuousClock.now - begin < .seconds(10))
            try await checkIsWell(server)
        }
    }

    /// Ten times an answer of tens of megabytes that nobody takes: each holds a part of it, not all.
    @Test func clientsThatNeverReadCannotPinMemory() async throws {
        try await GrafanaHome.withServer(["server.write_timeout=2s"]) { server, _ in
            let queries = (0..<100).map { number -> JSONValue in
                [
                    "refId": .string("Q\(number)"), "datasource": ["uid": "demo"], "scenarioId": "random_walk",
                    "seriesCount": 1, "intervalMs": 1000, "maxDataPoints": 10_000,
                ]
            }
            let body: JSONValue = ["from": "now-3h", "to": "now", "queries": .array(queries)]
            let request = GrafanaServer.request("POST", "/api/ds/query", body)
            let facts = ProcessFacts(pid: server.program.pid)
            let size = try LoopbackConnection(port: server.port).exchange(request).body.count
            #expect(size > 25_000_000)
            let before = facts.residentBytes

            let connections = try (0..<10).map { _ in
                try LoopbackConnection(port: server.port, receiveBuffer: 4096)
            }
            for connection in connections { connection.send(request) }
            var peak = before
            try await eventually("the server gives up on them", within: 60) {
                peak = max(peak, facts.residentBytes)
                return try server.metric("grafana_http_connections") == 1
            }

            // The frames of all queries wait, a time and a number for each of a million points, and at most the window
            // of what becomes of them: not the answer.
            let growth = (peak - before) >> 20
            let frames = (100 * 10_000 * 16) >> 20
            #expect(growth < 10 * (frames + 5), "\(growth) MiB for \(10 * size >> 20) MiB of answers")
            #expect(try server.pluginNumber("callsRunning", of: "grafana-testdata-datasource") == 0)
            for connection in connections { connection.close() }
            try await checkIsWell(server)
        }
    }

    @Test func aClientThatLeavesCancelsItsQuery() async throws {
        let query = GrafanaServer.query("demo", ["scenarioId": "slow_query", "stringInput": "300s"])
        let request = GrafanaServer.request("POST", "/api/ds/query", query)
        try await GrafanaHome.withServer { server, _ in
            func calls() throws -> Int? { try server.pluginNumber("callsRunning", of: "grafana-testdata-datasource") }
            for isReset in [false, true] {
                let connections = try (0..<10).map { _ in try LoopbackConnection(port: server.port) }
                for connection in connections { connection.send(request) }
                try await eventually("all run", within: 30) { try calls() == 10 }

                for connection in connections { isReset ? connection.reset() : connection.close() }

                try await eventually("none runs", within: 5) { try calls() == 0 }
            }
            try await checkIsWell(server)
        }
    }
}
