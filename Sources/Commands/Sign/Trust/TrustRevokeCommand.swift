// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Signing

/// `grafana-sign trust revoke`: writes the next revocation list, or takes over one from elsewhere.
struct TrustRevokeCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revokes keys and files in the next signed list, or takes over a list from elsewhere.",
        discussion: """
            trust revoke --key-id KEY --reason TEXT --key LISTS.secret.asc adds to the list in force and signs it with a \
            key that may revoke. trust revoke --list FILE verifies a list that came by another way and puts it in force. \
            The serial only rises: an older list is refused.
            """)

    @Option(
        name: .customLong("key-id"), help: ArgumentHelp("A key to revoke: its id or fingerprint.", valueName: "key"))
    var keys: [String] = []

    @Option(
        name: .customLong("file"),
        help: ArgumentHelp("A file to revoke: its SHA-256, or the path of a copy.", valueName: "file"))
    var files: [String] = []

    @Option(help: ArgumentHelp("Why; those who are refused read it.", valueName: "text"))
    var reason: String?

    @Option(help: ArgumentHelp("A signed list to put in force.", valueName: "file"))
    var list: String?

    @OptionGroup(title: "Key that signs the list")
    var key: SigningKeyOptions

    @OptionGroup(title: "Trust")
    var trust: TrustOptions

    func validate() throws {
        let revokes = !keys.isEmpty || !files.isEmpty
        if revokes == (list != nil) { throw ValidationError("Give --key-id or --file, or --list alone.") }
        if revokes, (reason ?? "").isEmpty { throw ValidationError("Give --reason.") }
    }

    func perform() async throws {
        Terminal.silenceLibraries()
        let folder = try trust.folderToChange()
        let installed = try folder.exclusively { try install(in: folder) }
        try Terminal.write(
            "list \(installed.serial) is in force: \(installed.keys.count) keys, \(installed.files.count) files\n")
    }

    private func install(in folder: TrustFolder) throws -> RevocationList {
        let bytes: [UInt8]
        if let list {
            bytes = try FilePaths.bytes(of: list, limit: RevocationList.maximumBytes)
        } else {
            bytes = try nextList(of: try folder.load(now: SigningClock.now))
        }
        do {
            return try folder.install(revocations: bytes, now: SigningClock.now)
        } catch {
            throw CommandFailure(error, subject: list ?? "\(folder.path)/\(RevocationList.fileName)")
        }
    }

    private func nextList(of store: TrustStore) throws -> [UInt8] {
        let time = try SigningClock.signingTime()
        var next = store.revocations
        guard next.serial < .max else {
            throw CommandFailure(
                .badData,
                "revocations: the serial of the list in force is the largest that there is, so none can follow; tell whoever "
                    + "signed it, and begin a new trust folder")
        }
        next.serial += 1
        next.timeMilliseconds = time * 1000
        for name in keys {
            let fingerprint = try fingerprint(of: name, in: store)
            next.keys.removeAll { $0.subject == fingerprint }
            next.keys.append(.init(subject: fingerprint, reason: reason ?? ""))
        }
        for name in files {
            let digest = try FileDigest(hexadecimal: name) ?? FileHasher.digest(ofFile: name)
            next.files.removeAll { $0.subject == digest.hexadecimal }
            next.files.append(.init(subject: digest.hexadecimal, reason: reason ?? ""))
        }
        return try key.signer(time: time).sign(next.text)
    }

    private func fingerprint(of name: String, in store: TrustStore) throws -> String {
        if let key = store.key(id: name) { return key.key.fingerprint }
        let text = name.uppercased()
        guard text.utf8.count == 40, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0) })
        else {
            throw CommandFailure(
                .badData, "key '\(name)': it is neither trusted here nor a fingerprint; give all 40 digits")
        }
        Terminal.report("warning", "no key with the fingerprint \(text) is trusted here; see that it has no mistake")
        return text
    }
}
