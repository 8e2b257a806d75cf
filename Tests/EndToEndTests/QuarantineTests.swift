// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// Plugins that crash, or hang, in the server's own process.
    struct QuarantineTests {}
}

extension EndToEnd.QuarantineTests {
    /// In development mode a setting brings any plugin into the server's process.
    private static let environment = ["GF_DEFAULT_APP_MODE": "development"]
    private static let overrides = ["plugins.isolation=in-process"]

    private func withPlugin(
        _ plugin: CrashingPlugin = CrashingPlugin(), _ more: [String] = [],
        _ body: (GrafanaServer, GrafanaHome) async throws -> Void
    ) async throws {
        try await GrafanaHome.use { home in
            try await plugin.build(into: home.plugins.appending(path: "crashing"))
            let server = try await home.start(Self.overrides + more, environment: Self.environment)
            defer { server.program.end() }
            try server.addDataSource("crash", type: plugin.id)
            #expect(try Self.level(server, plugin.id) == "in-process")
            try await body(server, home)
        }
    }

    private static func status(_ server: GrafanaServer, _ id: String) throws -> JSONValue? {
        try server.get("/api/plugins/\(id)").json["status"]
    }

    private static func level(_ server: GrafanaServer, _ id: String) throws -> String? {
        try status(server, id)?["level"]?.string
    }

    /// Sends a query and does not wait for its answer.
    private static func ask(_ server: GrafanaServer, _ mode: String) throws -> LoopbackConnection {
        let connection = try LoopbackConnection(port: server.port)
        let query = GrafanaServer.query("crash", ["try": .string(mode)])
        connection.send(GrafanaServer.request("POST", "/api/ds/query", query))
        return connection
    }

    private static func isFine(_ answer: HTTPAnswer) -> Bool {
        answer.frames.first?.values(0).first?.string == "fine"
    }

    /// The harm, and whether the plugin has Swift in it.
    private static let harms = [
        ("fault-later", false), ("abort", false), ("exit", false), ("overflow", false), ("thread", false),
        ("thread-abort", false),
        ("raise", false), ("trap", true),
    ]

    @Test(arguments: harms)
    func aCrashingPluginIsMovedAndTheServerGoesOn(harm: String, hasSwift: Bool) async throws {
        let plugin = CrashingPlugin(hasSwift: hasSwift)
        try await withPlugin(plugin) { server, _ in
            #expect(Self.isFine(try server.query("crash", ["try": "nothing"])))

            let lost = try Self.ask(server, harm)
            #expect((try? lost.readToEnd())?.isEmpty != false)
            try await eventually("the server answers again", within: 30) {
                (try? server.get("/readyz", user: nil))?.status == 200
            }

            #expect(server.program.isRunning)
            let status = try Self.status(server, plugin.id)
            #expect(status?["level"]?.string == "process")
            #expect(status?["quarantine"]?["cause"]?.string == "crash", "\(status ?? .null)")
            #expect(status?["quarantine"]?["version"]?.string == "1.0.0")
            let process = Int32(status?["process"]?["pid"]?.int ?? 0)
            #expect(process > 0 && process != server.program.pid)
            #expect(Self.isFine(try server.query("crash", ["try": "nothing"])))
            let labels = "{plugin_id=\"\(plugin.id)\",cause=\"crash\"}"
            #expect(try server.get("/metrics").text.contains("grafana_plugin_quarantined\(labels) 1\n"))
            #expect(server.log.contains("The server crashed and began anew in the same process"))

            // The second crash fails its call, and nothing else.
            let failed = try server.query("crash", ["try": .string(harm)])
            #expect(failed.status == 503 && failed.text.contains("the process of plugin"), "\(failed.text)")
            #expect(server.program.isRunning)
            #expect(Self.isFine(try server.query("crash", ["try": "nothing"])))
            let begun = server.log.split(separator: "\n").count { $0.contains("HTTP server listens") }
            #expect(begun == 2)
        }
    }

    @Test func whoWaitsToBeAcceptedIsAnswered() async throws {
        try await withPlugin(CrashingPlugin(), ["server.max_connections=8"]) { server, _ in
            let process = server.program.pid
            // With the query there are as many connections as the server takes: the others wait in the backlog.
            var held: [LoopbackConnection] = []
            for _ in 0..<7 {
                let connection = try LoopbackConnection(port: server.port)
                #expect(try connection.exchange(GrafanaServer.request("GET", "/api/health")).status == 200)
                held.append(connection)
            }
            let lost = try Self.ask(server, "fault-later")
            let waiting = try (0..<20).map { _ in
                let connection = try LoopbackConnection(port: server.port)
                connection.send(GrafanaServer.request("GET", "/api/health"))
                return connection
            }

            // Each makes room for those behind it when it goes.
            let statuses = waiting.map { connection in
                defer { connection.close() }
                return (try? connection.readAnswer())?.status ?? 0
            }

            #expect(statuses == Array(repeating: 200, count: 20))
            #expect((try? lost.readToEnd())?.isEmpty != false)
            #expect(held.allSatisfy { (try? $0.readToEnd())?.isEmpty != false })
            #expect(server.program.isRunning && server.program.pid == process)
            #expect(try String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8) == "grafana\n")
        }
    }

