// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import NIOPosix
import PluginABI
import Server
import Signing
import Storage
import TestSupport
import Testing

@testable import Commands

struct FindingReportTests {
    private let report = FindingReport(findings: [
        .ok("settings", "read a.ini"), .warning("secret-key", "is weak\n", remedy: "change it"),
        .error("port", "is taken", remedy: "free it"),
    ])

    @Test func aLineForEachFinding() {
        #expect(
            report.text(usesColor: false) == """
                ok       settings    read a.ini
                warning  secret-key  is weak\\n; change it
                error    port        is taken; free it

                """)
        #expect(report.text(usesColor: true).hasPrefix("\u{1B}[32mok     \u{1B}[0m  settings    read a.ini\n"))
    }

    @Test func asJSON() throws {
        let value = try JSONValue(parsing: report.json())

        #expect(value["ok"] == false)
        #expect(
            value["findings"]?[2] == ["check": "port", "status": "error", "message": "is taken", "remedy": "free it"])
    }

    @Test func onlyOKIsFine() {
        #expect(FindingReport(findings: [.ok("a", "b")]).isFine)
        #expect(!report.isFine)
    }
}

struct DatabaseCheckTests {
    private func findings(_ home: TemporaryHome) async throws -> [Finding] {
        try await DatabaseCheck(settings: home.settings(["cfg:security.secret_key=first"])).findings()
    }

    @Test func aMissingDatabaseIsFine() async throws {
        let home = try TemporaryHome()

        let findings = try await findings(home)

        #expect(findings.map(\.status) == [.ok])
        #expect(!FileManager.default.fileExists(atPath: home.databasePath))
    }

    @Test func aDatabaseInUseIsNotTouched() async throws {
        let home = try TemporaryHome()

        let found: [Finding] = try await home.asServer { _ in try await findings(home) }

        #expect(found.map(\.status) == [.ok])
        #expect(found[0].message.contains("in use by a running server (pid \(getpid()))"))
    }

    @Test func anUnlockedDatabaseIsCheckedAndLeftFree() async throws {
        let home = try TemporaryHome()
        try await home.makeDatabase()

        let findings = try await findings(home)

        #expect(findings.map(\.status) == [.ok])
        #expect(findings[0].message.contains("is whole"))
        #expect(DatabaseLockProbe(path: home.databasePath).state == .free)
        try await home.asServer { _ in }
    }

    @Test func aFileThatIsNoDatabaseIsAnError() async throws {
        let home = try TemporaryHome()
        try home.write(String(repeating: "no database ", count: 1000), to: "data/grafana.db")

        let findings = try await findings(home)

        #expect(findings.map(\.status) == [.error])
    }

    @Test func anotherSecretKeyIsAnError() async throws {
        let home = try TemporaryHome()
        try await home.asServer(secretKey: "other") { stores in
            _ = try await stores.dataSources.add(
                orgID: 1, DataSourceFields(name: "p", type: "prometheus"), secrets: ["password": Secret("word")])
        }

        let findings = try await findings(home)

        #expect(findings.map(\.status) == [.ok, .error])
        #expect(findings.last?.check == "secret-key")
    }

    @Test func anotherTypeOfDatabaseIsAnError() async throws {
        let home = try TemporaryHome()

        let findings = try await DatabaseCheck(settings: home.settings(["cfg:database.type=mysql"])).findings()

        #expect(findings.map(\.status) == [.error])
    }
}

struct PortCheckTests {
    private func listener() async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { $0.close() }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private func finding(_ port: Int) async -> Finding {
        var options = ServerOptions()
        options.address = .tcp(host: "127.0.0.1", port: port)
        return await PortCheck(options: options).finding()
    }

    @Test func aFreePortIsFine() async {
        #expect(await finding(0).status == .ok)
    }

    @Test func aPortOfAnotherProgramIsAnError() async throws {
        let channel = try await listener()
        let port = try #require(channel.localAddress?.port)

        let finding = await finding(port)

        #expect(finding.status == .error)
        #expect(finding.message == "127.0.0.1:\(port) is taken by another program")
        try await channel.close()
    }
}

