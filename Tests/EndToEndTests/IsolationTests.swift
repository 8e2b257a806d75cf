// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// Plugins in processes of their own.
    struct IsolationTests {}
}

extension EndToEnd.IsolationTests {
    private static let helloID = "grafana-helloc-datasource"
    private static let allowed = "plugins.allow_loading_unsigned_plugins=\(helloID)"

    /// A server with the plugin, and the plugin's process.
    private func withPlugin(
        _ overrides: [String] = [], _ body: (GrafanaServer, GrafanaHome, Int32) async throws -> Void
    ) async throws {
        try await GrafanaHome.use { home in
            try await HelloPlugin().build(into: home.plugins.appending(path: "hello"))
            let server = try await home.start([Self.allowed] + overrides)
            defer { server.program.end() }
            try server.addDataSource("hello", type: Self.helloID)
            #expect(try server.get("/api/datasources/uid/hello/health").message == "Hello from C")
            let status = try server.get("/api/plugins/\(Self.helloID)").json["status"]
            let process = try #require(status?["process"]?["pid"]?.int, "\(status ?? .null)")
            try await body(server, home, Int32(process))
        }
    }

    @Test func anUnsignedPluginRunsInASandbox() async throws {
        try await withPlugin { server, _, _ in
            let status = try server.get("/api/plugins/\(Self.helloID)").json["status"]

            #expect(status?["level"]?.string == "sandbox")
            #expect(status?["process"]?["enforced"]?.array?.contains("seccomp") == true)
        }
    }

    @Test func whatAProcessDoesIsTold() async throws {
        try await withPlugin(["plugin.\(Self.helloID).isolation=process"]) { server, _, process in
            let status = try server.get("/api/plugins/\(Self.helloID)").json["status"]
            let metrics = try server.get("/metrics").text

            #expect(status?["level"]?.string == "process")
            #expect(status?["process"]?["state"]?.string == "running")
            #expect(process != server.program.pid)
            let labels = "{plugin_id=\"\(Self.helloID)\"}"
            #expect(metrics.contains("grafana_plugin_process_up\(labels) 1\n"))
            #expect(metrics.contains("grafana_plugin_isolation_level\(labels) 2\n"))
            #expect(metrics.contains("target=\"local\""))
        }
    }

    @Test func noSettingBringsAPluginCloserThanItsSignatureAllows() async throws {
        try await withPlugin(["plugins.isolation=in-process"]) { server, _, _ in
            let level = try server.get("/api/plugins/\(Self.helloID)").json["status"]?["level"]?.string
            #expect(level == "process")
        }
    }

    /// An operator changes the settings file and reloads, while clients ask.
    @Test func aReloadMovesAPluginAndLosesNoRequest() async throws {
        try await GrafanaHome.use { home in
            func set(_ level: String) throws {
                let text = "[plugin.\(Self.helloID)]\nisolation = \(level)\n"
                try Data(text.utf8).write(to: home.settings, options: .atomic)
            }
            try await HelloPlugin().build(into: home.plugins.appending(path: "hello"))
            try set("process")
            let server = try await home.start([Self.allowed])
            defer { server.program.end() }
            try server.addDataSource("hello", type: Self.helloID)
            let clients = Clients(server, GrafanaServer.request("GET", "/api/datasources/uid/hello/health"), count: 4)
            for level in ["sandbox", "process", "sandbox", "process"] {
                try set(level)
                let answer = try server.send("POST", "/api/plugins/reload")
                let now = try server.get("/api/plugins/\(Self.helloID)").json["status"]?["level"]?.string

                #expect(answer.status == 200 && now == level, "\(answer.text)")
            }
            try Data("[plugin.\(Self.helloID)]\nisolation = nowhere\n".utf8).write(to: home.settings)
            #expect(try server.send("POST", "/api/plugins/\(Self.helloID)/reload").status == 200)

            let (answers, failures) = await clients.stop()
            #expect(answers >= 4 && failures.isEmpty, "\(failures)")
            #expect(try server.get("/api/plugins/\(Self.helloID)").json["status"]?["level"]?.string == "process")
            #expect(server.log.contains("isolation is 'nowhere'"))
        }
    }

