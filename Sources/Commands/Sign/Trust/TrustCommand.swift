// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Signing

/// `grafana-sign trust …`: whom this installation trusts.
struct TrustCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust",
        abstract: "Shows and changes whom this installation trusts.",
        discussion: "A trust folder is plain files; docs/signing.md describes them. A running server notices changes.",
        subcommands: [
            TrustListCommand.self, TrustAddCommand.self, TrustRemoveCommand.self, TrustExportCommand.self,
            TrustRotateCommand.self, TrustRevokeCommand.self,
        ])
}

/// `grafana-sign trust list`.
struct TrustListCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the trusted keys, what each may sign, and what is revoked.")

    @Flag(help: "As JSON.")
    var json = false

    @OptionGroup(title: "Trust")
    var trust: TrustOptions

    func perform() async throws {
        let store = try trust.store()
        try Terminal.write(json ? TrustText.json(store) : TrustText.text(store))
    }
}

/// `grafana-sign trust remove`.
struct TrustRemoveCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Trusts a key no longer; Grafana's built-in key too can be removed.")

    @Argument(help: ArgumentHelp("The key's id or fingerprint.", valueName: "key"))
    var key: String

    @OptionGroup(title: "Trust")
    var trust: TrustOptions

    func perform() async throws {
        let folder = try trust.folderToChange()
        guard let removed = try folder.exclusively({ try folder.remove(key, now: SigningClock.now) }) else {
            throw CommandFailure(.badData, "key '\(key)': it is not trusted; see grafana-sign trust list")
        }
        try Terminal.write(TerminalText.line("removed \(removed.key.keyID) (\(removed.owner))") + "\n")
    }
}

/// `grafana-sign trust export`.
struct TrustExportCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a trusted public key, for gpg --import or another installation.")

    @Argument(help: ArgumentHelp("The key's id or fingerprint.", valueName: "key"))
    var key: String

    @OptionGroup(title: "Trust")
    var trust: TrustOptions

    func perform() async throws {
        let store = try trust.store()
        guard let found = store.key(id: key) else {
            throw CommandFailure(.badData, "key '\(key)': it is not trusted; see grafana-sign trust list")
        }
        try Terminal.write(try found.key.armored())
    }
}
