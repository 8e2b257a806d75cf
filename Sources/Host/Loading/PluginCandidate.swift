// SPDX-License-Identifier: Apache-2.0
public import Signing

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
    /// The sealed executable; nil exactly when `executable` is.
    public var executableImage: SealedImage?
    /// What was read of the plugin already and is used as it was read: plugin.json, the library, the executable.
    public var sealedFiles: [SealedFile]
    /// Why `image` or `executable` is missing; reported only after the signature was judged.
    var backendRefusal: PluginRefusal?
}

/// A file that was read and hashed in one go, and that is not read again.
public struct SealedFile: Sendable, Equatable {
    /// The path below the folder of the bundle's primary plugin, symlinks resolved; absolute when it is not below.
    public var path: String
    /// The SHA-256 of what was read.
    public var digest: FileDigest

    /// - Parameter place: the path of the file, with or without symlinks.
    init(_ place: String, in bundleFolder: String, digest: FileDigest) {
        let real = FileSystem.realPath(place) ?? place
        let folder = FileSystem.realPath(bundleFolder) ?? bundleFolder
        path = FilePath.relative(real, to: folder) ?? real
        self.digest = digest
    }
}

/// A plugin.json that was found and decoded.
struct DiscoveredPlugin: Sendable {
    var descriptor: PluginDescriptor
    var folder: String
    var sourceFolder: String
    var pluginClass: PluginClass
    var files: PluginFiles
    /// The SHA-256 of the plugin.json that was decoded.
    var digest: FileDigest
}

/// A plugin with the plugins in its sub-folders.
struct PluginBundle: Sendable {
    var primary: DiscoveredPlugin
    var children: [DiscoveredPlugin] = []
}
