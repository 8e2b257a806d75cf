// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import PluginABI
import Signing

/// `grafana-cli catalog`: static catalogues of plugins.
struct CatalogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog", abstract: "Makes static catalogues of plugins.",
        subcommands: [CatalogBuildCommand.self])
}

/// `grafana-cli catalog build`.
struct CatalogBuildCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Writes catalog.txt, the signed index of the plugin archives in a folder.",
        discussion: """
            The folder, as it is or behind any web server, is then a catalogue for --catalog and [plugins] catalogs. Each \
            index has a serial above the one before: an older copy is not accepted any more where a newer one was seen.
            """)

    @Argument(help: ArgumentHelp("The folder with the zip archives, at any depth.", valueName: "folder"))
    var folder: String

    @OptionGroup(title: "Key") var key: SigningKeyOptions

    @Option(help: "What the catalogue is called.")
    var name = ""

    @Option(help: "How long the index is good for.")
    var expires = TimeAmount(text: "30d", milliseconds: 30 * 86_400_000)

    @Option(help: "The serial; else one above that of the index that is there.")
    var serial: Int64?

    @Flag(help: "Write the result as JSON.")
    var json = false

    func validate() throws {
        if let serial, serial < 1 { throw ValidationError("--serial \(serial): give a number from 1.") }
    }

    func perform() async throws {
        let now = try SigningClock.signingTime()
        let signer = try key.signer(time: now)
        let builder = CatalogBuilder(folder: folder)
        let draft = try builder.draft(
            name: name, serial: serial, expires: now + expires.milliseconds / 1000, key: signer.publicKey)
        for warning in draft.warnings { Terminal.report("warning", warning) }
        try builder.write(signer.sign(draft.text))
        let counts = draft.counts
        guard !json else {
            let value: JSONValue = [
                "schemaVersion": 1, "index": .string(builder.path), "serial": .integer(draft.serial),
                "plugins": .integer(Int64(counts.plugins)), "archives": .integer(Int64(counts.archives)),
                "fingerprint": .string(signer.publicKey.fingerprint),
            ]
            return try Terminal.write(JSONText.indented(value) + "\n")
        }
        try Terminal.write(
            "\(builder.path): serial \(draft.serial), \(counts.plugins) plugins, \(counts.archives) archives, signed by "
                + "\(signer.publicKey.fingerprint)\n")
    }
}
