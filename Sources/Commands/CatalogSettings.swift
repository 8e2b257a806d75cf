// SPDX-License-Identifier: Apache-2.0
import Catalog
import PluginHost
import Server
import Settings

/// What the settings say about catalogues, for the server and for the commands.
enum CatalogSettings {
    /// The catalogue of Grafana itself.
    static let grafanaBase = "https://grafana.com/api/plugins"

    /// - Parameters:
    ///   - settings: Nil for a plugins folder without a server's settings.
    ///   - origin: `cli` or `api`.
    /// - Throws: ``SettingsError`` for a value that does not fit its key.
    static func configuration(
        _ settings: Settings?, folder: PluginsFolder, origin: String
    ) throws -> CatalogConfiguration {
        let target = InstallTarget(serverVersion: ServerOptions.announcedVersion)
        var configuration = CatalogConfiguration(folder: folder, target: target)
        configuration.origin = origin
        configuration.coreIDs = Set(Composition.builtins.compactMap(\.id))
        configuration.grafanaBase = grafanaBase
        guard let settings else { return configuration }
        let plugins = try PluginSettings(settings)
        let api = settings.string("grafana_com", "api_url")
        configuration.grafanaBase = api.isEmpty ? nil : api + (api.hasSuffix("/") ? "plugins" : "/plugins")
        configuration.catalogs = settings.list("plugins", "catalogs")
        let token = settings.string("plugins", "install_token")
        configuration.token = token.isEmpty ? nil : token
        configuration.coreIDs.subtract(plugins.loading.coreIDsAsExternal)
        configuration.trust.allowsUnsigned = plugins.loading.isDevelopment
        configuration.trust.unsignedIDs = plugins.loading.unsignedIDs
        if let trust = plugins.trustFolder { configuration.trust.use(folder: trust) }
        configuration.trust.rootURL = plugins.rootURL
        return configuration
    }

    /// The plugins that the settings and `GF_INSTALL_PLUGINS` want at the start.
    ///
    /// With `GF_INSTALL_PLUGINS_FORCE=true` the variable is no part of the settings: nothing pins its plugins, and
    /// `preinstall_disabled` does not concern them.
    ///
    /// - Throws: ``SettingsError`` for an entry that names no plugin.
    static func preinstall(
        _ settings: Settings, variable: (String) -> String? = Terminal.variable
    ) throws -> PreinstallList {
        var list = PreinstallList()
        let named = try (variable("GF_INSTALL_PLUGINS") ?? "").split(separator: ",").map {
            try plugin(PreinstalledPlugin(variable: $0), "GF_INSTALL_PLUGINS", String($0))
        }
        let isByHand = variable("GF_INSTALL_PLUGINS_FORCE") == "true"
        if isByHand { list.asByHand = named }
        guard try !settings.bool("plugins", "preinstall_disabled") else { return list }
        list.updates = try settings.bool("plugins", "preinstall_auto_update")
        let listed = try settings.list("plugins", "preinstall").map {
            try plugin(PreinstalledPlugin($0), "[plugins] preinstall", $0)
        }
        let isAsync = try settings.bool("plugins", "preinstall_async")
        list.blocking = try settings.list("plugins", "preinstall_sync").map {
            try plugin(PreinstalledPlugin($0), "[plugins] preinstall_sync", $0)
        }
        if isAsync { list.inBackground = listed } else { list.blocking += listed }
        if !isByHand { list.blocking += named }
        return list
    }

    private static func plugin(
        _ plugin: PreinstalledPlugin?, _ place: String, _ text: String
    ) throws -> PreinstalledPlugin {
        guard let plugin else {
            throw SettingsError(.badValue, "\(place): '\(text)' is no plugin; write id, id@version or id@version@url")
        }
        return plugin
    }
}
