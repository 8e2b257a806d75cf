// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// How a server ends: in order, at once, and by force.
    struct ShutdownTests {}
}

extension EndToEnd.ShutdownTests {
    private static func slowQuery(_ duration: String) -> [UInt8] {
        let query = GrafanaServer.query("demo", ["scenarioId": "slow_query", "stringInput": .string(duration)])
        return GrafanaServer.request("POST", "/api/ds/query", query)
    }

    /// Sends a slow query and waits until it runs.
    private func startSlowQuery(_ server: GrafanaServer, _ duration: String) async throws -> LoopbackConnection {
        let connection = try LoopbackConnection(port: server.port)
        connection.send(Self.slowQuery(duration))
        try await eventually("the query runs", within: 30) {
            try server.pluginNumber("callsRunning", of: "grafana-testdata-datasource") == 1
        }
        return connection
    }

    @Test func aRunningQueryEndsBeforeTheServer() async throws {
        try await GrafanaHome.withServer { server, _ in
            let connection = try await startSlowQuery(server, "2s")

            server.program.signal(SIGTERM)
            let answer = try connection.readAnswer()

            #expect(answer.status == 200 && answer.frames.count == 1)
            #expect(try await server.program.exitStatus() == 0)
            #expect(server.log.contains("Server stopped"))
            #expect(throws: RealServerError.self) { try LoopbackConnection(port: server.port) }
        }
    }

    @Test func aQueryThatTakesTooLongIsToldThatTheServerEnds() async throws {
        try await GrafanaHome.use { home in
            let server = try await home.start(["server.shutdown_timeout=100ms"])
            defer { server.program.end() }
            let connection = try await startSlowQuery(server, "60s")
            let begin = ContinuousClock.now

            server.program.signal(SIGTERM)
            let answer = try connection.readAnswer()

            #expect(answer.json["results"]?["A"]?["status"]?.int == 503, "\(answer.text)")
            #expect(answer.queryError?.contains("the server is shutting down") == true)
            #expect(try await server.program.exitStatus() == 0)
            #expect(ContinuousClock.now - begin < .seconds(20))
        }
    }

    @Test func theSecondSignalEndsAtOnce() async throws {
        try await GrafanaHome.withServer { server, _ in
            let connection = try await startSlowQuery(server, "60s")
            server.program.signal(SIGTERM)
            try await eventually("the first signal is heard", within: 30) { server.log.contains("Shutting down") }
            let begin = ContinuousClock.now

            server.program.signal(SIGTERM)

            #expect(try await server.program.exitStatus() == 143)
            #expect(ContinuousClock.now - begin < .seconds(5))
            connection.close()
        }
    }

    @Test func anIdleServerEndsSoonThoughClientsStayConnected() async throws {
        try await GrafanaHome.withServer { server, _ in
            let idle = try LoopbackConnection(port: server.port)
            #expect(try idle.exchange(GrafanaServer.request("GET", "/livez")).status == 200)
            let begin = ContinuousClock.now

            #expect(try await server.stop() == 0)
            #expect(ContinuousClock.now - begin < .seconds(5))
        }
    }
}
