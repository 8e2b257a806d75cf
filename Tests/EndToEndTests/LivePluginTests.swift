// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// Plugins come, change and go while the server runs.
    struct LivePluginTests {}
}

extension EndToEnd.LivePluginTests {
    private static let helloID = "grafana-helloc-datasource"
    private static let sineID = "grafana-sineswift-datasource"
    private static let allowed = "plugins.allow_loading_unsigned_plugins=\(helloID),\(sineID)"

    private func healthText(_ server: GrafanaServer) throws -> String {
        try server.get("/api/datasources/uid/hello/health").message
    }

    @Test func aPluginComesChangesAndGoesWithoutARestart() async throws {
        try await GrafanaHome.withServer([Self.allowed]) { server, home in
            #expect(try server.get("/api/plugins/\(Self.helloID)/health").status == 404)

            try await HelloPlugin().build(into: home.plugins.appending(path: "hello"))
            try await eventually("the plugin comes", within: 30) {
                try server.get("/api/plugins/\(Self.helloID)/health").status == 200
            }
            try server.addDataSource("hello", type: Self.helloID)
            let query: JSONObject = ["amplitude": 3, "intervalMs": 1000, "maxDataPoints": 60]
            let answer = try server.query("hello", query, from: "1700000000000", to: "1700000060000")
            let values = answer.frames.first?.values(1) ?? []
            #expect(answer.status == 200 && values.count == 60)
            let expected = (0..<60).map { 3 * sin(2 * .pi * Double((1_700_000_000 + $0) % 600) / 600) }
            #expect(zip(values, expected).allSatisfy { abs(($0.double ?? .nan) - $1) < 1e-9 })
            #expect(try healthText(server) == "Hello from C")

            try await HelloPlugin(greeting: "Hello again").build(into: home.plugins.appending(path: "hello"))
            try await eventually("the new build answers", within: 30) { try healthText(server) == "Hello again" }
            #expect(try server.pluginNumber("generation", of: Self.helloID).map { $0 >= 2 } == true)

            try FileManager.default.removeItem(at: home.plugins.appending(path: "hello"))
            try await eventually("the plugin goes", within: 30) {
                try server.get("/api/plugins/\(Self.helloID)/health").status == 404
            }
            let gone = try server.query("hello", query)
            #expect(gone.status == 404 && gone.message == "Plugin not registered", "\(gone.text)")
        }
    }

    @Test func aBrokenBuildLeavesTheRunningOneAlone() async throws {
        try await GrafanaHome.withServer([Self.allowed]) { server, home in
            let folder = home.plugins.appending(path: "hello")
            try await HelloPlugin().build(into: folder)
            try await eventually("the plugin comes", within: 30) {
                try server.get("/api/plugins/\(Self.helloID)/health").status == 200
            }
            try server.addDataSource("hello", type: Self.helloID)

            try HelloPlugin.replaceLibrary(in: folder, with: Array("not a library\n".utf8))
            let error = try await reported(server, code: "library-not-elf")

            #expect(error["pluginId"]?.string == Self.helloID)
            #expect(try healthText(server) == "Hello from C")
            try await HelloPlugin(greeting: "Hello again").build(into: folder)
            try await eventually("the new build answers", within: 30) { try healthText(server) == "Hello again" }
            #expect(try server.get("/api/plugins/errors").json == [])
        }
    }

    /// Waits for an error of `GET /api/plugins/errors`.
    private func reported(_ server: GrafanaServer, code: String) async throws -> JSONValue {
        var error: JSONValue?
        try await eventually("\(code) is reported", within: 30) {
            error = try server.get("/api/plugins/errors").json.array?.first { $0["code"]?.string == code }
            return error != nil
        }
        return try #require(error)
    }

