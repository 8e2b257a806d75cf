// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser

/// The operator's program: `grafana-cli …`, and the same as `grafana cli …`.
///
/// Results go to standard output, everything else to standard error. Exit codes: ``ExitStatus``.
public struct GrafanaCLI: AsyncParsableCommand {
    /// Name, subcommands and version.
    public static let configuration = CommandConfiguration(
        commandName: "grafana-cli",
        abstract: "Asks, checks and mends a Grafana server.",
        discussion: """
            Results go to standard output, everything else to standard error. Exit codes: 0 fine, 1 findings, 64 usage, \
            65 bad query or data, 69 unavailable, 70 a fault of this program, 74 input or output, 75 try again, \
            77 refused, 78 configuration, 130 interrupted.
            """,
        version: BuildVersion.line,
        subcommands: [
            QueryCommand.self, PluginsCommand.self, CatalogCommand.self, DoctorCommand.self, AdminCommand.self,
        ],
        aliases: ["cli"])

    /// A command that has not read its arguments yet.
    public init() {}
}
