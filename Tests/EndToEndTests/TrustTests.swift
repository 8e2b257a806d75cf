// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// Who is trusted changes while the server runs.
    struct TrustTests {}
}

extension EndToEnd.TrustTests {
    private static let id = "grafana-helloc-datasource"

    private func health(_ server: GrafanaServer) throws -> HTTPAnswer {
        try server.get("/api/datasources/uid/hello/health")
    }

    private func error(_ server: GrafanaServer) throws -> JSONValue? {
        try server.get("/api/plugins/errors").json.array?.first { $0["pluginId"]?.string == Self.id }
    }

    /// Runs `grafana-sign trust revoke`.
    private func revoke(_ arguments: [String], in folder: URL) async throws {
        let program = try BuiltProgram.url("grafana-sign").path
        let (status, output) = try await Tool.run(
            program, ["trust", "revoke"] + arguments + ["--trust", folder.path])
        try #require(status == 0, "\(output)")
    }

    @Test func aRevokedPluginEndsWithinSecondsAndComesBackWhenItIsTrustedAgain() async throws {
        let (signer, authority) = (try TestSigner(), try TestSigner("Security"))
        try await GrafanaHome.use { home in
            let folder = home.folder.appending(path: "trust")
            try signer.install(in: folder, plugins: ["grafana-*"])
            try authority.install(in: folder, plugins: [], mayRevoke: true)
            try await HelloPlugin().build(into: home.plugins.appending(path: "hello"))
            try signer.sign(home.plugins.appending(path: "hello").path)
            let server = try await home.start(["plugins.trust_path=\(folder.path)"])
            defer { server.program.end() }
            try server.addDataSource("hello", type: Self.id)
            let item = try server.get("/api/plugins").json.array?.first { $0["id"]?.string == Self.id }
            #expect(item?["signature"]?.string == "valid" && item?["signatureOrg"]?.string == "Acme Plugins")
            #expect(try health(server).message == "Hello from C")

            let secret = home.folder.appending(path: "lists.secret.asc")
            try authority.writeSecret(to: secret)
            try await revoke(
                ["--key-id", signer.fingerprint, "--reason", "stolen", "--key", secret.path], in: folder)
            try await eventually("the plugin of a revoked key ends", within: 5) { try health(server).status == 404 }

            #expect(try health(server).json["error"]?.string?.contains("is revoked: stolen") == true)
            let told = try error(server)
            #expect(told?["errorCode"]?.string == "signatureInvalid" && told?["code"]?.string == "signature-invalid")
            #expect(told?["signature"]?["code"]?.string == "key-revoked")
            #expect(told?["signature"]?["key"]?["fingerprint"]?.string == signer.fingerprint)
            #expect(try server.get("/", headers: ["Accept": "text/html"]).text.contains("is revoked: stolen"))
            #expect(server.log.contains("Plugin unloaded: it is no longer trusted"))

            let list = home.folder.appending(path: "list.txt")
            try Data(authority.revocations(serial: 2)).write(to: list)
            try await revoke(["--list", list.path], in: folder)
            try await eventually("it comes back", within: 5) { try health(server).message == "Hello from C" }
            #expect(try error(server) == nil)
            #expect(try await server.stop() == 0)
        }
    }

    @Test func aRevokedFileIsRefusedAlsoAfterARestartWithoutTheList() async throws {
        let (signer, authority) = (try TestSigner(), try TestSigner("Security"))
        try await GrafanaHome.use { home in
            let folder = home.folder.appending(path: "trust")
            try signer.install(in: folder)
            try authority.install(in: folder, plugins: [], mayRevoke: true)
            let plugin = home.plugins.appending(path: "hello")
            try await HelloPlugin().build(into: plugin)
            try signer.sign(plugin.path)
            let library = try #require(
                FileManager.default.contentsOfDirectory(atPath: plugin.path).first { $0.hasSuffix(".so") })
            let digest = try TestSigner.digest(of: plugin.appending(path: library))
            let list = folder.appending(path: "revocations.txt")
            let options = ["plugins.trust_path=\(folder.path)"]

            let first = try await home.start(options)
            try Data(authority.revocations(serial: 4, files: [digest], reason: "a back door"))
                .write(to: list, options: .atomic)
            try await eventually("the plugin ends", within: 5) {
                try error(first)?["signature"]?["code"]?.string == "file-revoked"
            }
            #expect(try await first.stop() == 0)
            try FileManager.default.removeItem(at: list)
            let second = try await home.start(options)
            defer { second.program.end() }

            let told = try error(second)
            #expect(told?["signature"]?["code"]?.string == "file-revoked")
            #expect(told?["signature"]?["file"]?["path"]?.string == library)
            #expect(try second.get("/api/plugins/trust").json["revocations"]?["serial"]?.int == 4)
        }
    }

    @Test func aPluginForOneServerRunsOnlyUnderItsURL() async throws {
        let signer = try TestSigner()
        try await GrafanaHome.use { home in
            let folder = home.folder.appending(path: "trust")
            try signer.install(in: folder)
            try await HelloPlugin().build(into: home.plugins.appending(path: "hello"))
            try signer.sign(
                home.plugins.appending(path: "hello").path, rootURLs: ["https://grafana.acme.example/"])
            let trust = "plugins.trust_path=\(folder.path)"

            let other = try await home.start([trust])
            #expect(try error(other)?["signature"]?["code"]?.string == "root-url-mismatch")
            #expect(try await other.stop() == 0)
            let own = try await home.start([trust, "server.root_url=https://grafana.acme.example"])
            defer { own.program.end() }

            #expect(try error(own) == nil)
            #expect(try own.get("/api/plugins/\(Self.id)/health").status == 200)
        }
    }
}
