// SPDX-License-Identifier: Apache-2.0

/// A plugin on its way through the pipeline: discovered and bootstrapped, not yet judged.
public struct PluginCandidate: Sendable {
    public var descriptor: PluginDescriptor
    /// The folder of plugin.json.
    public var folder: String
    /// The folder of the source that it was found under.
    public var sourceFolder: String
    /// The folder of the bundle's primary plugin, which no file of the plugin may leave.
    public var bundleFolder: String
    public var pluginClass: PluginClass
    public var files: PluginFiles
    public var assets: PluginAssets
    public var parentID: String?
    public var childIDs: [String] = []
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
