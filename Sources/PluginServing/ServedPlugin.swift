// SPDX-License-Identifier: Apache-2.0
internal import Logging
internal import PluginABI
internal import PluginHost

/// The plugin that a program serves: this server's own platform with the one plugin in it, behind Grafana's protocol.
final class ServedPlugin: Sendable {
    let platform: PluginPlatform
    let descriptor: PluginDescriptor
    private let instances = InstanceBook()

    private init(platform: PluginPlatform, descriptor: PluginDescriptor) {
        self.platform = platform
        self.descriptor = descriptor
    }

    /// Opens the library.
    ///
    /// - Throws: ``DescriptorError``, ``PluginRefusal``.
    static func open(_ place: PluginPlace, hostVersion: String) async throws -> ServedPlugin {
        var loading = LoadingSettings()
        // Grafana has judged the package, and this process is the plugin's own: the library comes into it.
        loading.isDevelopment = true
        // The host says how long it waits, and what a message may hold.
        let limits = CallLimits(time: nil, bytes: Int64(Int32.max))
        let id = try PluginDescriptor(pluginJSON: place.pluginJSON).id
        let configuration = PlatformConfiguration(
            loading: loading, serverVersion: hostVersion, limits: limits,
            isolation: IsolationPolicy(levels: [id: .inProcess]))
        let logger = Logger(label: place.name) { HclogHandler(module: $0) }
        let platform = PluginPlatform(
            configuration: configuration, builtins: [], keyValues: MemoryKeyValues(), logger: logger,
            verifier: JudgedByTheHost())
        do {
            let descriptor = try await platform.loadOnly(pluginJSON: place.pluginJSON, folder: place.folder)
            return ServedPlugin(platform: platform, descriptor: descriptor)
        } catch {
            await platform.shutDown()
            throw error
        }
    }

    /// Ends the plugin; its calls are over.
    func close() async { await platform.shutDown() }

    /// The data source of a request, whose instance is made at its first use and again when its settings have changed.
    func source(of context: RequestContext) throws -> DataSourceConfiguration {
        let source = try context.source(pluginID: descriptor.id)
        if let oldest = instances.used(orgID: source.settings.orgID, uid: source.settings.uid) {
            platform.forgetDataSource(orgID: oldest.orgID, uid: oldest.uid, type: descriptor.id)
        }
        return source
    }
}

/// Takes every signature: whoever started this program has judged the package, and this program has no OpenPGP.
private struct JudgedByTheHost: SignatureVerifier {
    func signature(of bundle: [PluginCandidate]) -> PluginSignature { .internal }
    func rejudge(_ signature: PluginSignature, sealed: [SealedImage]) -> PluginSignature { signature }
}