struct FolderCheckTests {
    @Test func aFileInThePlaceOfAFolderIsAnError() throws {
        let home = try TemporaryHome()
        try home.write("", to: "data/log")

        let findings = try FolderCheck(settings: home.settings()).findings()

        #expect(findings.map(\.status) == [.ok, .error, .ok, .ok])
        #expect(findings[1].message == "[paths] logs '\(home.path)/data/log' is not a folder")
    }

    @Test(arguments: [(UInt64(50) << 20, Finding.Status.error), (500 << 20, .warning), (5 << 30, .ok)])
    func littleRoomIsAFinding(_ free: UInt64, _ status: Finding.Status) {
        #expect(DiskCheck.finding("/data", free: free).status == status)
    }
}

struct PluginsCheckTests {
    @Test func refusalsAreFindings() async throws {
        let home = try TemporaryHome()
        try home.write("{", to: "data/plugins/broken/plugin.json")
        try home.write(
            #"{"id":"acme-clock-panel","type":"panel","name":"Clock","info":{"version":"1.0.0"}}"#,
            to: "data/plugins/clock/plugin.json")

        let findings = try await PluginsCheck(settings: home.settings()).findings()

        #expect(findings.map(\.check) == ["trust", "plugins", "plugins", "plugins"])
        #expect(findings.map(\.status) == [.ok, .ok, .error, .error])
        #expect(findings[1].message == "0 can load; 2 refused")
        #expect(findings.contains { $0.message.contains("[plugin-json-malformed]") })
        #expect(findings.contains { $0.message.contains("[signature-missing]") })
    }

    @Test func allowedPluginsCanLoad() async throws {
        let home = try TemporaryHome()
        try home.write(
            #"{"id":"acme-clock-panel","type":"panel","name":"Clock","info":{"version":"1.0.0"}}"#,
            to: "data/plugins/clock/plugin.json")
        try home.write("", to: "data/plugins/clock/module.js")
        let settings = try home.settings(["cfg:plugins.allow_loading_unsigned_plugins=acme-clock-panel"])

        let findings = await PluginsCheck(settings: settings).findings()

        #expect(findings.map(\.status) == [.ok, .ok, .warning])
        #expect(findings[1].message == "1 can load: acme-clock-panel; 0 refused")
    }

    @Test func keysOfTheDatabaseCount() async throws {
        let home = try TemporaryHome()
        let signer = try home.signedPanel()
        let before = try await PluginsCheck(settings: home.settings()).findings()
        try await home.trust(signer)

        let beside = try await home.asServer { _ in try await PluginsCheck(settings: home.settings()).findings() }
        let alone = try await PluginsCheck(settings: home.settings()).findings()

        #expect(before.map(\.status) == [.ok, .ok, .error])
        #expect(before[2].message.contains("no public key for \(signer.key.keyID)"), "\(before)")
        for findings in [beside, alone] {
            #expect(findings.map(\.status) == [.ok, .ok], "\(findings)")
            #expect(findings[0].message == "2 keys")
            #expect(findings[1].message == "1 can load: acme-clock-panel; 0 refused")
        }
        #expect(DatabaseLockProbe(path: home.databasePath).state == .free)
    }

    @Test func withoutTheDatabaseAnUnknownKeyIsNoFault() async throws {
        let home = try TemporaryHome()
        try home.signedPanel()
        try home.write("no database", to: "data/grafana.db")

        let findings = try await PluginsCheck(settings: home.settings()).findings()

        #expect(findings.map(\.status) == [.ok, .warning, .ok, .warning])
        #expect(findings[1].message.hasPrefix("the keys and revocations of the database are not looked at: "))
    }

    @Test func aTrustFolderThatCannotBeReadIsAnError() async throws {
        let home = try TemporaryHome()
        try home.write("{", to: "conf/trust/acme.json")

        let findings = try await PluginsCheck(settings: home.settings()).findings()

        #expect(findings.first?.check == "trust" && findings.first?.status == .error)
        #expect(findings.first?.message.contains("[trust-store-malformed]") == true, "\(findings)")
    }
}
