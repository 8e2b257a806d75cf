// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import PluginABI
import PluginHost
import Settings
import Storage
import Testing

@testable import Server

struct HealthAPITests {
    @Test func healthNeedsNoCredentials() async throws {
        try await TestServer.run { server async throws in
            let health = try await server.get("/api/health", user: nil)

            #expect(health.status == 200)
            #expect(health.json == ["database": "ok", "version": "12.4.0", "commit": ""])
            for path in ["/healthz", "/livez", "/readyz"] {
                #expect(try await server.get(path, user: nil).text == "Ok")
            }
        }
    }

    @Test func aFailingDatabaseIs503() async throws {
        try await TestServer.run { server async throws in
            await server.stores.close()

            let health = try await server.get("/api/health", user: nil)

            #expect(health.status == 503 && health.json["database"]?.string == "failing")
        }
    }

    @Test func metricsCountRequests() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            _ = try await server.get("/api/datasources/uid/probe/health")
            _ = try await server.get("/api/whatever/\(UUID().uuidString)")

            let text = try await server.get("/metrics", user: nil).text

            #expect(
                text.contains(
                    #"grafana_http_request_duration_seconds_count{handler="/api/datasources/uid/{uid}/health",method="GET",status_code="200"} 1"#
                )
                    || text.contains(
                        #"grafana_http_request_duration_seconds_count{handler="/api/datasources/uid/:uid/health",method="GET",status_code="200"} 1"#
                    ),
                "\(text)")
            #expect(text.contains(#"handler="NotFound",method="GET",status_code="404""#))
            #expect(text.contains("grafana_build_info{version=\"12.4.0\""))
            #expect(text.contains("grafana_stat_totals_datasource{plugin_id=\"acme-probe-datasource\"} 1"))
            #expect(text.contains("grafana_plugin_request_total"))
            // Each line is a comment or a name with a value.
            for line in text.split(separator: "\n") where !line.hasPrefix("#") {
                #expect(Double(line.split(separator: " ").last ?? "") != nil, "\(line)")
            }
        }
    }

    @Test func metricsAskForTheirOwnCredentials() async throws {
        try await TestServer.run(options: {
            $0.metricsUser = "m"
            $0.metricsPassword = Secret("p")
        }) { server async throws in
            #expect(try await server.get("/metrics", user: nil).status == 401)
            #expect(try await server.get("/metrics", user: "m:p").status == 200)
            #expect(try await server.get("/metrics", user: "admin:admin").status == 401)
        }
        try await TestServer.run(options: { $0.areMetricsEnabled = false }) { server async throws in
            #expect(try await server.get("/metrics").status == 404)
        }
    }
}

struct SettingsAPITests {
    @Test func frontendSettingsHaveWhatClientsRead() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()

            let json = try await server.get("/api/frontend/settings/").json

            #expect(
                json["buildInfo"]?["version"]?.string == "12.4.0" && json["appUrl"]?.string == "http://localhost:3000/")
            #expect(json["namespace"]?.string == "default")
            let source = json["datasources"]?["probe"]
            #expect(source?["uid"]?.string == "probe" && source?["type"]?.string == "acme-probe-datasource")
            #expect(source?["meta"]?["id"]?.string == "acme-probe-datasource")
            #expect(json["datasources"]?["-- Grafana --"]?["uid"]?.string == "grafana")
            #expect(json["panels"]?["acme-clock-panel"]?["module"] != nil)
            #expect(try await server.get("/api/frontend/settings", user: nil).status == 401)
        }
    }

    @Test func adminSettingsHideSecrets() async throws {
        try await TestServer.run { server async throws in
            let answer = try await server.get("/api/admin/settings")

            #expect(answer.json["security"]?["secret_key"]?.string == "*********")
            #expect(answer.json["server"]?["http_port"]?.string == "3000" && answer.json["plugins"] != nil)
            _ = try await server.stores.users.create(NewUser(login: "ann", password: Secret("annie"), role: .admin))
            #expect(try await server.get("/api/admin/settings", user: "ann:annie").status == 403)
        }
    }

    @Test func headIsGetWithoutTheBody() async throws {
        try await TestServer.run { server async throws in
            for path in ["/api/health", "/api/user", "/login", "/public/plugins/acme-clock-panel/module.js"] {
                let get = try await server.get(path)
                let head = try await server.send(.HEAD, path)

                #expect(head.status == 200 && head.body.isEmpty, "\(path)")
                #expect(head.headers.first(name: "content-length") == "\(get.body.count)", "\(path)")
            }
        }
    }

    @Test func unknownPathsAreJSON() async throws {
        try await TestServer.run { server async throws in
            for path in ["/api/nope", "/api/", "/apis/x/y", "/api/tsdb/query", "/api/datasources/uid/x/y/z"] {
                let answer = try await server.get(path)
                #expect(answer.status == 404 && answer.json == ["message": "Not found"], "\(path)")
            }
        }
    }
}

struct WebPageTests {
    @Test func theStatusPageEscapesWhatOthersWrote() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe(name: "<script>alert(1)</script>", uid: "x")
            _ = try await server.stores.dataSources.add(orgID: 1, DataSourceFields(name: "lost", type: "not-there"))

            let page = try await server.get("/")

