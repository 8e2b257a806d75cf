// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// Plugins that a running server installs, through its API and through `grafana-cli --url`.
    struct PluginInstallTests {
        private static let id = "grafana-helloc-datasource"

        /// A catalogue that serves one archive of the hello plugin, as Grafana's protocol has it.
        private static func withCatalogue(
            versions: [String], _ body: (RealServer, URL) async throws -> Void
        ) async throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "catalogue-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            var list: [JSONValue] = []
            for version in versions {
                let source = folder.appending(path: "source-\(version)/\(id)")
                try FileManager.default.createDirectory(
                    at: source.deletingLastPathComponent(), withIntermediateDirectories: true)
                try await HelloPlugin().build(into: source)
                try rename(version, in: source)
                let archive = folder.appending(path: "\(version).zip").path
                let packed = try await Tool.run("python3", ["-m", "zipfile", "-c", archive, source.path])
                guard packed.status == 0 else { throw RealServerError("zipfile: \(packed.output)") }
                list.append(["version": .string(version), "file": .string("\(version).zip")])
            }
            let catalogue: JSONValue = [id: .array(list)]
            try Data(catalogue.encoded().utf8).write(to: folder.appending(path: "catalogue.json"))
            let port = try LoopbackSocket.freePort()
            let script = repositoryRoot.appending(path: "Tests/Catalog/catalogue_server.py").path
            let server = try RealServer(
                "python3", [script, "\(port)", folder.path], port: port, log: folder.appending(path: "server.log"))
            defer { server.end() }
            try await server.wait(for: "/requests")
            try await body(server, folder)
        }

        /// Gives plugin.json another version; the library keeps its own, 1.0.0, and such a plugin is refused.
        private static func rename(_ version: String, in folder: URL) throws {
            let file = folder.appending(path: "plugin.json")
            let text = try String(contentsOf: file, encoding: .utf8)
            try text.replacing(/"version": *"[^"]*"/, with: "\"version\": \"\(version)\"")
                .write(to: file, atomically: true, encoding: .utf8)
        }

        private static func settings(_ catalogue: RealServer) -> [String] {
            [
                "grafana_com.api_url=\(catalogue.url)/api", "plugins.allow_loading_unsigned_plugins=\(id)",
            ]
        }

        @Test func theServerInstallsRefusesAndRemoves() async throws {
            try await Self.withCatalogue(versions: ["1.1.0", "1.0.0"]) { catalogue, _ in
                try await GrafanaHome.withServer(Self.settings(catalogue)) { server, home in
                    let old = try server.send("POST", "/api/plugins/\(Self.id)/install", ["version": "1.0.0"])
                    let again = try server.send("POST", "/api/plugins/\(Self.id)/install", ["version": "1.0.0"])
                    let health = try server.get("/api/plugins/\(Self.id)/health")
                    // Its library says 1.0.0: the server refuses it, and the old version goes on.
                    let refused = try server.send("POST", "/api/plugins/\(Self.id)/install")
                    let after = try server.get("/api/plugins/\(Self.id)/settings")
                    let core = try server.send("POST", "/api/plugins/prometheus/install")
                    let coreGone = try server.send("POST", "/api/plugins/prometheus/uninstall")
                    let unknown = try server.send("POST", "/api/plugins/acme-none-panel/install")
                    let version = try server.send("POST", "/api/plugins/\(Self.id)/install", ["version": "9.9.9"])
                    let removed = try server.send("POST", "/api/plugins/\(Self.id)/uninstall")
                    let gone = try server.send("POST", "/api/plugins/\(Self.id)/uninstall")

                    #expect(old.status == 200, "\(old.text)")
                    #expect(again.status == 409)
                    #expect(again.message == "Plugin already installed")
                    #expect(health.json["details"]?["version"] == "1.0.0")
                    #expect(refused.status == 409)
                    #expect(refused.message.contains("[descriptor-differs]"), "\(refused.text)")
                    #expect(after.json["info"]?["version"] == "1.0.0")
                    #expect(core.status == 403)
                    #expect(core.message == "Cannot install or change a Core plugin")
                    #expect(coreGone.message == "Cannot uninstall a Core plugin")
                    #expect(unknown.status == 404)
                    #expect(version.status == 404)
                    #expect(
                        version.message
                            == "\(Self.id) v9.9.9 either does not exist or is not supported on your system (linux)")
                    #expect(removed.status == 200, "\(removed.text)")
                    #expect(gone.status == 404)
                    #expect(gone.message == "Plugin not installed")
                    #expect(try server.get("/api/plugins/\(Self.id)/settings").status == 404)
                    let left = try FileManager.default.contentsOfDirectory(atPath: home.plugins.path).sorted()
                    #expect(left == [".catalog", "plugins.lock.json"])
                }
            }
        }

        @Test func theCommandLineAsksTheServerAndShowsItsWords() async throws {
            try await Self.withCatalogue(versions: ["1.0.0"]) { catalogue, folder in
                try await GrafanaHome.withServer(Self.settings(catalogue)) { server, _ in
                    func run(_ words: [String]) async throws -> (status: Int32, output: String) {
                        let log = folder.appending(path: "cli-\(UUID().uuidString)")
                        let program = try LeashedProgram(
                            BuiltProgram.url("grafana-cli").path,
                            ["plugins"] + words + ["--url", "http://127.0.0.1:\(server.port)", "--user", "admin"],
                            environment: ["GRAFANA_PASSWORD": "admin"], log: log)
                        return (try await program.exitStatus(), program.output)
                    }

                    let installed = try await run(["install", Self.id])
                    let updated = try await run(["update", "--all"])
                    let unknown = try await run(["install", "acme-none-panel"])
                    let removed = try await run(["remove", Self.id])

                    #expect(installed.status == 0, "\(installed.output)")
                    #expect(installed.output.contains("✔ Plugin \(Self.id) v1.0.0 installed"))
                    #expect(updated.status == 0, "\(updated.output)")
                    #expect(unknown.status == 65, "\(unknown.output)")
                    #expect(removed.output == "✔ Removed \(Self.id)\n")
                }
            }
        }

        @Test func preinstalledPluginsAreThereAndStay() async throws {
            try await Self.withCatalogue(versions: ["1.0.0"]) { catalogue, _ in
                let settings = Self.settings(catalogue) + ["plugins.preinstall_sync=\(Self.id)@1.0.0"]
                try await GrafanaHome.withServer(settings) { server, _ in
                    let health = try server.get("/api/plugins/\(Self.id)/health")
                    let removed = try server.send("POST", "/api/plugins/\(Self.id)/uninstall")
                    let installed = try server.send("POST", "/api/plugins/\(Self.id)/install")

                    #expect(health.status == 200)
                    #expect(removed.status == 409)
                    #expect(installed.status == 409)
                }
            }
        }

        @Test func aPreinstallThatFailsEndsTheStart() async throws {
            try await Self.withCatalogue(versions: ["1.0.0"]) { catalogue, _ in
                try await GrafanaHome.use { home in
                    let program = try home.launch(
                        Self.settings(catalogue), environment: ["GF_INSTALL_PLUGINS": "acme-none-panel"])

                    #expect(try await program.exitStatus() == 65)
                    #expect(program.output.contains("plugin 'acme-none-panel': plugin not found"))
                }
            }
        }
    }
}
