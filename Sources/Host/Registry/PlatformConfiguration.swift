// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
internal import PluginABI

/// What the operator configured about plugins.
public struct PlatformConfiguration: Sendable {
    /// The folder of plugins that are part of the server but come as libraries, to run in processes of their own.
    public var coreFolder: String?
    /// `[paths] plugins`.
    public var pluginsFolder: String?
    /// `[plugin.<id>] path`, by id.
    public var pluginPaths: [String: String]
    /// Which plugins may load, and how their folders are read.
    public var loading: LoadingSettings
    /// The version that plugins are told, and that their refusals name.
    public var serverVersion: String
    /// What a call may use where nothing narrower is set.
    public var limits: CallLimits
    /// Timeouts, connections and user agent of the requests that plugins send through the host.
    public var http: HTTPDefaults
    /// Plugins that an administrator switched off.
    public var disabledIDs: Set<String>
    /// The most rows of a query that asks for no number of its own; nil: only the bytes of a call are bounded.
    public var rowLimit: Int?
    /// Which answers are kept for a while.
    public var caching: CachingSettings
    /// Which plugins run in processes of their own.
    public var isolation: IsolationPolicy
    /// Reads ``isolation`` again when all plugins or one are reloaded; nil: it stays as it is.
    public var readIsolation: (@Sendable () throws -> IsolationPolicy)?
    /// How those processes run.
    public var runner: RunnerSettings
    /// What plugins that are programs are told, and how they are run.
    public var goPlugins: GoPluginSettings
    /// What the operator set for plugins in `[plugin.<id>]`, by plugin id and key in lower case.
    public var pluginSettings: [String: [String: String]]
    /// Where the control groups of plugins' processes are made.
    public var controlGroups: ControlGroupPlace
    /// Whether crashes of plugins in the server's own process are survived.
    public var quarantine: QuarantineMode

    /// Makes a configuration without plugin folders unless they are given.
    public init(
        coreFolder: String? = nil, pluginsFolder: String? = nil, pluginPaths: [String: String] = [:],
        loading: LoadingSettings = LoadingSettings(),
        serverVersion: String, limits: CallLimits = CallLimits(), http: HTTPDefaults = HTTPDefaults(),
        disabledIDs: Set<String> = [], rowLimit: Int? = nil, caching: CachingSettings = CachingSettings(),
        isolation: IsolationPolicy = IsolationPolicy(), runner: RunnerSettings = RunnerSettings(),
        goPlugins: GoPluginSettings = GoPluginSettings(), pluginSettings: [String: [String: String]] = [:],
        controlGroups: ControlGroupPlace = .none, quarantine: QuarantineMode = .off
    ) {
        self.coreFolder = coreFolder
        self.pluginsFolder = pluginsFolder
        self.pluginPaths = pluginPaths
        self.loading = loading
        self.serverVersion = serverVersion
        self.limits = limits
        self.http = http
        self.disabledIDs = disabledIDs
        self.rowLimit = rowLimit
        self.caching = caching
        self.isolation = isolation
        self.runner = runner
        self.goPlugins = goPlugins
        self.pluginSettings = pluginSettings
        self.controlGroups = controlGroups
        self.quarantine = quarantine
    }

    var sources: [PluginSource] {
        PluginSource.all(core: coreFolder.map { [$0] } ?? [], plugins: pluginsFolder, pluginPaths: pluginPaths)
    }
}

/// A plugin that is linked into the server; it comes through the same entry as any other.
public struct BuiltinPlugin: Sendable {
    let descriptorJSON: String
    let entry: gf_entry_fn

    /// - Parameter descriptorJSON: its plugin.json.
    public init(
        descriptorJSON: String,
        entry: @escaping @convention(c) (UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>?
    ) {
        self.descriptorJSON = descriptorJSON
        self.entry = entry
    }

    /// The id of its plugin.json; nil when that cannot be read.
    public var id: String? { try? PluginDescriptor(pluginJSON: Array(descriptorJSON.utf8)).id }
}

/// What a plugin is doing.
public enum PluginState: Sendable, Equatable {
    /// It answers calls.
    case running
    /// An administrator switched it off.
    case disabled
    /// It has no code on the server: a panel, or an app without a backend.
    case frontendOnly

    /// `running`, `disabled` or `frontend-only`.
    public var name: String {
        switch self {
        case .running: "running"
        case .disabled: "disabled"
        case .frontendOnly: "frontend-only"
        }
    }
}

/// One registered plugin.
public struct PluginInfo: Sendable {
    /// The `id` of plugin.json, unique among the registered plugins.
    public var id: String
    /// Former ids under which the plugin is found as well.
    public var aliasIDs: [String]
    /// The display name of plugin.json, for people; need not be unique.
    public var name: String
    /// The `info.version` of plugin.json, as written there.
    public var version: String
    /// The decoded plugin.json.
    public var descriptor: PluginDescriptor
    /// Whether the plugin is part of the server or was installed beside it.
    public var pluginClass: PluginClass
    /// What the check of its signature found when it was loaded.
    public var signature: PluginSignature
    /// The URLs under which the browser gets its module and images.
    public var assets: PluginAssets
    /// The files below its folder that may be served.
    public var files: PluginFiles
    /// nil for a plugin without code on the server.
    public var level: IsolationLevel?
    /// Counts the loads of this plugin, from 1.
    public var generation: Int
    /// Whether it answers calls, and if not, why.
    public var state: PluginState
    /// Empty for a plugin that is linked in.
    public var folder: String
    /// Calls of the loaded generation that have begun and not completed.
    public var callsRunning: Int
    /// Calls that the loaded generation began, the running ones included; a reload starts at 0.
    public var callsTotal: Int
    /// Calls of the loaded generation that did not complete within their grace and were given up.
    public var callsAbandoned: Int
    /// Breaches of the ABI's rules that the host noticed in the loaded generation.
    public var rulesBroken: Int
    /// Its process; nil for a plugin whose code runs in the server's.
    public var process: PluginProcessStatus?
    /// Why it does not run in the server's process, where it might; nil when nothing is wrong.
    public var quarantine: PluginQuarantine?
    /// What `gf.describe/1` says: a JSON object, or empty.
    public var description: String
}
