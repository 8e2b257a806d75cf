// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import Settings
import Storage

/// `grafana-cli admin secrets`: the keys that encrypt passwords and tokens of data sources.
struct SecretsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secrets",
        abstract: "Changes the keys that encrypt stored secrets.",
        subcommands: [RotateSecretsCommand.self, ChangeSecretKeyCommand.self])
}

/// `grafana-cli admin secrets rotate`.
struct RotateSecretsCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Lets the next stored secret of each kind get a new data key.",
        discussion: """
            Secrets that are stored already stay readable. A running server goes over to the new keys within 15 minutes.
            """)

    @OptionGroup(title: "Settings")
    var options: SettingsOptions

    func perform() async throws {
        try await DatabaseAccess(settings: options.load()).with(role: .tool) { stores in
            try await stores.secrets.verify()
            try await stores.secrets.rotateDataKeys()
        }
        try Terminal.write("Data keys rotated: new secrets get new keys\n")
    }
}

/// `grafana-cli admin secrets change-key`.
struct ChangeSecretKeyCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "change-key",
        abstract: "Re-encrypts the data keys after [security] secret_key was changed.",
        discussion: """
            Stop the server, write the new secret_key into the settings, run this with the former key, start the server. \
            A second run does no harm.
            """)

    @Option(help: ArgumentHelp("The environment variable that holds the former key.", valueName: "NAME"))
    var oldFromEnv: String?

    @Option(help: ArgumentHelp("The file whose first line is the former key.", valueName: "FILE"))
    var oldFile: String?

    @OptionGroup(title: "Settings")
    var options: SettingsOptions

    /// More than this is no key.
    private static let longestKey = 4096

    func validate() throws {
        guard (oldFromEnv == nil) != (oldFile == nil) else {
            throw ValidationError("Give the former key with either --old-from-env NAME or --old-file FILE.")
        }
    }

    func perform() async throws {
        let old = Secret(try formerKey())
        let database = try DatabaseAccess(settings: options.load())
        guard !database.secretKey.clearText.isEmpty else {
            throw CommandFailure(.configuration, "[security] secret_key: it is empty; write the new key there first")
        }
        let count = try await database.with(role: .server) { stores in
            try await SecretsService.changeSecretKey(in: stores.database, from: old, to: database.secretKey)
        }
        let fact =
            count == 0 ? "no data key changed: all are under the new secret_key" : "\(count) data keys re-encrypted"
        try Terminal.write("Secret key changed: \(fact)\n")
    }

    private func formerKey() throws -> String {
        if let oldFromEnv {
            guard let key = Terminal.variable(oldFromEnv), !key.isEmpty else {
                throw CommandFailure(
                    .usage, "environment variable '\(oldFromEnv)': it is not set; put the former secret_key there")
            }
            return key
        }
        return try Self.firstLine(of: oldFile ?? "")
    }

    private static func firstLine(of path: String) throws -> String {
        guard let file = fopen(path, "re") else {
            throw CommandFailure(
                .inputOutput,
                "file '\(path)': it cannot be read (\(Terminal.systemMessage(errno))); correct --old-file")
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: longestKey + 1)
        let count = fread(&bytes, 1, bytes.count, file)
        let line = bytes[..<count].prefix { $0 != 0x0A && $0 != 0x0D }
        guard !line.isEmpty, line.count <= longestKey, let text = String(validating: line, as: UTF8.self) else {
            throw CommandFailure(
                .badData, "file '\(path)': its first line is no secret_key; put the former key there, as text")
        }
        return text
    }
}
