// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser
import Glibc
import PluginHost
import Settings

/// `grafana`: the server, and the operator's commands beside it.
public struct GrafanaCommand: AsyncParsableCommand {
    /// The name, the version, and the commands `server` and `cli`.
    public static let configuration = CommandConfiguration(
        commandName: "grafana", abstract: "A Grafana-compatible server whose plugins are native.",
        version: BuildVersion.line, subcommands: [ServerCommand.self, GrafanaCLI.self])

    /// A command that has not read its arguments yet.
    public init() {}
}

/// `grafana server`: runs until it gets SIGTERM or SIGINT; the second signal ends it at once.
struct ServerCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "server", abstract: "Run the server.",
        discussion: """
            Settings come from conf/defaults.ini, then conf/custom.ini or --config, then the environment \
            (GF_SECTION_KEY), then the arguments, as in: grafana server cfg:server.http_port=3001
            """,
        version: BuildVersion.line)

    @OptionGroup var settings: SettingsOptions

    @Option(help: "A file to write the process id to.")
    var pidfile: String?

    @Option(help: "How the server was packaged; only shown.")
    var packaging = "source"

    func perform() async throws {
        // Before anything is started: a plugin may have crashed the image of this process before.
        let recovery = CrashRecovery.begin()
        let options = Settings.Options(settings)
        let settings = try Settings.load(options)
        if let pidfile { try PIDFile.write(pidfile) }
        try await Composition.run(settings, recovery: recovery) { try Settings.load(options) }
    }
}

enum PIDFile {
    /// - Throws: ``CommandFailure`` when the file cannot be written.
    static func write(_ path: String) throws {
        guard let file = fopen(path, "w") else {
            let reason = String(cString: strerror(errno))
            throw CommandFailure(
                .inputOutput, "the pid file '\(path)' cannot be written: \(reason); choose another with --pidfile")
        }
        fputs("\(getpid())\n", file)
        fclose(file)
    }
}