    @Test func quarantineSurvivesRestartsUntilItIsEnded() async throws {
        let plugin = CrashingPlugin()
        try await withPlugin(plugin) { server, home in
            _ = try? Self.ask(server, "fault-later").readToEnd()
            try await eventually("the server answers again", within: 30) {
                (try? server.get("/readyz", user: nil))?.status == 200
            }
            let stopped = try await server.stop()
            #expect(stopped == 0)

            let second = try await home.start(Self.overrides, environment: Self.environment)
            defer { second.program.end() }
            #expect(try Self.level(second, plugin.id) == "process")

            let release = [
                "plugins", "release", plugin.id, "--url", "http://127.0.0.1:\(second.port)", "--user", "admin",
                "--password", "admin",
            ]
            let released = try await Tool.run(BuiltProgram.url("grafana-cli").path, release)
            #expect(released.status == 0 && released.output.contains("runs in the server's process again"))
            #expect(try Self.level(second, plugin.id) == "in-process")
            #expect(try Self.status(second, plugin.id)?["quarantine"] == .null)
            let again = try await Tool.run(BuiltProgram.url("grafana-cli").path, release)
            #expect(again.status == 65 && again.output.contains("404"), "\(again)")
        }
    }

    @Test func theServersChildrenEndWithItsImage() async throws {
        try await GrafanaHome.use { home in
            let other = CrashingPlugin(id: "test-other-datasource")
            try await CrashingPlugin().build(into: home.plugins.appending(path: "crashing"))
            try await other.build(into: home.plugins.appending(path: "other"))
            let server = try await home.start(
                ["plugin.test-crashing-datasource.isolation=in-process", "plugins.isolation=process"],
                environment: Self.environment)
            defer { server.program.end() }
            try server.addDataSource("crash", type: "test-crashing-datasource")
            try server.addDataSource("other", type: other.id)
            #expect(Self.isFine(try server.query("other", ["try": "nothing"])))
            let before = Int32(try Self.status(server, other.id)?["process"]?["pid"]?.int ?? 0)
            #expect(ProcessState.isRunning(before))

            _ = try? Self.ask(server, "fault-later").readToEnd()
            try await eventually("the server answers again", within: 30) {
                (try? server.get("/readyz", user: nil))?.status == 200
            }

            #expect(!ProcessState.isRunning(before))
            #expect(!FileManager.default.fileExists(atPath: "/proc/\(before)/stat"))
            #expect(Self.isFine(try server.query("other", ["try": "nothing"])))
            #expect(try Self.status(server, other.id)?["quarantine"] == .null)
        }
    }

    @Test func switchedOffACrashEndsTheServer() async throws {
        try await withPlugin(CrashingPlugin(), ["plugins.quarantine=off"]) { server, _ in
            _ = try? Self.ask(server, "fault-later").readToEnd()

            let status = try await server.program.exitStatus()
            #expect(status == 128 + SIGSEGV)
        }
    }

    @Test func aPluginWhoseCallsHangIsMoved() async throws {
        let plugin = CrashingPlugin()
        try await withPlugin(plugin, ["dataproxy.timeout=1"]) { server, _ in
            // A client that leaves cancels its call, which the plugin does not end.
            for number in 1...3 {
                let connection = try Self.ask(server, "hang")
                try await eventually("the call runs", within: 30) {
                    try server.pluginNumber("callsTotal", of: plugin.id) ?? 0 >= number
                }
                connection.reset()
                try await eventually("the call is given up", within: 30) {
                    try server.pluginNumber("callsAbandoned", of: plugin.id) ?? 0 >= number
                        || Self.level(server, plugin.id) == "process"
                }
            }
            try await eventually("the plugin is moved", within: 30) { try Self.level(server, plugin.id) == "process" }

            #expect(try Self.status(server, plugin.id)?["quarantine"]?["cause"]?.string == "hang")
            #expect(Self.isFine(try server.query("crash", ["try": "nothing"])))
        }
    }

    @Test func aPluginThatKeepsTheServersMemoryIsMoved() async throws {
        let plugin = CrashingPlugin()
        try await withPlugin(plugin) { server, _ in
            #expect(Self.isFine(try server.query("crash", ["try": "keep-memory"])))

            try await eventually("the plugin is moved", within: 30) { try Self.level(server, plugin.id) == "process" }
            #expect(try Self.status(server, plugin.id)?["quarantine"]?["cause"]?.string == "memory")
        }
    }
}
