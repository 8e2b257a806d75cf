// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PluginABI
import Settings

/// `grafana-cli admin`: works on the settings and the database without the server.
struct AdminCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin",
        abstract: "Works on settings and database, beside the server or without it.",
        subcommands: [ResetPasswordCommand.self, SecretsCommand.self, ShowSettingsCommand.self])
}

/// `grafana-cli admin settings`: what the server would see.
struct ShowSettingsCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings", abstract: "Shows the settings from all sources, secrets hidden.")

    @Flag(help: "As JSON.")
    var json = false

    @OptionGroup(title: "Settings")
    var options: SettingsOptions

    func perform() async throws {
        let settings = try options.load()
        for warning in settings.warnings { Terminal.report("warning", warning.description) }
        try Terminal.write(json ? Self.json(settings.redacted()) : Self.ini(settings.redacted()))
    }

    static func ini(_ sections: [String: [String: String]]) -> String {
        let names = sections.keys.sorted { $0 == "DEFAULT" || $1 != "DEFAULT" && $0 < $1 }
        return names.map { name in
            let keys = (sections[name] ?? [:]).sorted { $0.key < $1.key }
            let lines = keys.map { TerminalText.line("\($0.key) = \($0.value)") + "\n" }.joined()
            return name == "DEFAULT" ? lines : "\n[\(name)]\n\(lines)"
        }.joined()
    }

    private static func json(_ sections: [String: [String: String]]) -> String {
        let object = JSONObject(
            sections.map { name, keys in
                (key: name, value: JSONValue.object(JSONObject(keys.map { (key: $0.key, value: .string($0.value)) })))
            })
        return JSONValue.object(object).encoded(sortedKeys: true) + "\n"
    }
}
