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
    /// `[plugins] isolation` and `[plugin.<id>] isolation`.
    let isolation: IsolationPolicy
    /// The processes of plugins.
    let runner: RunnerSettings

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
        var isolation = IsolationPolicy(common: try Self.level(settings, "plugins"))
        for section in settings.sectionNames where section.hasPrefix("plugin.") {
            let id = String(section.dropFirst("plugin.".count))
            if !settings.string(section, "path").isEmpty { paths[id] = settings.path(section, "path") }
            if try settings.bool(section, "as_external") { loading.coreIDsAsExternal.insert(id) }
            if let level = try Self.level(settings, section) { isolation.levels[id] = level }
        }
        self.isolation = isolation
        runner = RunnerSettings(
            path: settings.path("plugins", "runner_path"),
            idleTime: try settings.duration("plugins", "runner_idle_time"),
            memoryBytes: UInt64(try settings.int("plugins", "max_memory_mib", in: 0...1_048_576)) << 20,
            sharedBytes: UInt64(try settings.int("plugins", "max_shared_memory_mib", in: 1...1_048_576)) << 20,
            files: UInt32(try settings.int("plugins", "max_files", in: 0...1_048_576)))
        self.paths = paths
        self.loading = loading
    }

    /// The level that a section sets; nil when it sets none.
    private static func level(_ settings: Settings, _ section: String) throws -> IsolationLevel? {
        let name = settings.string(section, "isolation")
        if name.isEmpty { return nil }
        guard let level = IsolationLevel(name: name), level != .linked else {
            throw SettingsError(
                .badValue, "[\(section)] isolation is '\(name)'; set in-process, process or sandbox")
        }
        return level
    }
}
