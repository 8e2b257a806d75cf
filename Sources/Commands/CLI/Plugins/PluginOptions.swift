// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import Glibc
import PluginHost
import Server
import Settings

/// Where plugins are and where they come from; the flags of Grafana's program, and some of our own.
struct PluginOptions: ParsableArguments {
    @Option(
        name: [.customLong("pluginsDir"), .customLong("plugins-dir")],
        help: "The plugins folder; else GF_PLUGIN_DIR, else [paths] plugins.")
    var pluginsDir: String?

    @Option(help: "The base of Grafana's plugin catalogue or of a mirror; else GF_PLUGIN_REPO.")
    var repo: String?

    @Option(
        name: [.customLong("pluginUrl"), .customLong("plugin-url")],
        help: "A zip archive to install instead of asking a catalogue, as an address or a path; else GF_PLUGIN_URL.")
    var pluginURL: String?

    @Option(
        help: "A static catalogue, as a folder or an address; may be given more than once. Then no other one is asked.")
    var catalog: [String] = []

    @Flag(help: "Do not check the certificates of servers.")
    var insecure = false

    @Option(
        name: [.customLong("homepath"), .customLong("home-path")],
        help: "The folder with conf/ and data/ of the server, for its settings.")
    var homePath: String?

    @Option(help: "The server's settings file.")
    var config: String?

    @Option(
        name: .customLong("configOverrides"),
        help: "Settings in one text, as in \"cfg:paths.plugins=/srv/plugins\".")
    var configOverrides: String?

    @OptionGroup var trust: TrustOptions

    @Flag(help: "Install plugins that nobody signed, as well.")
    var allowUnsigned = false

    @Option(help: "How long an answer may take, and how long a download may stand still.")
    var timeout = TimeAmount.thirtySeconds

    @Flag(name: [.long, .customShort("d")], help: "Say what is done, step by step.")
    var debug = false

    @Flag(help: "No colours; NO_COLOR says the same.")
    var noColor = false

    func validate() throws {
        for place in [repo].compactMap({ $0 }) where !place.hasPrefix("http://") && !place.hasPrefix("https://") {
            throw ValidationError("--repo '\(place)': write http:// or https://; a folder is --catalog.")
        }
    }

    /// Refuses what a running server decides by its own settings.
    func validateForServer() throws {
        let isOwn = pluginsDir != nil || repo != nil || pluginURL != nil || !catalog.isEmpty || trust.trust != nil
        if isOwn || allowUnsigned || insecure {
            throw ValidationError(
                "--pluginsDir, --repo, --pluginUrl, --catalog, --trust, --allow-unsigned and --insecure are for a folder; a "
                    + "running server has its own settings.")
        }
    }

    /// Whether the operator says which server's settings count.
    var namesSettings: Bool {
        [homePath, config, configOverrides, Terminal.variable("GF_PATHS_HOME")].contains { $0 != nil }
    }

    /// The server's settings; nil when none were named and none are in the working directory.
    ///
    /// - Throws: ``SettingsError``.
    func settings() throws -> Settings? {
        guard namesSettings || access("conf/defaults.ini", R_OK) == 0 else { return nil }
        let words = configOverrides?.split(separator: " ").map(String.init) ?? []
        return try Settings.load(Settings.Options(homePath: homePath, configPath: config, overrides: words))
    }

    /// The plugins folder.
    func folder(_ settings: Settings?) -> PluginsFolder {
        if let named = pluginsDir ?? Self.variable("GF_PLUGIN_DIR") { return PluginsFolder(path: named) }
        if let path = settings?.path("paths", "plugins"), !path.isEmpty { return PluginsFolder(path: path) }
        return PluginsFolder(path: "/var/lib/grafana/plugins")
    }

    /// The archive that takes the place of a catalogue.
    var packageURL: String? { pluginURL ?? Self.variable("GF_PLUGIN_URL") }

    static func variable(_ name: String) -> String? {
        Terminal.variable(name).flatMap { $0.isEmpty ? nil : $0 }
    }
}
