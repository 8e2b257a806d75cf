// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Server
import Settings

/// `grafana-cli doctor`: finds out why a server does not start, or will not.
struct DoctorCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Checks settings, folders, database, port, plugins and disk of a server.",
        discussion: """
            Changes nothing, opens no plugin's code, and may run beside the server. Run it as the server's user. \
            Exit code 0 when all is fine, 1 with findings.
            """)

    @Flag(help: "As JSON.")
    var json = false

    @OptionGroup(title: "Settings")
    var options: SettingsOptions

    func perform() async throws {
        let report = FindingReport(findings: await findings())
        try Terminal.write(json ? report.json() : report.text(usesColor: Terminal.output().usesColor))
        if !report.isFine { throw ExitCode(ExitStatus.findings.rawValue) }
    }

    private func findings() async -> [Finding] {
        let settings: Settings
        let server: ServerOptions
        do {
            settings = try options.load()
            server = try ServerOptions(settings: settings)
        } catch {
            let failure = CommandFailure(error)
            return [.error("settings", failure.message, remedy: "the other checks need the settings")]
        }
        var findings = settingsFindings(settings)
        findings += FolderCheck(settings: settings).findings()
        findings += await DatabaseCheck(settings: settings).findings()
        findings.append(await PortCheck(options: server).finding())
        findings += await PluginsCheck(settings: settings).findings()
        findings += await QuarantineCheck(settings: settings).findings()
        findings.append(DiskCheck(path: settings.path("paths", "data")).finding())
        return findings
    }

    private func settingsFindings(_ settings: Settings) -> [Finding] {
        let warnings = settings.warnings.map {
            Finding.warning("settings", $0.description, remedy: "correct or remove it")
        }
        let read = Finding.ok("settings", "read \(settings.configPaths.joined(separator: ", "))")
        return [read] + warnings + [secretKeyFinding(settings)]
    }

    /// The key of `conf/defaults.ini`, which everybody knows.
    private static let publishedKey = "SW2YcwTIb9zpOOhoPsMm"

    private func secretKeyFinding(_ settings: Settings) -> Finding {
        let key = settings.string("security", "secret_key")
        let remedy = "set [security] secret_key to a random text, then run admin secrets change-key"
        if key.isEmpty { return .error("secret-key", "[security] secret_key is empty", remedy: remedy) }
        if key == Self.publishedKey {
            return .warning("secret-key", "[security] secret_key is the published default", remedy: remedy)
        }
        return .ok("secret-key", "[security] secret_key is set")
    }
}
