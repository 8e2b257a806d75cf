// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
internal import PluginABI

/// What the operator configured about plugins.
public struct PlatformConfiguration: Sendable {
    /// `[paths] plugins`.
    public var pluginsFolder: String?
    /// `[plugin.<id>] path`, by id.
    public var pluginPaths: [String: String]
    public var loading: LoadingSettings
    public var serverVersion: String
    public var limits: CallLimits
    public var http: HTTPDefaults
    /// Plugins that an administrator switched off.
    public var disabledIDs: Set<String>

    public init(
        pluginsFolder: String? = nil, pluginPaths: [String: String] = [:], loading: LoadingSettings = LoadingSettings(),
        serverVersion: String, limits: CallLimits = CallLimits(), http: HTTPDefaults = HTTPDefaults(),
        disabledIDs: Set<String> = []
    ) {
        self.pluginsFolder = pluginsFolder
        self.pluginPaths = pluginPaths
        self.loading = loading
        self.serverVersion = serverVersion
        self.limits = limits
        self.http = http
        self.disabledIDs = disabledIDs
    }

    var sources: [PluginSource] { PluginSource.all(plugins: pluginsFolder, pluginPaths: pluginPaths) }
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
    public var id: String
    public var aliasIDs: [String]
    public var name: String
    public var version: String
    public var descriptor: PluginDescriptor
    public var pluginClass: PluginClass
    public var signature: PluginSignature
    public var assets: PluginAssets
    public var files: PluginFiles
    /// nil for a plugin without code on the server.
    public var level: IsolationLevel?
    /// Counts the loads of this plugin, from 1.
    public var generation: Int
    public var state: PluginState
    /// Empty for a plugin that is linked in.
    public var folder: String
    public var callsRunning: Int
    public var callsTotal: Int
    public var callsAbandoned: Int
    public var rulesBroken: Int
    /// What `gf.describe/1` says: a JSON object, or empty.
    public var description: String
}
