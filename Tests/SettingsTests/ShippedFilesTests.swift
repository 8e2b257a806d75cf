// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Settings

struct ShippedFilesTests {
    private static var root: String {
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    }

    @Test func defaultsLoadWithoutWarnings() throws {
        var environment = SettingsEnvironment.process
        environment.variables = [:]
        let settings = try Settings.load(
            .init(homePath: Self.root, configPath: Self.root + "/conf/sample.ini"), from: environment)

        #expect(settings.warnings == [])
        #expect(settings.string("server", "root_url") == "http://localhost:3000/")
        #expect(try settings.int("server", "http_port") == 3000)
        #expect(try settings.duration("auth", "login_maximum_lifetime_duration") == .seconds(30 * 86_400))
        #expect(settings.string("security", "content_security_policy_template").contains(";"))
    }

    @Test func theSampleNamesOnlyKnownKeys() throws {
        var environment = SettingsEnvironment.process
        environment.variables = ["GRAFANA_SECRET_KEY": "k"]
        let readFile = environment.readFile
        environment.readFile = { path in
            if path == "/run/secrets/admin_password" { return Array("p".utf8) }
            guard path.hasSuffix("sample.ini"), let bytes = try readFile(path) else { return try readFile(path) }
            // Everything that is commented out counts.
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            return Array(lines.map { $0.hasPrefix(";") ? $0.dropFirst() : $0 }.joined(separator: "\n").utf8)
        }
        let settings = try Settings.load(
            .init(homePath: Self.root, configPath: Self.root + "/conf/sample.ini"), from: environment)

        #expect(settings.warnings == [])
        #expect(settings.section("plugin.acme-sine-datasource") == ["path": "/opt/acme/sine"])
    }

    @Test func theProcessHasVariables() {
        #expect(SettingsEnvironment.process.variables["PATH"] != nil)
        #expect(throws: SettingsError.self) { try SettingsEnvironment.process.readFile("/") }
    }

    @Test(arguments: [("http_prot", "http_port"), ("domian", "domain"), ("HTTP_PORT", "http_port")])
    func nearestNamesAreFound(name: String, expected: String) {
        #expect(NearestName.nearest(to: name, among: ["http_port", "domain", "protocol"]) == expected)
        #expect(NearestName.nearest(to: "zzz", among: ["http_port"]) == nil)
    }
}
