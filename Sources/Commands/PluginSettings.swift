// SPDX-License-Identifier: Apache-2.0
import Foundation
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
    /// What plugins that are programs are told.
    let goPlugins: GoPluginSettings
    /// The keys of `[plugin.<id>]` that are the plugin's own, by id.
    let pluginSettings: [String: [String: String]]
    /// Where the control groups of those processes are made.
    let controlGroups: ControlGroupPlace
    /// Whether the server begins anew when a plugin in its own process crashes.
    let survivesCrashes: Bool

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
        pluginSettings = Self.own(settings)
        var runner = RunnerSettings(
            path: settings.path("plugins", "runner_path"),
            idleTime: try settings.duration("plugins", "runner_idle_time"),
            memoryBytes: UInt64(try settings.int("plugins", "max_memory_mib", in: 0...1_048_576)) << 20,
            sharedBytes: UInt64(try settings.int("plugins", "max_shared_memory_mib", in: 1...1_048_576)) << 20,
            files: UInt32(try settings.int("plugins", "max_files", in: 0...1_048_576)),
            processorPercent: UInt32(try settings.int("plugins", "max_cpu_percent", in: 0...1_000_000)),
            tasks: UInt32(try settings.int("plugins", "max_tasks", in: 0...4_194_304)),
            callProcessorTime: try settings.duration("plugins", "max_call_cpu_time"))
        runner.permittedPaths = Self.permittedPaths(settings)
        self.runner = runner
        controlGroups = try Self.controlGroups(settings)
        survivesCrashes = try Self.survivesCrashes(settings)
        self.paths = paths
        self.loading = loading
        goPlugins = try Self.goPlugins(settings, pluginSettings)
    }

    /// The keys of `[plugin.<id>]` that are the server's own; plugins get the others.
    private static let ownKeys: Set<String> = [
        "path", "id", "as_external", "isolation", "mtls", "chunked_queries", "permitted_paths",
    ]

    private static func own(_ settings: Settings) -> [String: [String: String]] {
        var own: [String: [String: String]] = [:]
        for section in settings.sectionNames where section.hasPrefix("plugin.") {
            let values = settings.section(section).filter { !ownKeys.contains($0.key) }
            for (key, value) in values { own[String(section.dropFirst("plugin.".count)), default: [:]][key] = value }
        }
        return own
    }

    /// `[plugin.<id>] permitted_paths`: paths with commas between them.
    private static func permittedPaths(_ settings: Settings) -> [String: [String]] {
        var permitted: [String: [String]] = [:]
        for section in settings.sectionNames where section.hasPrefix("plugin.") {
            let paths = settings.string(section, "permitted_paths").split(separator: ",")
                .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
            if !paths.isEmpty { permitted[String(section.dropFirst("plugin.".count))] = paths }
        }
        return permitted
    }

    /// What every request tells a plugin about the server: the name there, and where the setting is.
    private static let grafanaConfig = [
        ("GF_APP_URL", "server", "root_url"), ("GF_RESPONSE_LIMIT", "dataproxy", "response_limit"),
        ("GF_SQL_ROW_LIMIT", "dataproxy", "row_limit"),
        ("GF_SQL_MAX_OPEN_CONNS_DEFAULT", "sql_datasources", "max_open_conns_default"),
        ("GF_SQL_MAX_IDLE_CONNS_DEFAULT", "sql_datasources", "max_idle_conns_default"),
        ("GF_SQL_MAX_CONN_LIFETIME_SECONDS_DEFAULT", "sql_datasources", "max_conn_lifetime_default"),
        ("GF_CONCURRENT_QUERY_COUNT", "datasources", "concurrent_query_count"),
        ("GF_USER_FACING_DEFAULT_ERROR", "log", "user_facing_default_error"),
        ("GF_LIVE_CLIENT_QUEUE_MAX_SIZE", "live", "client_queue_max_size"),
    ]

    private static func goPlugins(
        _ settings: Settings, _ pluginSettings: [String: [String: String]]
    ) throws -> GoPluginSettings {
        var go = GoPluginSettings()
        let toggles = try ServerOptions(settings: settings).featureToggles.joined(separator: ",")
        go.environment = ["GF_VERSION": ServerOptions.announcedVersion]
        for (variable, section, key) in grafanaConfig {
            let value = settings.string(section, key)
            if !value.isEmpty { go.grafanaConfig[variable] = value }
        }
        if !toggles.isEmpty {
            go.environment["GF_INSTANCE_FEATURE_TOGGLES_ENABLE"] = toggles
            go.grafanaConfig["GF_INSTANCE_FEATURE_TOGGLES_ENABLE"] = toggles
        }
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
            go.environment[name] = ProcessInfo.processInfo.environment[name]
        }
        for section in settings.sectionNames where section.hasPrefix("plugin.") {
            let id = String(section.dropFirst("plugin.".count))
            if try settings.bool(section, "mtls") { go.tlsIDs.insert(id) }
            if try settings.bool(section, "chunked_queries") { go.chunkedIDs.insert(id) }
        }
        for (id, values) in pluginSettings {
            for (key, value) in values { go.environments[id, default: [:]]["GF_PLUGIN_\(key.uppercased())"] = value }
        }
        return go
    }

    private static func controlGroups(_ settings: Settings) throws -> ControlGroupPlace {
        let text = settings.string("plugins", "control_groups")
        guard let place = ControlGroupPlace(setting: text) else {
            throw SettingsError(
                .badValue, "[plugins] control_groups is '\(text)'; set auto, off, or the absolute path of a folder")
        }
        return place
    }

    private static func survivesCrashes(_ settings: Settings) throws -> Bool {
        let text = settings.string("plugins", "quarantine")
        guard ["auto", "off"].contains(text) else {
            throw SettingsError(.badValue, "[plugins] quarantine is '\(text)'; set auto or off")
        }
        return text == "auto"
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
