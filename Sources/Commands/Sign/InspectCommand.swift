// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Signing

/// `grafana-sign inspect`: shows what a signature or key says, without believing it.
struct InspectCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Shows what a manifest, a signed statement or a key says about itself; verifies nothing.")

    @Argument(
        help: ArgumentHelp(
            "A plugin's folder or zip file, a MANIFEST.txt, another signed text or a key.", valueName: "path"))
    var path: String

    @Flag(help: "List the files of a manifest too.")
    var files = false

    func perform() async throws {
        Terminal.silenceLibraries()
        do {
            try Terminal.write(try text(of: try bytes()))
        } catch {
            throw CommandFailure(error, subject: path)
        }
    }

    private func bytes() throws -> [UInt8] {
        if FilePaths.isFolder(path) {
            return try FilePaths.bytes(of: "\(path)/\(Manifest.fileName)", limit: Manifest.maximumBytes)
        }
        if path.hasSuffix(".zip") {
            return try ZipContent(path).bytes(of: Manifest.fileName, limit: Manifest.maximumBytes)
        }
        return try FilePaths.bytes(of: path)
    }

    private func text(of bytes: [UInt8]) throws -> String {
        if let key = try? PublicKey(parsing: bytes) { return KeyText.lines(of: key) }
        let unverified = try UnverifiedManifest(parsing: bytes)
        var text = unverified.manifest.map(Self.lines) ?? ""
        for signature in unverified.signatures {
            text += KeyText.text([
                (
                    "signature",
                    "\(signature.algorithm) with \(signature.hash), made \(SigningClock.text(seconds: signature.createdAt)), "
                        + "key \(signature.keyID)"
                )
            ])
        }
        guard let manifest = unverified.manifest else {
            return text + TerminalText.lines(String(decoding: unverified.text.filter { $0 != 0x0D }, as: UTF8.self))
                + "\n"
        }
        guard files else { return text }
        return text + manifest.files.map { "\($0.digest.hexadecimal)  \(TerminalText.line($0.path))\n" }.joined()
    }

    private static func lines(of manifest: Manifest) -> String {
        var facts = [("plugin", "\(manifest.plugin) \(manifest.version)")]
        facts.append(("format", manifest.manifestVersion.isEmpty ? "1 (no longer accepted)" : manifest.manifestVersion))
        if let type = manifest.signatureType { facts.append(("type", type.rawValue)) }
        if !manifest.organization.isEmpty {
            facts.append(("organisation", "\(manifest.organizationName) (\(manifest.organization))"))
        }
        facts.append(
            ("servers", manifest.rootURLs.isEmpty ? "every server" : manifest.rootURLs.joined(separator: ", ")))
        facts.append(("time", SigningClock.text(seconds: manifest.timeMilliseconds / 1000)))
        facts.append(("key", manifest.keyID))
        facts.append(("files", String(manifest.files.count)))
        return KeyText.text(facts)
    }
}
