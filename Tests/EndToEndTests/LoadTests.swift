// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// Many clients at once while plugins are loaded again.
    ///
    /// `LONG=1` (`make soak`) takes a minute.
    struct LoadTests {}
}

extension EndToEnd.LoadTests {
    private static let clientCount = 500
    private static let isLong = ProcessInfo.processInfo.environment["LONG"] == "1"
    private static let duration = Duration.seconds(isLong ? 60 : 8)
    private static let helloID = "grafana-helloc-datasource"

    /// What the clients of one wave met.
    private final class Outcome: Sendable {
        private let state = Mutex((requests: 0, failures: [String]()))

        func add(requests: Int, failure: String?) {
            state.withLock { state in
                state.requests += requests
                if let failure, state.failures.count < 100 { state.failures.append(failure) }
            }
        }

        var requests: Int { state.withLock { $0.requests } }
        var failures: [String] { state.withLock { $0.failures } }
    }

    /// One client: a kept-alive connection, one request after the other; ends with the first that fails.
    private static func ask(_ server: GrafanaServer, _ requests: [[UInt8]], until end: ContinuousClock.Instant)
        -> (requests: Int, failure: String?)
    {
        var count = 0
        do {
            let connection = try LoopbackConnection(port: server.port)
            while ContinuousClock.now < end {
                let answer = try connection.exchange(requests[count % requests.count])
                guard answer.status == 200 else { return (count, "\(answer.status) \(answer.text.prefix(300))") }
                count += 1
            }
            return (count, nil)
        } catch {
            return (count, "request \(count): \(error)")
        }
    }

    /// Lets all clients ask for some time, and meanwhile loads the plugin again and again.
    ///
    /// - Parameter least: how many times at the least, however slow the machine is.
    /// - Returns: The outcome and the number of reloads.
    private func wave(
        _ server: GrafanaServer, _ duration: Duration, least: Int = 0
    ) async throws -> (Outcome, reloads: Int) {
        let hello: JSONObject = ["intervalMs": 1000, "maxDataPoints": 60]
        let walk: JSONObject = ["scenarioId": "random_walk", "intervalMs": 1000, "maxDataPoints": 60]
        let requests = [
            GrafanaServer.request("POST", "/api/ds/query", GrafanaServer.query("hello", hello, from: "now-1m")),
            GrafanaServer.request("GET", "/api/datasources/uid/hello/resources/greeting"),
            GrafanaServer.request("POST", "/api/ds/query", GrafanaServer.query("demo", walk, from: "now-1m")),
            GrafanaServer.request("GET", "/api/datasources/uid/hello/health"),
            GrafanaServer.request("GET", "/api/health", user: nil),
        ]
        let outcome = Outcome()
        let running = DispatchGroup()
        let end = ContinuousClock.now + duration
        for number in 0..<Self.clientCount {
            running.enter()
            Thread.detachNewThread {
                let mine = (0..<requests.count).map { requests[($0 + number) % requests.count] }
                let (count, failure) = Self.ask(server, mine, until: end)
                outcome.add(requests: count, failure: failure)
                running.leave()
            }
        }
        var reloads = 0
        while ContinuousClock.now < end || reloads < least {
            let answer = try server.send("POST", "/api/plugins/\(Self.helloID)/reload")
            #expect(answer.status == 200, "\(answer.text)")
            reloads += 1
            try await Task.sleep(for: .milliseconds(100))  // Reason: the pace of reloads
        }
        try await eventually("all clients are done", within: 60) { running.wait(timeout: .now()) == .success }
        return (outcome, reloads)
    }

    @Test func fiveHundredClientsLoseNothingWhilePluginsAreReloaded() async throws {
        let allowed = "plugins.allow_loading_unsigned_plugins=\(Self.helloID)"
        try await GrafanaHome.withServer([allowed]) { server, home in
            try await HelloPlugin().build(into: home.plugins.appending(path: "hello"))
            try await eventually("the plugin comes", within: 30) {
                try server.get("/api/plugins/\(Self.helloID)/health").status == 200
            }
            try server.addDataSource("hello", type: Self.helloID)
            let facts = ProcessFacts(pid: server.program.pid)
            // The first wave fills pools and caches; what the second adds would be a leak.
            let (first, _) = try await wave(server, .seconds(2))
            try await settle(server)
            let (descriptors, threads, memory) = (facts.descriptorCount, facts.threadCount, facts.residentBytes)

            let (second, reloads) = try await wave(server, Self.duration, least: 11)
            try await settle(server)

            #expect(first.failures.isEmpty, "\(first.failures.prefix(3))")
            #expect(second.failures.isEmpty, "\(second.failures.count): \(second.failures.prefix(3))")
            #expect(second.requests > Self.clientCount && reloads > 10)
            let growth = (facts.residentBytes - memory) >> 10
            print(
                "load: \(second.requests) requests of \(Self.clientCount) clients, \(reloads) reloads;",
                "descriptors \(descriptors) -> \(facts.descriptorCount), threads \(threads) -> \(facts.threadCount),",
                "memory \(memory >> 20) MiB + \(growth) KiB")
            // Libraries are never closed, so each generation keeps its pages: see the plugin ABI's documents.
            #expect(growth < 32 * 1024 + reloads * 256, "KiB")
            #expect(facts.descriptorCount <= descriptors + 10)
            // An idle thread of the current generation ends after ten seconds.
            try await eventually("idle threads end", within: 30) { facts.threadCount <= threads + 10 }
        }
    }

    /// Waits until the server has noticed that its clients are gone.
    private func settle(_ server: GrafanaServer) async throws {
        try await eventually("connections end", within: 30) { try server.metric("grafana_http_connections") == 1 }
    }
}