    /// Clients that ask the same thing again and again on connections of their own.
    private final class Clients: Sendable {
        private let state = Mutex((answers: 0, failures: [String](), isOver: false))
        private let running = DispatchGroup()

        init(_ server: GrafanaServer, _ request: [UInt8], count: Int) {
            for _ in 0..<count {
                running.enter()
                Thread.detachNewThread {
                    self.ask(server, request)
                    self.running.leave()
                }
            }
        }

        private func ask(_ server: GrafanaServer, _ request: [UInt8]) {
            do {
                let connection = try LoopbackConnection(port: server.port)
                repeat {
                    let answer = try connection.exchange(request)
                    let isGood = answer.status == 200 && answer.message == "Hello from C"
                    state.withLock { state in
                        state.answers += 1
                        if !isGood { state.failures.append("\(answer.status) \(answer.text.prefix(300))") }
                    }
                } while !state.withLock({ $0.isOver })
            } catch {
                state.withLock { $0.failures.append("\(error)") }
            }
        }

        /// Lets each client end its last exchange.
        func stop() async -> (answers: Int, failures: [String]) {
            state.withLock { $0.isOver = true }
            await withCheckedContinuation { continuation in
                running.notify(queue: .global()) { continuation.resume() }
            }
            return state.withLock { ($0.answers, $0.failures) }
        }
    }

    @Test func killingTheServerLeavesNoProcessBehind() async throws {
        try await withPlugin { server, _, process in
            #expect(ProcessState.isRunning(process))

            server.program.signal(SIGKILL)
            _ = try await server.program.exitStatus()

            try await eventually("the process is gone", within: 1) { !ProcessState.isRunning(process) }
        }
    }

    /// What plugins start is ended by the guardian, which is another process with the next plugin when it was killed.
    @Test func killingTheServerLeavesNothingBehindThatAPluginStarted() async throws {
        try await GrafanaHome.use { home in
            let plugin = CrashingPlugin()
            try await plugin.build(into: home.plugins.appending(path: "crashing"))
            let server = try await home.start(
                ["plugin.\(plugin.id).isolation=process"], environment: ["GF_DEFAULT_APP_MODE": "development"])
            defer { server.program.end() }
            try server.addDataSource("crashing", type: plugin.id)
            func startChild() throws -> Int32 {
                let answer = try server.query("crashing", ["try": "child"])
                let number = answer.json["results"]?["A"]?["frames"]?[0]?["data"]?["values"]?[0]?[0]?.string
                return try #require(number.flatMap { Int32($0) }, "\(answer.text)")
            }
            func guardian() throws -> Int32 {
                let all = ProcessState.children(of: server.program.pid).filter {
                    (try? String(contentsOfFile: "/proc/\($0)/comm", encoding: .utf8)) == "plugin-guardian\n"
                }
                return try #require(all.first)
            }
            let first = try guardian()
            kill(first, SIGKILL)
            try await eventually("the guardian has ended", within: 30) { !ProcessState.isRunning(first) }
            let early = try startChild()
            #expect(try server.send("POST", "/api/plugins/\(plugin.id)/reload").status == 200)
            try await eventually("it ended with its plugin", within: 30) { !ProcessState.isRunning(early) }
            #expect(try guardian() != first)
            let late = try startChild()
            #expect(ProcessState.isRunning(late))

            server.program.signal(SIGKILL)
            _ = try await server.program.exitStatus()

            try await eventually("what the plugin started is gone", within: 1) { !ProcessState.isRunning(late) }
        }
    }

    @Test func aKilledPluginAnswersTheNextRequest() async throws {
        try await withPlugin { server, _, process in
            for _ in 0..<2 {
                let status = try server.get("/api/plugins/\(Self.helloID)").json["status"]
                if let current = status?["process"]?["pid"]?.int, current > 0 { kill(Int32(current), SIGKILL) }
                #expect(try server.get("/api/datasources/uid/hello/health").message == "Hello from C")
            }
            let status = try server.get("/api/plugins/\(Self.helloID)").json["status"]
            #expect(status?["process"]?["restarts"]?.int ?? 0 >= 1)
            #expect(!ProcessState.isRunning(process))
        }
    }
}
