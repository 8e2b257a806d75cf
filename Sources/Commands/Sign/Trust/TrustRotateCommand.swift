// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Signing

/// `grafana-sign trust rotate`: an owner names a successor, and those who trust the owner take it over.
struct TrustRotateCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Makes a statement with which an old key names its successor, or takes one over.",
        discussion: """
            The owner: trust rotate --successor NEW.asc --key OLD.secret.asc > rotation.txt. Those who trust the old key: \
            trust rotate rotation.txt, which shows the new key and asks. It may then sign what the old one may, which stays \
            until it is removed.
            """)

    @Argument(help: ArgumentHelp("A statement to take over.", valueName: "statement"))
    var statement: String?

    @Option(help: ArgumentHelp("The public key that the statement names; signs with the key below.", valueName: "file"))
    var successor: String?

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup(title: "Old key")
    var key: SigningKeyOptions

    @OptionGroup(title: "Trust")
    var trust: TrustOptions

    func validate() throws {
        if (statement == nil) == (successor == nil) {
            throw ValidationError("Give either a statement or --successor.")
        }
    }

    func perform() async throws {
        Terminal.silenceLibraries()
        if let successor { return try make(successor) }
        guard let statement else { return }
        let folder = try trust.folderToChange()
        let bytes = try FilePaths.bytes(of: statement, limit: KeyRotation.maximumBytes)
        let added = try folder.exclusively {
            let rotated: TrustedKey
            do {
                rotated = try KeyRotation.open(
                    bytes, store: try folder.load(now: SigningClock.now), now: SigningClock.now)
            } catch {
                throw CommandFailure(error, subject: statement)
            }
            if !yes { try Confirmation.ask("\(TrustText.lines(of: rotated))Trust this key?") }
            return try folder.add(rotated, now: SigningClock.now)
        }
        try Terminal.write(TrustText.lines(of: added))
    }

    private func make(_ path: String) throws {
        let time = try SigningClock.signingTime()
        let new: PublicKey
        do { new = try PublicKey(parsing: try FilePaths.bytes(of: path)) } catch {
            throw CommandFailure(error, subject: path)
        }
        let old = try key.signer(time: time)
        let signed = try old.sign(try KeyRotation(successor: new).text(time: time))
        try Terminal.write(String(decoding: signed, as: UTF8.self))
    }
}
