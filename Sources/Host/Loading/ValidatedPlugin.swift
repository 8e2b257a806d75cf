// SPDX-License-Identifier: Apache-2.0

/// A plugin that passed every check that needs no code to be opened; what initialization starts from.
public struct ValidatedPlugin: Sendable {
    /// plugin.json, with the placeholders of `info` resolved.
    public var descriptor: PluginDescriptor
    /// The folder of plugin.json, as found (symlinks kept); empty for a plugin that is linked in.
    public var folder: String
    /// The folder or symlink in the plugins folder that the plugin was found under: the unit of reloading.
    public var sourceFolder: String
    /// Core or external.
    public var pluginClass: PluginClass
    /// The verdict that let it pass.
    public var signature: PluginSignature
    /// The sealed copy of the shared library; nil for a plugin without `library`.
    public var image: SealedImage?
    /// What the library's ELF header says; nil exactly when `image` is nil.
    public var elf: ELFImage?
    /// The path of the subprocess executable; nil for a plugin without `executable`.
    public var executable: String?
    /// The sealed copy of the executable, which is what has to be run; nil exactly when `executable` is.
    public var executableImage: SealedImage?
    /// The URLs of its files.
    public var assets: PluginAssets
    /// The files that may be served and loaded; frozen at discovery in production.
    public var files: PluginFiles
    /// The plugin whose folder contains this one.
    public var parentID: String?
    /// The nested plugins, in the order of their folders; a refused child is still named here.
    public var childIDs: [String]
    /// The app that brings this plugin along; nil when the parent is not an app.
    public var includedInAppID: String?
    /// What an operator should know although the plugin loads.
    public var warnings: [PluginWarning]
}

extension ValidatedPlugin {
    /// The id.
    public var id: String { descriptor.id }

    /// A plugin that is linked into the server: no folder, no image, status `internal`.
    ///
    /// - Parameter descriptor: the plugin.json that the plugin carries in its own memory.
    public init(linkedIn descriptor: PluginDescriptor) {
        self.init(
            descriptor: descriptor, folder: "", sourceFolder: "", pluginClass: .core,
            signature: .internal, image: nil, elf: nil,
            executable: nil, executableImage: nil, assets: PluginAssets(core: descriptor, folderName: descriptor.id),
            files: PluginFiles(root: "", listing: .frozen([])), parentID: nil, childIDs: [], includedInAppID: nil,
            warnings: [])
    }
}

/// A fact that does not stop a plugin but that its author or operator should know.
public struct PluginWarning: Sendable, Equatable {
    /// Kebab-case, stable: `module-missing`, `unsigned-allowed`, `extra-exports`, `rpath`, `static-tls`.
    public var code: String
    /// The fact and what to do about it.
    public var message: String

    /// Makes one with the defaults.
    public init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// What the pipeline found: plugins ready for initialization, and the reason for each that is not.
public struct PreparedPlugins: Sendable {
    /// In the order of the sources and folders, a parent before its children.
    public var validated: [ValidatedPlugin] = []
    /// In the order of the stages.
    public var refusals: [PluginRefusal] = []
}
