// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// A Go plugin in the plugins folder of a real server.
    struct GoPluginTests {}
}

extension EndToEnd.GoPluginTests {
    private static let id = "peer-datasource"
    private static let allowed = "plugins.allow_loading_unsigned_plugins=\(id)"

    /// Puts the Go peer, built from Debian's packages, into the plugins folder.
    private static func install(_ home: GrafanaHome) async throws {
        let peers = repositoryRoot.appending(path: ".build/peers")
        let script = repositoryRoot.appending(path: "Tests/Peers/go-plugin/build.sh").path
        let (status, output) = try await Tool.run("sh", [script, peers.path], seconds: 600)
        try #require(status == 0, "\(output)")
        let folder = home.plugins.appending(path: "peer")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: peers.appending(path: "go-plugin-peer"), to: folder.appending(path: "peer_linux_amd64"))
        let json = #"{"id": "\#(id)", "type": "datasource", "name": "Peer", "backend": true, "executable": "peer"}"#
        try json.write(to: folder.appending(path: "plugin.json"), atomically: true, encoding: .utf8)
    }

    private static func addSource(_ server: GrafanaServer) throws {
        try server.addDataSource("peer", type: id, ["secureJsonData": ["apiKey": "secret"]])
    }

    @Test func aDroppedInPluginAnswersAndGoes() async throws {
        try await GrafanaHome.withServer([Self.allowed]) { server, home in
            try await Self.install(home)
            try await eventually("the plugin comes", within: 30) {
                try server.get("/api/plugins/\(Self.id)/health").status == 200
            }
            try Self.addSource(server)
            let file = repositoryRoot.appending(path: "../shared/fixtures/frames/ts_wide.arrow").standardized
            let answer = try server.query("peer", ["do": "file", "path": .string(file.path)])
            #expect(answer.status == 200 && answer.frames.count == 1, "\(answer.text)")
            let failed = try server.query("peer", ["do": "context"])
            #expect(failed.status == 400 && failed.queryError?.contains(#""login":"admin""#) == true, "\(failed.text)")
            let resource = try server.get("/api/datasources/uid/peer/resources/a/b?c=d")
            #expect(resource.text.hasPrefix("GET a/b?c=d\n"), "\(resource.text)")

            try FileManager.default.removeItem(at: home.plugins.appending(path: "peer"))
            try await eventually("the plugin goes", within: 30) {
                try server.get("/api/plugins/\(Self.id)/health").status == 404
            }
        }
    }

    @Test func noPluginOutlivesAServerThatIsKilled() async throws {
        try await GrafanaHome.use { home in
            try await Self.install(home)
            let server = try await home.start([Self.allowed])
            defer { server.program.end() }
            try Self.addSource(server)
            let health = try server.get("/api/datasources/uid/peer/health")
            let pid = try #require(health.json["details"]?["pid"]?.int.map(Int32.init), "\(health.text)")
            #expect(ProcessState.isRunning(pid))

            server.program.signal(SIGKILL)
            let deadline = ContinuousClock.now + .seconds(1)
            try await eventually("the plugin is gone", within: 30) { !ProcessState.isRunning(pid) }
            #expect(ContinuousClock.now < deadline)
        }
    }
}
