// SPDX-License-Identifier: Apache-2.0
import Catalog
import PluginHost
import Server
import Settings
import Signing

/// What the plugin commands work with, made from their options and the server's settings.
struct PluginWorkplace {
    let options: PluginOptions
    let folder: PluginsFolder
    let configuration: CatalogConfiguration
    /// The server whose keys count; nil when the options say which keys do.
    private let trusting: Settings?

    init(_ options: PluginOptions) throws {
        let settings = try options.settings()
        self.options = options
        folder = options.folder(settings)
        var configuration = try CatalogSettings.configuration(settings, folder: folder, origin: "cli")
        // Whom to trust is not taken from a folder that one happens to be in: it may be the plugin's.
        if !options.namesSettings { configuration.trust = .init() }
        let named = options.trust.trust ?? PluginOptions.variable("GRAFANA_TRUST")
        if let trust = named ?? (options.namesSettings ? nil : options.trust.folder) {
            configuration.trust.use(folder: trust)
        }
        trusting = options.namesSettings && named == nil ? settings : nil
        if !options.catalog.isEmpty {
            configuration.catalogs = options.catalog
            configuration.grafanaBase = options.repo
        } else if let repo = options.repo ?? PluginOptions.variable("GF_PLUGIN_REPO") {
            configuration.catalogs = []
            configuration.grafanaBase = repo
        }
        configuration.verifiesTLS = configuration.verifiesTLS && !options.insecure
        configuration.patience = .milliseconds(options.timeout.milliseconds)
        configuration.trust.allowsUnsigned = configuration.trust.allowsUnsigned || options.allowUnsigned
        self.configuration = configuration
    }

    /// Runs work with the catalogues.
    func with<Value>(_ work: (CatalogSession) async throws -> Value) async throws -> Value {
        guard let trusting else { return try await CatalogSession.with(configuration, work) }
        let trust = await SettingsTrust(trusting, try PluginSettings(trusting))
        for notice in trust.notices { Terminal.report("notice", notice) }
        var configuration = configuration
        configuration.trust.source = { () throws(SigningError) in try trust.result.get() }
        return try await CatalogSession.with(configuration, work)
    }

    /// Colours and marks for results.
    var terminal: Terminal { Terminal.output(wantsColor: !options.noColor) }
}

/// A line of a result with Grafana's mark before it.
enum ResultLine {
    static func good(_ text: String, _ terminal: Terminal) -> String {
        terminal.usesColor ? "\u{1b}[32m✔\u{1b}[0m \(TerminalText.line(text))\n" : "✔ \(TerminalText.line(text))\n"
    }
}

/// What Grafana's program says after each change.
enum RestartNotice {
    static let text =
        "Please restart Grafana after installing or removing plugins. Refer to Grafana documentation for instructions if "
        + "necessary."

    /// On standard error, with what is true of this server.
    static func show() {
        Terminal.writeError("\n\(text)\nA running server of this project sees the change by itself.\n")
    }
}
