// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Storage
import Testing

@testable import Commands

/// The program as the shell runs it, without a server.
@Suite(.serialized)
struct ProgramTests {
    @Test func theVersionIsOneLine() throws {
        let outcome = try Program.run(["--version"])

        #expect(outcome.status == 0)
        #expect(outcome.output.wholeMatch(of: /Version 12\.4\.0 \(commit: \S+, branch: \S+\)\n/) != nil)
        #expect(outcome.errors.isEmpty)
    }

    @Test(arguments: [
        ["nonsense"], ["query"], ["query", "a"], ["query", "a", "b", "--format", "xml"],
        ["query", "a", "b", "--step", "0"],
        ["query", "a", "b", "--max-data-points", "0"], ["query", "a", "b", "--user", "a", "--token", "b"],
        ["query", "a", "b", "--url", "localhost:3000"], ["query", "a", "b", "--url", "http://u:p@localhost"],
        ["query", "a", "b", "--user", "x"], ["admin", "secrets", "change-key"],
        ["admin", "reset-admin-password", "pass", "word"],
        ["admin", "reset-admin-password", "word", "--password-from-stdin"],
    ])
    func wrongUsageIs64(_ arguments: [String]) throws {
        let outcome = try Program.run(arguments)

        #expect(outcome.status == 64)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.lowercased().contains("error: "))
    }

    @Test func aServerThatIsNotThereIs69() throws {
        // Nobody listens on port 1 of the loopback address.
        let outcome = try Program.run(["query", "prometheus", "up", "--url", "http://127.0.0.1:1"])

        #expect(outcome.status == 69)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.contains("'http://127.0.0.1:1': no server answers"))
    }

    @Test func completionsAreMadeForEachShell() throws {
        for shell in ["bash", "zsh", "fish"] {
            let outcome = try Program.run(["--generate-completion-script", shell])

            #expect(outcome.status == 0)
            #expect(outcome.output.contains("reset-admin-password"))
        }
    }

