// SPDX-License-Identifier: Apache-2.0
public import Catalog
public import PluginHost

/// The plugin platform, as the administration of plugins needs it.
public struct PlatformLink: PluginRuntimeLink {
    private let platform: PluginPlatform

    /// A link to a platform.
    public init(platform: PluginPlatform) { self.platform = platform }

    /// Loads the folder, and returns when its plugin runs in the version that lies there.
    public func pickUp(_ plugin: InstalledPlugin) async throws {
        let refusals = await platform.reload(folders: [plugin.folder])
        let id = plugin.facts.id
        if let running = platform.plugin(id: id), running.version == plugin.facts.version,
            !refusals.contains(where: { $0.pluginID == id })
        {
            return
        }
        let refusal = refusals.first { $0.pluginID == id } ?? refusals.first
        let words = refusal?.description ?? "plugin '\(id)': the server does not load it; see its log"
        throw CatalogError(.serverRefused, words)
    }

    /// Looks at all plugin folders.
    public func lookAgain() async { await platform.reload() }

    /// Whether the plugin runs from a folder of its own or is linked in.
    public func isElsewhere(_ id: String) -> Bool { platform.plugin(id: id) != nil }
}
