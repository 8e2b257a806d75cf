// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser
public import Signing

/// `grafana-sign sign`: writes MANIFEST.txt.
struct SignCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Signs the files of a plugin's folder.",
        discussion: """
            Writes MANIFEST.txt into the folder. The same files, key and time ($SOURCE_DATE_EPOCH) give the same bytes. \
            Links that leave the folder are refused; files that should not be in a release are named.
            """)

    @Argument(help: ArgumentHelp("The folder that has plugin.json.", valueName: "folder"))
    var folder: String

    @Option(help: ArgumentHelp("For whom: private, private-glob, community, commercial, grafana.", valueName: "type"))
    var type = Manifest.SignatureType.privatePlugin

    @Option(help: ArgumentHelp("The short name of the signing organisation.", valueName: "slug"))
    var org: String

    @Option(help: ArgumentHelp("Its display name; the short name when left out.", valueName: "name"))
    var orgName: String?

    @Option(
        name: .customLong("root-url"),
        help: ArgumentHelp(
            "A server that may load the plugin; may be given again. With private-glob a pattern.", valueName: "url"))
    var rootURLs: [String] = []

    @Flag(help: "Print what would be signed and write nothing.")
    var dryRun = false

    @OptionGroup(title: "Key")
    var key: SigningKeyOptions

    func perform() async throws {
        Terminal.silenceLibraries()
        let request = SigningRequest(
            type: type, organization: org, organizationName: orgName ?? org, rootURLs: rootURLs,
            time: try SigningClock.signingTime())
        let signer = try key.signer(time: request.time)
        let draft = try draft(request, keyID: signer.publicKey.keyID)
        for warning in draft.warnings { Terminal.report("warning", warning) }
        if dryRun { return try Terminal.write(draft.text + "\n") }

        let signed = try signer.sign(draft.text)
        try draft.check(signed: signed, by: signer.publicKey, now: max(request.time, SigningClock.now))
        try ManifestDraft.write(signed, to: folder)
        let manifest = draft.manifest
        try Terminal.write(
            TerminalText.line(
                "signed \(manifest.plugin) \(manifest.version): \(manifest.files.count) files, type \(type.rawValue), "
                    + "key \(manifest.keyID) (\(signer.publicKey.owner))") + "\n")
    }

    private func draft(_ request: SigningRequest, keyID: String) throws -> ManifestDraft {
        do {
            let content = try FolderContent(folder)
            let line = ProgressLine(total: content.paths.count { $0 != Manifest.fileName })
            defer { line.end() }
            return try ManifestDraft(
                of: ProgressContent(files: content, line: line), request: request, keyID: keyID)
        } catch {
            throw CommandFailure(error, subject: folder)
        }
    }
}

extension Manifest.SignatureType: ExpressibleByArgument {}
extension TrustLevel: ExpressibleByArgument {}
extension SecretKey.Algorithm: ExpressibleByArgument {}
