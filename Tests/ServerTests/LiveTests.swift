// SPDX-License-Identifier: Apache-2.0
import NIOHTTP1
import PluginABI
import PluginHost
import Synchronization
import Testing

@testable import Server

struct LiveTests {
    private func listen(_ server: TestServer, _ path: String) throws -> RawConnection {
        let connection = try RawConnection(port: server.port)
        connection.send(
            "GET /api/live/sse/ds/probe/\(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n\r\n")
        return connection
    }

    /// The events' data in an answer.
    private func data(_ text: String) -> [JSONValue] {
        text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("data: ") }.compactMap {
            try? JSONValue(parsing: String($0.dropFirst(6)))
        }
    }

    @Test func theSchemaComesFirstThenRowsOnlyThenTheEnd() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()

            let text = try await listen(server, "short-a").readText()

            #expect(text.hasPrefix("HTTP/1.1 200 OK") && text.lowercased().contains("content-type: text/event-stream"))
            let events = data(text)
            #expect(events.first?["schema"]?["name"]?.string == "live" && events.first?["data"] != nil)
            #expect(events.dropFirst().prefix(2).allSatisfy { $0["schema"] == nil && $0["data"]?["values"] != nil })
            #expect(text.contains("event: end"))
        }
    }

    @Test func listenersShareOneRun() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()

            let first = try listen(server, "shared")
            _ = await first.readText(until: "\"values\"")
            let second = try listen(server, "shared")
            let text = await second.readText(until: "\"values\"")

            // Who comes later gets the schema before the rows.
            #expect(data(text).first?["schema"]?["name"]?.string == "live")
            #expect(ProbeDataSource.runs.withLock { $0["shared"] } == 1)
            #expect(try await server.get("/metrics").text.contains("grafana_live_node_num_clients 2"))
        }
    }

    @Test func aFailedRunIsRepeated() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()

            let text = try await listen(server, "fails-once").readText(until: "\"values\"")

            #expect(data(text).first?["data"]?["values"]?[0]?[0]?.double == 2)
        }
    }

    @Test func aRunWithoutListenersEnds() async throws {
        let policy = LivePolicy(presencePeriod: .milliseconds(20), presenceMisses: 3)
        try await TestServer.run(livePolicy: policy) { server async throws in
            try await server.addProbe()
            let connection = try listen(server, "lonely")
            _ = await connection.readText(until: "\"values\"")
            #expect(server.platform.plugins.contains { $0.id == "acme-probe-datasource" && $0.callsRunning == 1 })

            connection.close()

            try await eventually {
                server.platform.plugins.contains { $0.id == "acme-probe-datasource" && $0.callsRunning == 0 }
            }
        }
    }

    @Test func refusalsAreOrdinaryAnswers() async throws {
        try await TestServer.run(options: { $0.limits.liveListeners = 1 }) { server async throws in
            try await server.addProbe()

            #expect(try await server.get("/api/live/sse/ds/probe/missing").status == 404)
            #expect(try await server.get("/api/live/sse/ds/probe/secret").status == 403)
            #expect(try await server.get("/api/live/sse/ds/nothing/x").message == "Data source not found")
            #expect(try await server.get("/api/live/sse/ds/probe/a%20b").message == "invalid channel")
            let first = try listen(server, "taken")
            _ = await first.readText(until: "\"values\"")
            #expect(try await server.get("/api/live/sse/ds/probe/other").status == 503)
        }
    }

    @Test func aSlowListenerIsSentAwayAndTheOthersGoOn() {
        let channel = LiveChannel(key: LiveChannelKey(orgID: 1, uid: "a", path: "b"))
        _ = channel.join()
        #expect(channel.listenerCount == 1)

        for number in 0..<300 { channel.send(.data([UInt8(number % 256)])) }

        #expect(channel.listenerCount == 0)
        #expect(channel.join() != nil)
        channel.end(nil)
        #expect(channel.join() == nil)
    }
}
