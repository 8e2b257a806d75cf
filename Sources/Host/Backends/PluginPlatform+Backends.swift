// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI

extension PluginPlatform {
    /// The backend of a plugin; nil when it has no code for the server.
    ///
    /// - Throws: ``PluginRefusal``.
    func backend(of plugin: ValidatedPlugin, builtin: gf_entry_fn?) async throws -> PluginBackend? {
        if let builtin {
            return try .linked(plugin, entry: builtin, serverVersion: configuration.serverVersion)
        }
        guard plugin.image != nil else {
            guard plugin.executable != nil else { return nil }
            return try await GoBackend.start(plugin, configuration: configuration, services: services)
        }
        var level = level(of: plugin)
        if level < .process, await quarantine.holds(plugin) { level = .process }
        guard level >= .process else {
            return try .mapped(
                plugin, serverVersion: configuration.serverVersion, suspect: quarantine.suspect(plugin))
        }
        return try await .isolated(
            plugin, level: level, settings: configuration.runner, services: services,
            serverVersion: configuration.serverVersion)
    }
}