    @Test func settingsAreShownWithoutSecrets() throws {
        let home = try TemporaryHome()
        let outcome = try Program.run([
            "admin", "settings", "--homepath", home.path, "cfg:security.admin_password=hidden-word",
        ])

        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("app_mode = production\n"))
        #expect(outcome.output.contains("\n[security]\nadmin_email = admin@localhost\nadmin_password = *********\n"))
        #expect(!outcome.output.contains("hidden-word"))
    }

    @Test func missingSettingsAre78() throws {
        let outcome = try Program.run(["admin", "settings", "--homepath", "/nonexistent"])

        #expect(outcome.status == 78)
        #expect(outcome.errors.hasPrefix("error: settings file '/nonexistent/conf/defaults.ini' does not exist; "))
        #expect(outcome.output.isEmpty)
    }

    @Test func theDoctorOfAnEmptyHomeHasOneFinding() throws {
        let home = try TemporaryHome()
        let outcome = try Program.run(["doctor", "--json", "--homepath", home.path, "cfg:server.http_port=0"])

        let report = try JSONValue(parsing: outcome.output)
        let findings = try #require(report["findings"]?.array)
        #expect(outcome.status == 1)
        #expect(report["ok"] == false)
        #expect(findings.filter { $0["status"] == "warning" }.map { $0["check"]?.string } == ["secret-key"])
        #expect(!findings.contains { $0["status"] == "error" })
        #expect(
            Set(findings.compactMap { $0["check"]?.string }) == [
                "settings", "secret-key", "paths", "database", "port", "trust", "plugins", "disk",
            ])
        #expect(!FileManager.default.fileExists(atPath: home.databasePath))
    }

    @Test func theDoctorOfAGoodHomeIsContent() async throws {
        let home = try TemporaryHome()
        try await home.makeDatabase(secretKey: "own")
        let outcome = try Program.run(
            ["doctor", "--homepath", home.path],
            environment: ["GF_SECURITY_SECRET_KEY": "own", "GF_SERVER_HTTP_PORT": "0"])

        #expect(outcome.status == 0)
        #expect(outcome.output.contains("ok       database    '\(home.databasePath)' is whole, schema 0"))
        #expect(outcome.errors.isEmpty)
    }

    @Test func aPasswordIsResetAndSessionsEnd() async throws {
        let home = try TemporaryHome()
        try await home.makeDatabase()
        let outcome = try Program.run(
            ["admin", "reset-admin-password", "--password-from-stdin", "--homepath", home.path], input: "new-word\n")

        #expect(outcome.status == 0)
        #expect(outcome.output == "Admin password changed successfully: user 'admin'\n")
        #expect(outcome.errors.isEmpty)
        try await home.asServer { stores in
            let new = try await stores.users.authenticate(loginOrEmail: "admin", password: Secret("new-word"))
            let old = try await stores.users.authenticate(loginOrEmail: "admin", password: Secret("admin"))
            #expect(new != nil)
            #expect(old == nil)
        }
    }

    @Test func aPasswordIsResetBesideARunningServer() async throws {
        let home = try TemporaryHome()
        try await home.makeDatabase()
        try await home.asServer { stores in
            let outcome = try Program.run([
                "admin", "reset-admin-password", "new-word", "--login", "ADMIN", "--homepath", home.path,
                "cfg:server.http_port=0",
            ])

            let user = try await stores.users.authenticate(loginOrEmail: "admin", password: Secret("new-word"))
            #expect(outcome.status == 0)
            #expect(user != nil)
        }
    }

    @Test(arguments: [
        (["--login", "nobody", "password"], Int32(65), "user 'nobody': there is none; use --login with one of: admin"),
        (["--login", "viewer", "password"], 65, "user 'viewer': it is no server administrator"),
        (["--user-id", "99", "password"], 65, "user '99': there is none"),
        (["abc"], 64, "password: it is too short"),
        ([], 64, "password: none is given"),
        (["--password-from-stdin"], 74, "password: the input is empty"),
    ])
    func aResetThatCannotBeIsRefused(_ arguments: [String], _ status: Int32, _ message: String) async throws {
        let home = try TemporaryHome()
        try await home.makeDatabase()
        let outcome = try Program.run(["admin", "reset-admin-password"] + arguments + ["--homepath", home.path])

        #expect(outcome.status == status)
        #expect(outcome.errors.hasPrefix("error: \(message)"))
    }

    @Test func withoutADatabaseNothingIsMade() throws {
        let home = try TemporaryHome()
        let outcome = try Program.run(["admin", "reset-admin-password", "password", "--homepath", home.path])

        #expect(outcome.status == 74)
        #expect(outcome.errors.contains("it does not exist"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(home.path)/data").isEmpty)
    }

    @Test func theSecretKeyIsChangedAndDataKeysRotate() async throws {
        let home = try TemporaryHome()
        try await home.makeDatabase(secretKey: "first")
        try await home.asServer(secretKey: "first") { stores in
            _ = try await stores.dataSources.add(
                orgID: 1, DataSourceFields(name: "p", type: "prometheus"), secrets: ["password": Secret("word")])
        }
        let own = ["--homepath", home.path, "cfg:security.secret_key=second"]

        let doctor = try Program.run(["doctor", "cfg:server.http_port=0"] + own)
        let wrong = try Program.run(
            ["admin", "secrets", "change-key", "--old-from-env", "OLD"] + own, environment: ["OLD": "other"])
        let changed = try Program.run(
            ["admin", "secrets", "change-key", "--old-from-env", "OLD"] + own, environment: ["OLD": "first"])
        try home.write("first\n", to: "old.txt")
        let again = try Program.run(["admin", "secrets", "change-key", "--old-file", "\(home.path)/old.txt"] + own)
        let rotated = try Program.run(["admin", "secrets", "rotate"] + own)

        #expect(doctor.status == 1)
        #expect(doctor.output.contains("error    secret-key  secrets: data key"))
        #expect(wrong.status == 78)
        #expect(changed.status == 0)
        #expect(changed.output == "Secret key changed: 1 data keys re-encrypted\n")
        #expect(again.output == "Secret key changed: no data key changed: all are under the new secret_key\n")
        #expect(rotated.output == "Data keys rotated: new secrets get new keys\n")
        try await home.asServer(secretKey: "second") { stores in try await stores.secrets.verify() }
    }

    @Test func theKeyIsNotChangedUnderARunningServer() async throws {
        let home = try TemporaryHome()
        try await home.makeDatabase()
        try await home.asServer { _ in
            let outcome = try Program.run(
                ["admin", "secrets", "change-key", "--old-from-env", "OLD", "--homepath", home.path],
                environment: ["OLD": "first"])

            #expect(outcome.status == 75)
            #expect(outcome.errors.contains("another server"))
        }
    }
}