            #expect(page.status == 200 && page.headers.first(name: "content-type") == "text/html; charset=utf-8")
            #expect(page.text.contains("&lt;script&gt;alert(1)") && !page.text.contains("<script"))
            #expect(page.text.contains("Clock &lt;b&gt;") && page.text.contains("plugin not installed"))
            #expect(page.text.contains("signature-missing") && page.text.contains("Choose your own"))
            #expect(page.headers.first(name: "content-security-policy")?.contains("default-src 'none'") == true)
            #expect(page.headers.first(name: "x-frame-options") == "deny")
        }
    }

    @Test func theFormSignsInAndAsksForANewPassword() async throws {
        try await TestServer.run { server async throws in
            let stranger = try await server.get("/", user: nil)
            let form = [("content-type", "application/x-www-form-urlencoded")]
            let wrong = try await server.sendBytes(
                .POST, "/login", Array("user=%3Cadmin&password=x".utf8), headers: form, user: nil)
            let connection = try RawConnection(port: server.port)
            connection.send(
                "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                    + "Content-Length: 25\r\nConnection: close\r\n\r\nuser=admin&password=admin")
            let right = await connection.readText()

            #expect(stranger.text.contains("<form") && stranger.text.contains("Sign in"))
            #expect(wrong.status == 401 && wrong.text.contains("Invalid username or password"))
            #expect(wrong.text.contains("value=\"&lt;admin\""))
            #expect(right.hasPrefix("HTTP/1.1 302") && right.lowercased().contains("location: /profile/password"))
        }
    }
}

struct ServerOptionsTests {
    private func options(_ overrides: String...) throws -> ServerOptions {
        try ServerOptions(
            settings: Settings.load(
                Settings.Options(homePath: repositoryRoot.path, overrides: overrides.map { "cfg:" + $0 })))
    }

    @Test func theDefaultsAreThoseOfTheFile() throws {
        let options = try options()

        #expect(options.address == .tcp(host: "", port: 3000))
        #expect(options.rootURL == "http://localhost:3000/" && options.subPath.isEmpty)
        #expect(options.maximumLoginAttempts == 5 && options.isBasicAuthEnabled && options.areMetricsEnabled)
        #expect(options.cookieSameSite == "Lax" && options.tls == nil && options.anonymous == nil)
        #expect(options.proxy.timeout == .seconds(30) && options.dataSourceLimit == 5000)
    }

    @Test func valuesAreRead() throws {
        let options = try options(
            "server.http_port=0", "server.root_url=https://x.example/grafana/", "server.serve_from_sub_path=true",
            "security.disable_brute_force_login_protection=true", "auth.anonymous.enabled=true",
            "security.cookie_samesite=strict", "dataproxy.timeout=5")

        #expect(options.address == .tcp(host: "", port: 0))
        #expect(options.subPath == "/grafana" && options.cookiePath == "/grafana" && options.servesFromSubPath)
        #expect(options.maximumLoginAttempts == 0 && options.anonymous?.role == "Viewer")
        #expect(options.cookieSameSite == "Strict" && options.proxy.timeout == .seconds(5))
    }

    @Test(arguments: ["server.protocol=gopher", "server.http_port=99999", "server.enable_gzip=perhaps"])
    func badValuesAreRefused(override: String) {
        #expect(throws: SettingsError.self) { try options(override) }
    }
}

struct TransportTests {
    @Test func theWholeTreeAnswersBelowTheSubPath() async throws {
        try await TestServer.run(options: {
            $0.subPath = "/grafana"
            $0.servesFromSubPath = true
        }) { server async throws in
            #expect(try await server.get("/grafana/api/health").status == 200)
            #expect(try await server.get("/grafana/api/user/auth-tokens?x=1").status == 200)
            #expect(try await server.get("/api/health").status == 200)
            #expect(try await server.get("/grafana").text.contains("href=\"/grafana/logout\""))
            #expect(try await server.get("/grafanax/api/health").status == 404)
        }
    }

    @Test func aUnixSocketHasItsMode() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "g-\(UUID().uuidString.prefix(8)).sock"
        ).path
        try await TestServer.run(options: { $0.address = .unixSocket(path: path, mode: 0o600, group: -1) }) {
            _ async throws in
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        }
    }

    /// The certificate is made by the openssl program, as an operator would.
    @Test func httpsServesWithTheConfiguredCertificate() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = ServerOptions.TLSFiles(certificate: folder.path + "/c.pem", key: folder.path + "/k.pem")
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        openssl.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
            "-subj",
            "/CN=localhost", "-keyout", files.key, "-out", files.certificate,
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try await TestServer.run(options: { $0.tls = files }) { server async throws in
            var configuration = AsyncHTTPClient.HTTPClient.Configuration()
            configuration.tlsConfiguration = .makeClientConfiguration()
            configuration.tlsConfiguration?.certificateVerification = .none
            let client = AsyncHTTPClient.HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            let request = HTTPClientRequest(url: "https://127.0.0.1:\(server.port)/healthz")
            let answer = try? await client.execute(request, timeout: .seconds(10))
            try await client.shutdown()

            #expect(answer?.status == .ok)
        }
    }

    @Test func badTLSFilesAreNamed() async throws {
        await #expect(throws: SettingsError.self) {
            try await TestServer.run(options: { $0.tls = .init(certificate: "/nonexistent/c", key: "/nonexistent/k") })
            {
                _ async throws in
            }
        }
    }
}
