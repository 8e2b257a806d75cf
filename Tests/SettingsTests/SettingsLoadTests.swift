// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Settings

struct SettingsLoadTests {
    private static let defaults = """
        app_mode = production
        instance_name = ${HOSTNAME}
        [server]
        http_port = 3000
        domain = localhost
        root_url = %(protocol)s://%(domain)s:%(http_port)s/
        protocol = http
        [security]
        admin_password = admin
        [log.console]
        format = console
        [feature_toggles]
        enable =
        """

    private func load(
        custom: String? = nil, variables: [String: String] = [:], overrides: [String] = [],
        files: [String: String] = [:]
    ) throws -> Settings {
        var files = files
        files["/home/conf/defaults.ini"] = Self.defaults
        files["/home/conf/custom.ini"] = custom
        return try Settings.load(
            .init(homePath: "/home", overrides: overrides),
            from: SettingsEnvironment(variables: variables, files: files))
    }

    @Test func laterSourcesWin() throws {
        let custom = "[server]\nhttp_port = 3002"
        let variable = ["GF_SERVER_HTTP_PORT": "3003"]
        let lowest = "cfg:default.server.http_port=3001"

        #expect(try load().string("server", "http_port") == "3000")
        #expect(try load(overrides: [lowest]).string("server", "http_port") == "3001")
        #expect(try load(custom: custom, overrides: [lowest]).string("server", "http_port") == "3002")
        #expect(
            try load(custom: custom, variables: variable, overrides: [lowest]).string("server", "http_port") == "3003")
        let all = try load(custom: custom, variables: variable, overrides: [lowest, "cfg:server.http_port=3004"])
        #expect(all.string("server", "http_port") == "3004")
        #expect(all.origin("server", "http_port") == .commandLine("cfg:server.http_port"))
    }

    @Test func aFileOfTheCommandLineReplacesCustomIni() throws {
        let files = [
            "/home/conf/defaults.ini": Self.defaults, "/home/conf/custom.ini": "app_mode = custom",
            "/etc/g.ini": "app_mode = named",
        ]
        let settings = try Settings.load(
            .init(homePath: "/home", configPath: "/etc/g.ini"), from: SettingsEnvironment(files: files))

        #expect(settings.string("", "app_mode") == "named")
        #expect(settings.configPaths == ["/home/conf/defaults.ini", "/etc/g.ini"])
    }

    @Test func missingFilesAreErrorsThatNameTheRemedy() {
        let none = SettingsEnvironment(files: [:])
        let noHome = #expect(throws: SettingsError.self) { try Settings.load(.init(homePath: "/x"), from: none) }
        #expect(noHome?.message.contains("--homepath") == true)

        let files = SettingsEnvironment(files: ["/home/conf/defaults.ini": Self.defaults])
        let noConfig = #expect(throws: SettingsError.self) {
            try Settings.load(.init(homePath: "/home", configPath: "/nowhere"), from: files)
        }
        #expect(noConfig?.code == .fileUnreadable)
    }

    @Test func keysBeforeTheFirstSectionAreDefaultInTheEnvironment() throws {
        let settings = try load(variables: ["GF_DEFAULT_APP_MODE": "development"])

        #expect(settings.string("", "app_mode") == "development")
        #expect(settings.warnings.isEmpty)
    }

    @Test func aVariableMayNameAFile() throws {
        let variables = ["GF_SECURITY_ADMIN_PASSWORD__FILE": "/run/p"]
        let settings = try load(variables: variables, files: ["/run/p": " se${X}%(y)s#ret\n"])

        #expect(settings.string("security", "admin_password") == "se${X}%(y)s#ret")
    }

    @Test func aVariableByValueAndByFileIsAnError() {
        let variables = ["GF_SECURITY_ADMIN_PASSWORD__FILE": "/run/p", "GF_SECURITY_ADMIN_PASSWORD": "x"]
        let error = #expect(throws: SettingsError.self) { try load(variables: variables, files: ["/run/p": "y"]) }

        #expect(error?.code == .conflictingVariables)
    }

    @Test func emptyValuesReplaceNothingExceptOnTheCommandLine() throws {
        let settings = try load(custom: "[server]\ndomain =", variables: ["GF_SERVER_PROTOCOL": ""])
        #expect(settings.string("server", "domain") == "localhost")
        #expect(settings.string("server", "protocol") == "http")
        #expect(try load(overrides: ["cfg:server.domain="]).string("server", "domain").isEmpty)
    }

    @Test func openSectionsTakeAnyKeyFromFilesAndVariables() throws {
        let settings = try load(
            custom: "[plugin.acme-sine]\npath = /a\nmode = b",
            variables: [
                "GF_PLUGIN_ACME_SINE_MODE": "c", "GF_PLUGIN_OTHER_X_API": "d", "GF_FEATURE_TOGGLES_ENABLE": "a,b",
            ])

        #expect(settings.section("plugin.acme-sine") == ["path": "/a", "mode": "c"])
        #expect(settings.section("plugin.other-x") == ["api": "d"])
        #expect(settings.string("plugin.other-x", "api") == "d")
        #expect(settings.list("feature_toggles", "enable") == ["a", "b"])
        #expect(settings.warnings.isEmpty)
    }

    @Test func overridesSplitAtTheLastDot() throws {
        let settings = try load(overrides: [
            "cfg:log.console.format=json", "cfg:app_mode=development", "cfg:plugin.a-b.x=1",
        ])

        #expect(settings.string("log.console", "format") == "json")
        #expect(settings.string("", "app_mode") == "development")
        #expect(settings.string("plugin.a-b", "x") == "1")
    }

    @Test(arguments: ["server.http_port=1", "cfg:server.http_port", "cfg:=1", "cfg:.x=1", "cfg:default.=1", "cfg:a.=1"])
    func badOverridesAreErrors(argument: String) {
        let error = #expect(throws: SettingsError.self) { try load(overrides: [argument]) }

        #expect(error?.code == .badOverride)
    }

    @Test(arguments: [
        ("[server]\nhttp_prot = 1", "did you mean 'http_port'"), ("[sever]\nhttp_port = 1", "did you mean [server]"),
        ("domain = x", "it is one of [server]"), ("[server]\nzzzzzzzz = 1", "see conf/defaults.ini"),
    ])
    func unknownKeysWarnWithTheNearestName(custom: String, remedy: String) throws {
        let warnings = try load(custom: custom).warnings

        #expect(warnings.count == 1)
        #expect(warnings.first?.message.contains(remedy) == true)
        #expect(warnings.first?.description.hasPrefix("/home/conf/custom.ini:") == true)
    }

    @Test func unknownVariablesWarn() throws {
        let warnings = try load(variables: ["GF_SERVER_HTTP_PROT": "1", "GF_INSTALL_PLUGINS": "x"]).warnings

        #expect(warnings.map(\.origin) == [.environment("GF_SERVER_HTTP_PROT")])
        #expect(warnings.first?.message.contains("GF_SERVER_HTTP_PORT") == true)
    }
}
