// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser

/// The tool of plugin authors: `grafana-plugin …`.
///
/// Results go to standard output, everything else to standard error. Exit codes: ``ExitStatus``.
public struct GrafanaPlugin: AsyncParsableCommand {
    /// Name, subcommands and version.
    public static let configuration = CommandConfiguration(
        commandName: "grafana-plugin",
        abstract: "Makes packages of plugins in C and Swift.",
        discussion: """
            Works without a network. Results go to standard output, everything else to standard error. Exit codes: \
            0 fine, 64 usage, 65 a plugin that is not what it should be, 70 a fault of this program, 74 input or output, \
            77 refused, 130 interrupted.
            """,
        version: BuildVersion.line,
        subcommands: [PackageCommand.self])

    /// A command that has not read its arguments yet.
    public init() {}
}
