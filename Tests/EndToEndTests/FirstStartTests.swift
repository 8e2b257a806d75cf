// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// A server on an empty folder, and its second start.
    struct FirstStartTests {}
}

extension EndToEnd.FirstStartTests {
    @Test func aNewServerIsReadyAndItsDemoAnswers() async throws {
        try await GrafanaHome.withServer { server, _ in
            for path in ["/livez", "/readyz", "/healthz"] {
                #expect(try server.get(path, user: nil).text == "Ok", "\(path)")
            }
            let health = try server.get("/api/health", user: nil).json
            #expect(health["database"]?.string == "ok" && health["version"]?.string == "12.4.0")

            let answer = try server.query(
                "demo", ["scenarioId": "random_walk", "intervalMs": 1000, "maxDataPoints": 10])

            #expect(answer.status == 200)
            #expect(answer.frames.count == 1 && (answer.frames.first?.values(1).count ?? 0) > 9)
            #expect(try server.get("/api/datasources/uid/demo/health").json["message"] == "Data source is working")
        }
    }

    /// Libraries print what they are given: nothing that holds a secret may tell it.
    @Test func noSecretIsLoggedAtAnyLevel() async throws {
        let overrides = [
            "log.level=trace", "security.admin_password=pass-of-admin", "metrics.basic_auth_username=m",
            "metrics.basic_auth_password=pass-of-metrics", "security.secret_key=key-of-the-database",
            "plugin.grafana-testdata-datasource.token=token-of-plugin",
        ]
        try await GrafanaHome.use { home in
            let server = try await home.start(overrides)
            defer { server.program.end() }
            let login = "admin:pass-of-admin"
            let source: JSONValue = [
                "name": "s", "uid": "s", "type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:9",
                "basicAuth": true, "basicAuthUser": "u", "secureJsonData": ["basicAuthPassword": "pass-of-source"],
            ]
            #expect(try server.send("POST", "/api/datasources", source, user: login).status == 200)
            #expect(try server.send("GET", "/api/datasources/uid/s/health", user: login).status >= 400)
            #expect(try server.send("GET", "/metrics", user: "m:pass-of-metrics").status == 200)
            server.program.signal(SIGTERM)
            _ = try await server.program.exitStatus()

            let log = server.log
            #expect(log.contains("level=debug"), "the level is not in force")
            for secret in ["pass-of", "key-of-the", "token-of"] { #expect(!log.contains(secret), "\(secret)") }
        }
    }

    /// Its program would be given a minute to say where it listens.
    @Test func aPluginThatHangsAtItsStartKeepsNobodyWaiting() async throws {
        try await GrafanaHome.use { home in
            let folder = home.plugins.appending(path: "hanging")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let json =
                #"{"id": "test-hanging-datasource", "type": "datasource", "name": "H", "backend": true, "#
                + #""executable": "h"}"#
            try json.write(to: folder.appending(path: "plugin.json"), atomically: true, encoding: .utf8)
            let program = folder.appending(path: "h_linux_amd64")
            try "#!/bin/sh\nexec sleep 300\n".write(to: program, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)

            let server = try await home.start(environment: ["GF_DEFAULT_APP_MODE": "development"])
            defer { server.program.end() }
            let answer = try server.query("demo", ["scenarioId": "random_walk", "maxDataPoints": 10])

            #expect(answer.status == 200, "\(answer.text)")
            #expect(!server.log.contains("Plugin not loaded"), "it was waited for")
        }
    }

    /// A body behind the head of an answer to HEAD would be read as the next answer of the connection.
    @Test func headIsAnsweredWithoutABody() async throws {
        try await GrafanaHome.withServer { server, _ in
            let connection = try LoopbackConnection(port: server.port)
            for path in ["/api/health", "/livez", "/login", "/api/user", "/metrics"] {
                let head = try connection.exchange(GrafanaServer.request("HEAD", path))
                let next = try connection.exchange(GrafanaServer.request("GET", "/livez"))

                #expect(head.status == 200 && next.text == "Ok", "\(path)")
            }
        }
    }

    @Test func peopleSignInAndAreAskedForANewPassword() async throws {
        try await GrafanaHome.withServer { server, _ in
            let wrong = try server.send("POST", "/login", ["user": "admin", "password": "wrong"], user: nil)
            let login = try server.send("POST", "/login", ["user": "admin", "password": "admin"], user: nil)
            let cookie = cookies(login)
            let me = try server.get("/api/user", headers: ["Cookie": cookie], user: nil)

            #expect(wrong.status == 401 && login.message == "Logged in")
            #expect(me.json["login"]?.string == "admin")
            #expect(try server.get("/api/user").status == 200)
            #expect(try server.get("/api/user", user: nil).status == 401)
            #expect(try server.get("/api/user", user: "admin:other").status == 401)

            let form = LoopbackConnection.request(
                "POST", "/login", headers: ["Content-Type": "application/x-www-form-urlencoded"],
                body: Array("user=admin&password=admin".utf8))
            let page = try LoopbackConnection(port: server.port).exchange(form)
            #expect(page.status == 302 && page.values(of: "location") == ["/profile/password"])
            let start = try server.get("/", headers: ["Cookie": cookie, "Accept": "text/html"], user: nil)
            #expect(start.status == 200 && start.text.contains("/profile/password"))
        }
    }

    @Test func theSecondStartFindsEverything() async throws {
        try await GrafanaHome.use { home in
            let first = try await home.start()
            defer { first.program.end() }
            let login = try first.send("POST", "/login", ["user": "admin", "password": "admin"], user: nil)
            try first.addDataSource("mine", type: "testdata", ["secureJsonData": ["key": "s3cret"]])
            #expect(try first.send("DELETE", "/api/datasources/uid/demo").status == 200)
            let change = try first.send(
                "PUT", "/api/user/password", ["oldPassword": "admin", "newPassword": "better"])
            #expect(change.status == 200)
            // Whoever changes the password gets a new session with it.
            let cookie = cookies(try first.send("POST", "/login", ["user": "admin", "password": "better"], user: nil))
            #expect(try await first.stop() == 0)
            #expect(login.status == 200)

            let second = try await home.start()
            defer { second.program.end() }

            #expect(try second.get("/api/user", user: "admin:admin").status == 401)
            #expect(try second.get("/api/user", headers: ["Cookie": cookie], user: nil).status == 200)
            let sources = try second.get("/api/datasources", user: "admin:better").json.array ?? []
            #expect(sources.map { $0["uid"]?.string } == ["mine"])
            let mine = try second.get("/api/datasources/uid/mine", user: "admin:better")
            #expect(mine.json["secureJsonFields"] == ["key": true] && !mine.text.contains("s3cret"))
            #expect(!first.log.contains("s3cret") && !second.log.contains("s3cret"))
        }
    }

    private func cookies(_ answer: HTTPAnswer) -> String {
        answer.values(of: "set-cookie").compactMap { $0.split(separator: ";").first }.joined(separator: "; ")
    }
}
