// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

extension PostgreSQLSourceTests {
    @Test func wrongPasswordIsNamedAndNotTold() async throws {
        try await withSource(secrets: ["password": "wr0ng-s3cret"]) { (source, _) async throws in
            let answer = try await source.query(table("select 1"))
            let health = try await source.health()

            #expect(
                answer.error?.message
                    == "db query error: FATAL: password authentication failed for user \"grafana\" (SQLSTATE 28P01)")
            #expect(answer.error?.code == .unauthenticated)
            #expect(health.status == .error)
            #expect(
                health.message
                    == "Database error: Failed to connect to the postgres server. Postgres error code: invalid_password"
            )
            #expect(!"\(answer.error as Any) \(health)".contains("wr0ng"))
        }
    }

    @Test func noServerIsANetworkError() async throws {
        let port = try LoopbackSocket.freePort()
        try await withSource(url: "127.0.0.1:\(port)") { (source, _) async throws in
            let answer = try await source.query(table("select 1"))
            let health = try await source.health()

            #expect(
                answer.error?.message
                    == "db query error: failed to connect to server - please inspect Grafana server log for details")
            #expect(health.message.hasPrefix("Network error: Failed to connect to the server. Error message: "))
            #expect(health.details?["errorDetailsLink"] != nil)
        }
    }

    @Test func unixSocketWorks() async throws {
        let server = try await RealDatabase.postgreSQL()
        // The file of the socket is named after the port, and a path means the usual one.
        let usual = "\(server.socket)/.s.PGSQL.5432"
        try FileManager.default.createSymbolicLink(
            atPath: usual, withDestinationPath: "\(server.socket)/.s.PGSQL.\(server.port)")
        try await withSource(url: server.socket) { (source, _) async throws in
            #expect(try await source.health() == HealthResult(.ok, "Database Connection OK"))
        }
    }

    @Test(arguments: ["require", "verify-ca", "verify-full"])
    func tlsModesEncrypt(mode: JSONValue) async throws {
        let server = try await RealDatabase.postgreSQL()
        let settings: JSONObject = ["sslmode": mode, "sslRootCertFile": .string(server.certificates.root.path)]
        try await withSource(settings, url: "localhost:\(server.port)") { (source, _) async throws in
            let answer = try await source.query(table("select ssl from pg_stat_ssl where pid = pg_backend_pid()"))

            #expect(answer.error == nil)
            #expect(answer.column("ssl") == "[true]")
        }
    }

    @Test func certificatesAreChecked() async throws {
        let server = try await RealDatabase.postgreSQL()
        let wrongName: JSONObject = [
            "sslmode": "verify-full", "sslRootCertFile": .string(server.certificates.root.path),
        ]
        try await withSource(wrongName) { (source, _) async throws in
            #expect(try await source.health().message == "SSL error: Failed to connect to the server")
        }
        // Neither a mode nor a root: the safe mode with the system's roots, which do not know the test's.
        try await withSource(["sslmode": ""], url: "localhost:\(server.port)") { (source, _) async throws in
            #expect(try await source.health().message == "SSL error: Failed to connect to the server")
        }
    }

    @Test func clientCertificateSignsIn() async throws {
        let server = try await RealDatabase.postgreSQL()
        try await withSource(["readOnly": false]) { (source, _) async throws in
            _ = try await source.query(
                table("do $$ begin create role certified login; exception when others then end $$"))
        }
        let secrets = [
            "tlsCACert": try TestCertificates.text(server.certificates.root),
            "tlsClientCert": try TestCertificates.text(server.certificates.client),
            "tlsClientKey": try TestCertificates.text(server.certificates.clientKey),
        ]
        let settings: JSONObject = ["sslmode": "verify-full", "tlsConfigurationMethod": "file-content"]
        try await withSource(settings, url: "localhost:\(server.port)", user: "certified", secrets: secrets) {
            (source, _) async throws in
            #expect(try await source.query(table("select current_user::text as me")).column("me") == #"["certified"]"#)
        }
        var half = secrets
        half["tlsClientKey"] = nil
        try await withSource(settings, url: "localhost:\(server.port)", user: "certified", secrets: half) {
            (source, _) async throws in
            #expect(
                try await source.health().message == "TLS/SSL client certificate and key must both be specified")
        }
    }

    @Test func serverThatIsKilledInTheMiddleIsAnError() async throws {
        let server = try await RealDatabase.startPostgreSQL()
        defer { server.end() }
        try await withSource(on: server) { (source, _) async throws in
            #expect(try await source.query(table("select 1 as x")).error == nil)
            let task = Task { try await source.query(table("select pg_sleep(600)")) }
            try await withSource(["readOnly": false], on: server) { (watcher, _) async throws in
                let running = table("select 1 from pg_stat_activity where query like 'select pg_sleep(600)%'")
                while try await watcher.query(running).frame.rowCount == 0 { await Task.yield() }
            }

            server.program.end()

            let answer = try await task.value
            #expect(answer.error?.message.contains("the connection to the server was lost") == true)
            #expect(answer.error?.source == .downstream)
            #expect(try await source.query(table("select 1")).error?.code == .io)
        }
    }

    @Test func connectionThatTheServerClosedIsReplaced() async throws {
        try await withSource { (source, _) async throws in
            let first = try await source.query(table("select pg_backend_pid() as pid")).column("pid")
            try await withSource(["readOnly": false]) { (other, _) async throws in
                _ = try await other.query(table("select pg_terminate_backend(\(first.dropFirst().dropLast()), 5000)"))
            }

            let second = try await source.query(table("select pg_backend_pid() as pid"))

            #expect(second.error == nil)
            #expect(second.column("pid") != first)
        }
    }

    @Test func catalogueNamesTablesAndColumns() async throws {
        try await withSource(["readOnly": false]) { (source, _) async throws in
            _ = try await source.query(
                table("drop table if exists \"Odd 'name\"; create table \"Odd 'name\" (a int, b text[])"))

            let tables = try await source.resource("tables")
            let columns = try await source.resource("columns", query: "table=%22Odd%20%27name%22")

            #expect(tables.array?.contains("\"Odd 'name\"") == true)
            #expect(columns == [["name": "a", "type": "integer"], ["name": "b", "type": "text[]"]])
        }
    }
}
