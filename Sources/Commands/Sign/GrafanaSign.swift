// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser

/// The signature tool: `grafana-sign …`.
///
/// Results go to standard output, everything else to standard error. Exit codes: ``ExitStatus``.
public struct GrafanaSign: AsyncParsableCommand {
    /// Name, subcommands and version.
    public static let configuration = CommandConfiguration(
        commandName: "grafana-sign",
        abstract: "Verifies and makes the signatures of Grafana plugins.",
        discussion: """
            Works without a network. Results go to standard output, everything else to standard error. Exit codes: \
            0 fine, 64 usage, 65 bad data, 70 a fault of this program, 74 input or output, 77 refused, \
            78 configuration, 130 interrupted.
            """,
        version: BuildVersion.line,
        subcommands: [
            VerifyCommand.self, InspectCommand.self, SignCommand.self, KeygenCommand.self, TrustCommand.self,
        ])

    /// A command that has not read its arguments yet.
    public init() {}
}
