// SPDX-License-Identifier: Apache-2.0
import PluginHost
import Server
import Settings

/// What the settings say about plugins, for the server and for the commands that look at its plugins.
struct PluginSettings {
    /// `[paths] plugins`.
    let folder: String
    /// `[plugin.<id>] path`, by id.
    let paths: [String: String]
    /// `[plugins] trust_path`; nil for none.
    let trustFolder: String?
    /// `[server] root_url`, as plugins for one server are signed.
    let rootURL: String
    let loading: LoadingSettings

    /// - Throws: ``SettingsError`` for a value that does not fit its key.
    init(_ settings: Settings) throws {
        folder = settings.path("paths", "plugins")
        let trustFolder = settings.path("plugins", "trust_path")
        self.trustFolder = trustFolder.isEmpty ? nil : trustFolder
        rootURL = try ServerOptions(settings: settings).rootURL
        var loading = LoadingSettings()
        loading.isDevelopment = settings.string("", "app_mode") == "development"
        loading.unsignedIDs = LoadingSettings.ids(settings.string("plugins", "allow_loading_unsigned_plugins"))
        loading.disabledIDs = LoadingSettings.ids(settings.string("plugins", "disable_plugins"))
        var paths: [String: String] = [:]
        for section in settings.sectionNames where section.hasPrefix("plugin.") {
            let id = String(section.dropFirst("plugin.".count))
            if !settings.string(section, "path").isEmpty { paths[id] = settings.path(section, "path") }
            if try settings.bool(section, "as_external") { loading.coreIDsAsExternal.insert(id) }
        }
        self.paths = paths
        self.loading = loading
    }
}