    /// Checks that the log says the same as the API.
    private func checkLog(_ server: GrafanaServer, says error: JSONValue) {
        let code = error["code"]?.string ?? "?"
        let line = server.log.split(separator: "\n").last { $0.contains("code=\(code) ") }
        for key in ["message", "found", "remedy", "folder"] {
            // A text in quotes, as in JSON.
            let words = JSONValue.string(error[key]?.string ?? "?").encoded().dropFirst().dropLast()
            #expect(line?.contains(words) == true, "\(key): \(words)\n\(line ?? "no line")")
        }
    }

    @Test func refusedFoldersSayWhyInTheAPIAndTheLog() async throws {
        try await GrafanaHome.withServer([Self.allowed]) { server, home in
            let text = home.plugins.appending(path: "text")
            try await HelloPlugin().build(into: text)
            try HelloPlugin.replaceLibrary(in: text, with: Array("not a library\n".utf8))
            let broken = home.plugins.appending(path: "broken")
            try FileManager.default.createDirectory(at: broken, withIntermediateDirectories: true)
            try #"{"id": "acme-broken-"#.write(
                to: broken.appending(path: "plugin.json"), atomically: true, encoding: .utf8)

            let library = try await reported(server, code: "library-not-elf")
            let json = try await reported(server, code: "plugin-json-malformed")

            #expect(library["pluginId"]?.string == Self.helloID)
            // Without an id, the folder's name has to do.
            #expect(json["pluginId"]?.string == "broken")
            for error in [library, json] { checkLog(server, says: error) }
        }
    }

    @Test func unsignedPluginsAreRefusedInProduction() async throws {
        try await GrafanaHome.use { home in
            try await HelloPlugin().build(into: home.plugins.appending(path: "hello"))
            let production = try await home.start()
            defer { production.program.end() }

            let error = try await reported(production, code: "signature-missing")
            checkLog(production, says: error)
            #expect(error["errorCode"]?.string == "signatureMissing")
            #expect(error["remedy"]?.string?.contains("allow_loading_unsigned_plugins") == true)
            #expect(try production.get("/api/plugins/\(Self.helloID)/settings").status == 500)
            #expect(try await production.stop() == 0)

            let development = try await home.start([], environment: ["GF_DEFAULT_APP_MODE": "development"])
            defer { development.program.end() }
            #expect(try development.get("/api/plugins/\(Self.helloID)/health").status == 200)
        }
    }

    @Test func aSwiftPluginAnswersAndStreams() async throws {
        let built = repositoryRoot.appending(path: ".build/examples/sine-swift")
        try #require(FileManager.default.fileExists(atPath: built.path), "run 'make examples' first")
        try await GrafanaHome.withServer([Self.allowed]) { server, home in
            try FileManager.default.copyItem(at: built, to: home.plugins.appending(path: "sine"))
            try await eventually("the plugin comes", within: 30) {
                try server.get("/api/plugins/\(Self.sineID)/health").status == 200
            }
            try server.addDataSource("bare", type: Self.sineID)
            try server.addDataSource("sine", type: Self.sineID, ["secureJsonData": ["apiKey": "s3cret"]])

            let answer = try server.query(
                "sine", ["intervalMs": 1000, "maxDataPoints": 60], from: "1700000000000", to: "1700000060000")
            let values = answer.frames.first?.values(1) ?? []
            #expect(values.count == 60)
            #expect(zip(values, 0..<60).allSatisfy { abs(($0.double ?? .nan) - sin(1.7e9 + Double($1))) < 1e-6 })
            #expect(try server.get("/api/datasources/uid/bare/health").message == "no apiKey: set it and save")
            #expect(try server.get("/api/datasources/uid/sine/health").message == "ready")

            let stream = try LoopbackConnection(port: server.port)
            stream.send(GrafanaServer.request("GET", "/api/live/sse/ds/sine/values"))
            let head = try stream.readText(until: "\"values\"")
            #expect(head.hasPrefix("HTTP/1.1 200") && head.contains("text/event-stream"))
            #expect(try stream.readText(until: "data: {\"data\"").contains("\"values\""))
            stream.close()
            try await eventually("the listener is gone", within: 30) {
                try server.metric("grafana_live_node_num_clients") == 0
            }
        }
    }
}
