// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// A Prometheus behind TLS and a password.
    struct SecurePrometheusTests {}
}

extension EndToEnd.SecurePrometheusTests {
    /// Certificates of one test, all of one authority of its own.
    private struct Certificates {
        let folder: URL

        func file(_ name: String) -> String { folder.appending(path: name).path }
        func text(_ name: String) throws -> JSONValue {
            .string(try String(contentsOfFile: file(name), encoding: .utf8))
        }

        static func make(in folder: URL) async throws -> Self {
            let made = Certificates(folder: folder)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let authority = ["-x509", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE"]
            for name in ["ca", "stranger"] {
                try await made.openssl(made.newKey(name) + authority + ["-out", made.file("\(name).pem")])
            }
            let signed = ["-x509", "-days", "2", "-CA", made.file("ca.pem"), "-CAkey", made.file("ca.key")]
            for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
                let extensions = [
                    "subjectAltName=IP:127.0.0.1", "extendedKeyUsage=\(usage)", "basicConstraints=critical,CA:FALSE",
                ]
                try await made.openssl(
                    made.newKey(name) + signed + extensions.flatMap { ["-addext", $0] }
                        + ["-out", made.file("\(name).pem")])
            }
            return made
        }

        private func newKey(_ name: String) -> [String] {
            [
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                file("\(name).key"), "-subj", "/CN=end-to-end \(name)",
            ]
        }

        private func openssl(_ arguments: [String]) async throws {
            let (status, output) = try await Tool.run("openssl", arguments)
            guard status == 0 else { throw RealServerError("openssl \(arguments): \(output)") }
        }

        /// Writes Prometheus's file for its web server; it reads the file anew for each connection.
        func writeWebConfig(clientAuthentication: String) throws {
            // bcrypt of "s3cret" with the lowest cost, as each request pays for it.
            let hash = "$2y$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG"
            let text = """
                tls_server_config:
                  cert_file: \(file("server.pem"))
                  key_file: \(file("server.key"))
                  client_auth_type: \(clientAuthentication)
                  client_ca_file: \(file("ca.pem"))
                basic_auth_users:
                  ada: \(hash)
                """
            try text.write(toFile: file("web.yml"), atomically: true, encoding: .utf8)
        }
    }

    /// Runs the body with the port of a Prometheus that speaks TLS only and asks for `ada:s3cret`.
    private func withSecurePrometheus<R>(
        _ home: GrafanaHome, _ certificates: Certificates, _ body: (Int) async throws -> R
    ) async throws -> R {
        let port = try LoopbackSocket.freePort()
        let config = home.folder.appending(path: "scrape.yml")
        try "global: {scrape_interval: 1s}\n".write(to: config, atomically: true, encoding: .utf8)
        let prometheus = try RealServer(
            "prometheus",
            [
                "--config.file=\(config.path)", "--storage.tsdb.path=\(home.folder.path)/prometheus",
                "--web.listen-address=127.0.0.1:\(port)", "--web.config.file=\(certificates.file("web.yml"))",
            ], port: port, log: home.folder.appending(path: "prometheus.log"))
        defer { prometheus.end() }
        try await eventually("Prometheus is ready", within: 30) {
            prometheus.program.output.contains("Server is ready to receive web requests")
        }
        return try await body(port)
    }

    private func health(_ server: GrafanaServer, _ uid: String) throws -> (isOK: Bool, text: String) {
        let answer = try server.get("/api/datasources/uid/\(uid)/health")
        return (answer.json["status"]?.string == "OK", answer.message)
    }

    @Test func certificatesAndPasswordsAreChecked() async throws {
        try await GrafanaHome.withServer { server, home in
            let certificates = try await Certificates.make(in: home.folder.appending(path: "certificates"))
            try certificates.writeWebConfig(clientAuthentication: "VerifyClientCertIfGiven")
            try await withSecurePrometheus(home, certificates) { port in
                func add(_ uid: String, _ jsonData: JSONObject, _ secrets: JSONObject, password: String = "s3cret")
                    throws
                {
                    var secrets = secrets
                    secrets["basicAuthPassword"] = .string(password)
                    try server.addDataSource(
                        uid, type: "prometheus",
                        [
                            "url": .string("https://127.0.0.1:\(port)"), "basicAuth": true, "basicAuthUser": "ada",
                            "jsonData": .object(jsonData), "secureJsonData": .object(secrets),
                        ])
                }
                let ca: JSONObject = ["tlsCACert": try certificates.text("ca.pem")]
                try add("plain", [:], [:])
                try add("own-ca", ["tlsAuthWithCACert": true], ca)
                try add("other-ca", ["tlsAuthWithCACert": true], ["tlsCACert": try certificates.text("stranger.pem")])
                try add("skip", ["tlsSkipVerify": true], [:])
                try add("wrong-password", ["tlsSkipVerify": true], [:], password: "other")
                var client = ca
                client["tlsClientCert"] = try certificates.text("client.pem")
                client["tlsClientKey"] = try certificates.text("client.key")
                try add("client", ["tlsAuthWithCACert": true, "tlsAuth": true], client)

                for uid in ["own-ca", "skip", "client"] {
                    let (isOK, text) = try health(server, uid)
                    #expect(isOK, "\(uid): \(text)")
                    let answer = try server.query(uid, ["expr": "vector(42)", "instant": true])
                    #expect(answer.frames.first?.values(1) == [42], "\(answer.text)")
                }
                for uid in ["plain", "other-ca"] {
                    let (isOK, text) = try health(server, uid)
                    #expect(!isOK && text.lowercased().contains("certificate"), "\(uid): \(text)")
                }
                let refused = try health(server, "wrong-password")
                #expect(!refused.isOK && refused.text.contains("401"), "\(refused.text)")

                try certificates.writeWebConfig(clientAuthentication: "RequireAndVerifyClientCert")
                let version = "/api/datasources/proxy/uid/client/api/v1/status/buildinfo"
                #expect(try server.get(version).json["status"]?.string == "success")
                #expect(try health(server, "client").isOK)
                // One certificate more, as sources with the same TLS settings share their connections.
                let authorities = ["ca.pem", "stranger.pem"].compactMap { try? certificates.text($0).string }
                try add("no-client", ["tlsAuthWithCACert": true], ["tlsCACert": .string(authorities.joined())])
                #expect(try !health(server, "no-client").isOK)
                for secret in ["s3cret", "BEGIN"] { #expect(!server.log.contains(secret)) }
            }
        }
    }

    @Test func customHeadersReachTheServer() async throws {
        try await GrafanaHome.withServer { server, _ in
            let upstream = try CannedServer(
                body: #"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}"#)
            defer { upstream.close() }
            try server.addDataSource(
                "custom", type: "prometheus",
                [
                    "url": .string("http://127.0.0.1:\(upstream.port)"),
                    "jsonData": [
                        "httpHeaderName1": "X-Scope-OrgID", "httpHeaderName2": "X-Second", "httpMethod": "GET",
                        "customQueryParameters": "tenant=a%20b",
                    ],
                    "secureJsonData": ["httpHeaderValue1": "tenant-7", "httpHeaderValue2": "two"],
                ])

            let answer = try server.query("custom", ["expr": "up", "instant": true])

            #expect(answer.status == 200, "\(answer.text)")
            let request = upstream.requests.first ?? ""
            #expect(request.hasPrefix("GET /api/v1/query?") && request.contains("&tenant=a+b"), "\(request)")
            #expect(request.lowercased().contains("\r\nx-scope-orgid: tenant-7\r\n"))
            #expect(request.lowercased().contains("\r\nx-second: two\r\n"))
        }
    }
}
