// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import Signing

/// `grafana-sign keygen`: makes a key.
struct KeygenCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Makes a key for signing: NAME.secret.asc to keep and NAME.asc to give away.",
        discussion:
            "Asks for a passphrase unless one is given or --no-passphrase is. Existing files are never replaced.")

    @Argument(help: ArgumentHelp("The owner, such as 'Acme <plugins@acme.example>'.", valueName: "owner"))
    var owner: String

    @Option(help: ArgumentHelp("The files' name without extension.", valueName: "path"))
    var output = "grafana-sign"

    @Option(help: ArgumentHelp("ed25519, or p521 as Grafana's own key.", valueName: "algorithm"))
    var algorithm = SecretKey.Algorithm.ed25519

    @Option(help: ArgumentHelp("Days until it expires; 0: never.", valueName: "days"))
    var expiresInDays: UInt32 = 0

    @Flag(help: "Do not lock the secret key, for a machine that keeps it in a vault of its own.")
    var noPassphrase = false

    @OptionGroup(title: "Passphrase")
    var passphrase: PassphraseOptions

    /// Some hundred years, and what fits OpenPGP's 32 bits of seconds.
    private static let longestDays: UInt32 = 36_525

    func validate() throws {
        if expiresInDays > Self.longestDays {
            throw ValidationError("--expires-in-days is at most \(Self.longestDays).")
        }
        if owner.isEmpty || owner.utf8.count > 128 { throw ValidationError("The owner has 1 to 128 bytes.") }
    }

    func perform() async throws {
        let files = try SecretKey.generate(
            algorithm, owner: owner, passphrase: try newPassphrase(), lifetimeSeconds: expiresInDays * 86_400,
            time: SigningClock.signingTime())
        let key = try PublicKey(parsing: Array(files.publicKey.utf8))
        try FilePaths.create("\(output).secret.asc", files.secret, mode: 0o600)
        do { try FilePaths.create("\(output).asc", files.publicKey, mode: 0o644) } catch {
            // Half of a new key beside half of an old one is of no use to anybody.
            unlink("\(output).secret.asc")
            throw error
        }
        try Terminal.write(KeyText.lines(of: key))
        Terminal.report("note", "keep \(output).secret.asc safe; give \(output).asc to those who shall trust it")
    }

    private func newPassphrase() throws -> String {
        if noPassphrase { return "" }
        if let text = try passphrase.given() { return text }
        guard PasswordPrompt.isPossible else {
            throw CommandFailure(
                .usage,
                "passphrase: none is given and there is no terminal to ask at; give --passphrase-file or --no-passphrase"
            )
        }
        return try PasswordPrompt.readNew("Passphrase of the new key: ")
    }
}

/// A public key as lines for people.
enum KeyText {
    static func lines(of key: PublicKey) -> String {
        var facts = [("key", key.keyID), ("fingerprint", key.fingerprint), ("owner", key.owner)]
        facts.append(("algorithm", key.algorithm))
        facts.append(("made", SigningClock.text(seconds: key.createdAt)))
        facts.append(("expires", key.expiresAt.map { SigningClock.text(seconds: $0) } ?? "never"))
        if key.isRevoked { facts.append(("revoked", "by its owner")) }
        return text(facts)
    }

    /// Names and values in two columns.
    static func text(_ facts: [(String, String)]) -> String {
        facts.map { TerminalText.padded($0.0, to: 13, atEnd: false) + TerminalText.line($0.1) + "\n" }.joined()
    }
}
