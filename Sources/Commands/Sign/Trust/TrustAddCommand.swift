// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Signing

/// `grafana-sign trust add`.
struct TrustAddCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Trusts a public key, or changes what a trusted one may sign.",
        discussion: """
            Shows the key and asks; compare the fingerprint with one that you got another way. Without a terminal give \
            --yes.
            """)

    @Argument(help: ArgumentHelp("The file of the public key.", valueName: "file"))
    var file: String

    @Option(
        name: .customLong("plugin"),
        help: ArgumentHelp(
            "A pattern of plugin ids that it may sign, such as 'acme-*'; may be given again.", valueName: "glob"))
    var plugins: [String]

    @Option(
        name: .customLong("type"),
        help: ArgumentHelp("A signature type that it may grant; may be given again.", valueName: "type"))
    var types: [Manifest.SignatureType] = [.privatePlugin]

    @Option(help: ArgumentHelp("How near its plugins may come: process or in-process.", valueName: "level"))
    var level = TrustLevel.process

    @Flag(help: "It may sign the revocation list.")
    var mayRevoke = false

    @Option(help: ArgumentHelp("The name of its files in the trust folder; its id when left out.", valueName: "name"))
    var name: String?

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup(title: "Trust")
    var trust: TrustOptions

    func validate() throws {
        if plugins.contains(where: { $0.allSatisfy(\.isWhitespace) }) {
            throw ValidationError("--plugin '': write a pattern of plugin ids, such as 'acme-*'; 'none' matches none.")
        }
    }

    func perform() async throws {
        let folder = try trust.folderToChange()
        let key: PublicKey
        do { key = try PublicKey(parsing: try FilePaths.bytes(of: file)) } catch {
            throw CommandFailure(error, subject: file)
        }
        guard !key.isRevoked else {
            throw CommandFailure(.refused, "'\(file)': its owner has revoked the key \(key.keyID); get the new key")
        }
        var trusted = TrustedKey(
            key, plugins: plugins, types: Set(types), level: level, grantedBy: folder.path)
        trusted.mayRevoke = mayRevoke
        if !yes { try Confirmation.ask("\(TrustText.lines(of: trusted))Trust this key?") }
        let added = try folder.exclusively { try folder.add(trusted, name: name, now: SigningClock.now) }
        try Terminal.write(TrustText.lines(of: added))
    }
}

/// A question that only a person can answer.
enum Confirmation {
    /// - Throws: ``CommandFailure`` `.usage` when nobody sits at a terminal, `.refused` for any answer but yes.
    static func ask(_ question: String) throws {
        guard PasswordPrompt.isPossible else {
            throw CommandFailure(.usage, "there is no terminal to ask at; give --yes if that is what you want")
        }
        Terminal.writeError("\(question) [y/N] ")
        let answer = (readLine() ?? "").lowercased()
        guard ["y", "yes"].contains(answer) else {
            throw CommandFailure(.refused, "not confirmed; nothing was changed")
        }
    }
}
