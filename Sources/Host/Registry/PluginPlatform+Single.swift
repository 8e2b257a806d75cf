// SPDX-License-Identifier: Apache-2.0
internal import Signing

extension PluginPlatform {
    /// Loads the one plugin of a program that serves it, into this process.
    ///
    /// Whoever started the program has judged the plugin's files: no signature is asked for. All else is checked as it is
    /// for a plugin in a plugins folder.
    ///
    /// - Parameters:
    ///   - pluginJSON: What plugin.json of a package for this server says.
    ///   - folder: Where the library lies.
    /// - Returns: The decoded plugin.json.
    /// - Throws: ``DescriptorError``, ``PluginRefusal``.
    package func loadOnly(pluginJSON: [UInt8], folder: String) async throws -> PluginDescriptor {
        let plugin = try await ValidatedPlugin.unsigned(
            pluginJSON: pluginJSON, folder: folder, settings: configuration.loading)
        try await initialize(plugin, builtin: nil)
        return plugin.descriptor
    }
}

extension ValidatedPlugin {
    /// Checks a plugin with a library as the loader does, but for its signature; runs none of its code.
    ///
    /// - Throws: ``DescriptorError``, ``PluginRefusal``.
    package static func unsigned(
        pluginJSON: [UInt8], folder: String, settings: LoadingSettings = LoadingSettings()
    ) async throws -> ValidatedPlugin {
        let descriptor = try PluginDescriptor(pluginJSON: pluginJSON)
        return try await DedicatedThread.run {
            Result {
                let found = DiscoveredPlugin(
                    descriptor: descriptor, folder: folder, sourceFolder: folder, pluginClass: .core,
                    files: PluginFiles(root: folder, listing: .frozen([])), digest: FileHasher.digest(of: pluginJSON))
                let candidate = Bootstrap(settings: settings).candidate(of: found)
                guard descriptor.library != nil else {
                    throw candidate.refusal(
                        .libraryMissing, found: "no \"library\"", expected: "the base name of a shared library",
                        message: "it names no library", remedy: "add \"library\" to its plugin.json")
                }
                return try Validation(settings: settings).validate(candidate, signature: .internal)
            }
        }.get()
    }
}
