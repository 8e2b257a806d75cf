// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Settings

struct SettingsValueTests {
    private func load(_ text: String, variables: [String: String] = [:], files: [String: String] = [:]) throws
        -> Settings
    {
        var files = files
        files["/h/conf/defaults.ini"] = text
        return try Settings.load(.init(homePath: "/h"), from: SettingsEnvironment(variables: variables, files: files))
    }

    @Test(arguments: [
        ("$__env{A}", "${B}"), ("x${A}y", "x${B}y"), ("$__file{/f}", "two\nlines"), ("%(other)s!", "o!"),
        ("${A}%(chained)s", "${B}o"), ("%(top)s", "t"), ("50% $5 %(", "50% $5 %("), ("${", "${"),
    ])
    func referencesAreReplacedOnce(value: String, expected: String) throws {
        let settings = try load(
            "top = t\n[s]\nother = o\nchained = %(other)s\nk = \(value)", variables: ["A": "${B}", "B": "no"],
            files: ["/f": "two\nlines\n"])

        #expect(settings.string("s", "k") == expected)
    }

    @Test func circlesAreErrorsThatShowTheWay() {
        let error = #expect(throws: SettingsError.self) { try load("[s]\na = %(b)s\nb = %(a)s") }

        #expect(error?.code == .expansion)
        #expect(error?.message.contains("a → b → a") == true)
    }

    @Test(arguments: ["$__file{/nowhere}", "$__vault{x}"])
    func referencesThatCannotBeReplacedAreErrors(value: String) {
        let error = #expect(throws: SettingsError.self) { try load("[s]\nk = \(value)") }

        #expect(error?.message.hasPrefix("/h/conf/defaults.ini:2: ") == true)
    }

    @Test func variablesThatAreNotSetWarnAndTheHostHasAName() throws {
        let settings = try load("a = ${NOT_SET}\nb = ${HOSTNAME}")

        #expect(settings.string("", "a").isEmpty)
        #expect(settings.string("", "b") == "localhost")
        #expect(settings.warnings.map(\.origin) == [.file(path: "/h/conf/defaults.ini", line: 1)])
    }

    @Test(arguments: [
        ("true", true), ("1", true), ("YES", true), ("on", true), ("false", false), ("0", false), ("no", false),
        ("off", false), ("", false),
    ])
    func flagsAreRead(text: String, expected: Bool) throws {
        #expect(try load("k = \(text)").bool("", "k") == expected)
    }

    @Test(arguments: [
        ("30s", Duration.seconds(30)), ("10m", .seconds(600)), ("12h", .seconds(43_200)), ("7d", .seconds(604_800)),
        ("1M", .seconds(2_592_000)), ("90", .seconds(90)), ("1h30m", .seconds(5_400)), ("250ms", .milliseconds(250)),
        ("-1", .seconds(-1)),
    ])
    func durationsAreRead(text: String, expected: Duration) throws {
        #expect(try load("k = \(text)").duration("", "k") == expected)
    }

    @Test func bareNumbersCountWhatTheKeySays() throws {
        #expect(try load("k = 10").duration("", "k", bareUnit: .seconds(60)) == .seconds(600))
        #expect(try load("k =").duration("", "k") == nil)
    }

    @Test(arguments: ["5x", "m", "1h-3m", "99999999999999999999s", "9223372036854775807y", "99999999999"])
    func badDurationsAreErrors(text: String) throws {
        let settings = try load("k = \(text)")
        let error = #expect(throws: SettingsError.self) { try settings.duration("", "k") }

        #expect(error?.code == .badValue)
    }

    @Test func badValuesNameTheirPlaceAndHideSecrets() throws {
        let settings = try load("[s]\nport = many\nsecret_count = hunter2")

        let port = #expect(throws: SettingsError.self) { try settings.int("s", "port") }
        #expect(
            port?.message
                == "/h/conf/defaults.ini:2: [s] port: 'many' is not a whole number; write digits only")
        let secret = #expect(throws: SettingsError.self) { try settings.int("s", "secret_count") }
        #expect(secret?.message.contains("hunter2") == false)
        #expect(throws: SettingsError.self) { try settings.bool("s", "port") }
        #expect(throws: SettingsError.self) { try load("port = 70000").int("", "port", in: 0...65_535) }
    }

    @Test func listsSplitAtCommasAndSpaces() throws {
        #expect(try load("k = a, b c,,\"d e\"").list("", "k") == ["a", "b", "c", "d e"])
        #expect(try load("k =").list("", "k").isEmpty)
    }

    @Test func pathsStartAtHome() throws {
        let settings = try load("a = data\nb = /abs\nc =")

        #expect(settings.path("", "a") == "/h/data")
        #expect(settings.path("", "b") == "/abs")
        #expect(settings.path("", "c").isEmpty)
    }

    @Test func secretsDoNotShow() throws {
        let settings = try load(
            """
            app_mode = x
            [database]
            password = hunter2
            url = postgres://grafana:hunt/er2@db:5432/g?sslmode=disable
            [remote_cache]
            connstr = addr=r:6379,password=hunter2,db=0
            [security]
            secret_key = hunter2
            cookie_secure = true
            """)
        let dump = settings.redacted()

        #expect(!"\(dump)".contains("er2"))
        #expect(dump["DEFAULT"] == ["app_mode": "x"])
        #expect(dump["database"]?["url"] == "postgres://*********@db:5432/g?sslmode=disable")
        #expect(dump["remote_cache"]?["connstr"] == "addr=r:6379,password=*********,db=0")
        #expect(dump["security"] == ["secret_key": "*********", "cookie_secure": "true"])
    }
}
