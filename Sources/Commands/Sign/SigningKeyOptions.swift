// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Signing

/// The key that signs, and where its passphrase comes from.
struct SigningKeyOptions: ParsableArguments {
    /// The variable with the armored secret key.
    static let keyVariable = "GRAFANA_SIGN_KEY"

    @Option(
        help: ArgumentHelp("The file of the secret key. Without it: the key in $\(keyVariable).", valueName: "file"))
    var key: String?

    @Option(help: ArgumentHelp("Sign with this key of GnuPG and its agent.", valueName: "user-id"))
    var gpg: String?

    @OptionGroup
    var passphrase: PassphraseOptions

    /// The key.
    ///
    /// - Throws: ``CommandFailure`` `.usage` when there is none or two.
    func signer(time: Int64) throws -> any TextSigner {
        if key != nil, gpg != nil { throw CommandFailure(.usage, "key: give either --key or --gpg") }
        if let gpg { return try GnuPGSigner(userID: gpg) }
        let bytes: [UInt8]
        let subject: String
        if let key {
            bytes = try FilePaths.bytes(of: key)
            subject = key
        } else if let text = Terminal.variable(Self.keyVariable), !text.isEmpty {
            bytes = Array(text.utf8)
            subject = "$\(Self.keyVariable)"
        } else {
            throw CommandFailure(
                .usage,
                "key: none is given; give --key FILE, --gpg USER-ID or $\(Self.keyVariable), or make one with keygen")
        }
        do {
            return try SecretKey(parsing: bytes, time: time) { try passphrase.read("Passphrase of \(subject): ") }
        } catch {
            throw CommandFailure(error, subject: subject)
        }
    }
}

/// Where a passphrase comes from.
struct PassphraseOptions: ParsableArguments {
    /// The variable with the passphrase.
    static let variable = "GRAFANA_SIGN_PASSPHRASE"

    @Option(
        help: ArgumentHelp(
            "The file whose first line is the passphrase. Without it: $\(variable), else a prompt.", valueName: "file"))
    var passphraseFile: String?

    /// The passphrase that is given without a prompt, or nil.
    func given() throws -> String? {
        if let passphraseFile {
            let line = try FilePaths.bytes(of: passphraseFile).prefix { $0 != 0x0A && $0 != 0x0D }
            guard let text = String(validating: line, as: UTF8.self), !text.isEmpty else {
                throw CommandFailure(
                    .badData, "'\(passphraseFile)': its first line is no text; write the passphrase there")
            }
            return text
        }
        return Terminal.variable(Self.variable).flatMap { $0.isEmpty ? nil : $0 }
    }

    func read(_ prompt: String) throws -> String {
        if let text = try given() { return text }
        guard PasswordPrompt.isPossible else {
            throw CommandFailure(
                .usage, "passphrase: the key is locked and there is no terminal to ask at; give --passphrase-file")
        }
        return try PasswordPrompt.read(prompt)
    }
}

/// Something that signs texts.
protocol TextSigner {
    /// Its public key.
    var publicKey: PublicKey { get }
    /// A clear-signed message.
    func sign(_ text: String) throws -> [UInt8]
}

extension SecretKey: TextSigner {
    func sign(_ text: String) throws -> [UInt8] { try clearSign(text) }
}
