// SPDX-License-Identifier: Apache-2.0

/// A plugin on its way through the pipeline: discovered and bootstrapped, not yet judged.
public struct PluginCandidate: Sendable {
    /// The decoded plugin.json.
    public var descriptor: PluginDescriptor
    /// The folder of plugin.json.
    public var folder: String
    /// The folder of the source that it was found under.
    public var sourceFolder: String
    /// The folder of the bundle's primary plugin, which no file of the plugin may leave.
    public var bundleFolder: String
    /// Core or external; a child has that of its parent.
    public var pluginClass: PluginClass
    /// The files that MANIFEST.txt must list.
    public var files: PluginFiles
    /// The URLs of the plugin.
    public var assets: PluginAssets
    /// The plugin whose folder contains this one.
    public var parentID: String?
    /// The nested plugins.
    public var childIDs: [String] = []
    /// The parent, when it is an app.
    public var includedInAppID: String?

    /// The sealed library; nil when plugin.json names none or when it could not be read.
    public var image: SealedImage?
    /// The path of the subprocess executable; nil when plugin.json names none or when it is missing.
    public var executable: String?
    /// Why `image` or `executable` is missing; reported only after the signature was judged.
    var backendRefusal: PluginRefusal?
}

/// A plugin.json that was found and decoded.
struct DiscoveredPlugin: Sendable {
    var descriptor: PluginDescriptor
    var folder: String
    var sourceFolder: String
    var pluginClass: PluginClass
    var files: PluginFiles
}

/// A plugin with the plugins in its sub-folders.
struct PluginBundle: Sendable {
    var primary: DiscoveredPlugin
    var children: [DiscoveredPlugin] = []
}
