// SPDX-License-Identifier: Apache-2.0

/// Leaves out what the settings forbid and what is there twice, in Grafana's order.
///
/// - SeeAlso: Grafana, `pkg/services/pluginsintegration/pipeline/steps.go`.
struct DiscoveryFilters {
    var settings: LoadingSettings
    /// Plugin id → folder of the plugins that run already; a plugin may come again from the same source folder.
    var registered: [String: String]
    /// Plugin id → folder of the plugins met in this run.
    private var claimed: [String: String] = [:]
    private(set) var refusals: [PluginRefusal] = []

    init(settings: LoadingSettings, registered: [String: String]) {
        self.settings = settings
        self.registered = registered
    }

    mutating func apply(to bundles: [PluginBundle]) -> [PluginBundle] {
        bundles.compactMap { bundle in
            guard isPermitted(bundle), isEnabled(bundle.primary), isClaimed(bundle.primary) else { return nil }
            var bundle = bundle
            bundle.children = bundle.children.filter { isEnabled($0) && isClaimed($0) }
            return bundle
        }
    }

    /// One plugin of another type takes its whole bundle out.
    private mutating func isPermitted(_ bundle: PluginBundle) -> Bool {
        for plugin in [bundle.primary] + bundle.children
        where !settings.permittedTypes.contains(plugin.descriptor.type) {
            let permitted = settings.permittedTypes.map(\.rawValue).sorted().joined(separator: ", ")
            refuse(
                plugin, .typeNotPermitted, found: plugin.descriptor.type.rawValue, expected: "one of \(permitted)",
                message: "plugins of this type are not loaded here", remedy: "remove the folder '\(plugin.folder)'")
            return false
        }
        return true
    }

    private mutating func isEnabled(_ plugin: DiscoveredPlugin) -> Bool {
        let id = plugin.descriptor.id
        if settings.disabledIDs.contains(id) {
            refuse(
                plugin, .disabled, found: "\(id) in disable_plugins", expected: "", message: "it is disabled",
                remedy: "remove the id from [plugins] disable_plugins to load it")
            return false
        }
        if plugin.pluginClass == .core, settings.coreIDsAsExternal.contains(id) {
            refuse(
                plugin, .loadedAsExternal, found: "as_external = true", expected: "",
                message: "the server's own copy is left out",
                remedy: "install the external plugin, or remove [plugin.\(id)] as_external")
            return false
        }
        return true
    }

    /// The first plugin with an id gets it; a folder that two sources name counts once, without a word.
    private mutating func isClaimed(_ plugin: DiscoveredPlugin) -> Bool {
        let id = plugin.descriptor.id
        if claimed[id] == plugin.folder { return false }
        let isTaken = registered[id].map { !FilePath.isInside($0, folder: plugin.sourceFolder) } ?? false
        if let other = claimed[id] ?? (isTaken ? registered[id] : nil) {
            refuse(
                plugin, .duplicateID, found: plugin.folder,
                expected: other.isEmpty ? "the plugin that is built into the server" : other,
                message: "another plugin has this id already", remedy: "remove one of the two")
            return false
        }
        claimed[id] = plugin.folder
        return true
    }

    private mutating func refuse(
        _ plugin: DiscoveredPlugin, _ code: PluginRefusal.Code, found: String, expected: String, message: String,
        remedy: String
    ) {
        refusals.append(
            PluginRefusal(
                code, pluginID: plugin.descriptor.id, folder: plugin.folder, found: found, expected: expected,
                message: message, remedy: remedy))
    }
}
