// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI
internal import Synchronization

/// An opened plugin library, wherever its code runs.
///
/// Safety: `pointer` is the plugin's and is only handed back to it; the tables are copies that nobody writes.
final class PluginLibrary: @unchecked Sendable {
    let runtime: PluginRuntime
    let level: IsolationLevel
    /// The process that the code runs in; nil when that is the server's own.
    let process: (any PluginProcess)?
    private let owner: AnyObject?
    private let library: gf_library_api
    private let instances: gf_instance_api
    private let pointer: OpaquePointer
    private let extensions: Set<String>
    let description: String

    private init(
        runtime: PluginRuntime, backend: PluginBackend, library: gf_library_api, instances: gf_instance_api,
        pointer: OpaquePointer
    ) {
        self.runtime = runtime
        level = backend.level
        process = backend.process
        owner = backend.owner
        self.library = library
        self.instances = instances
        self.pointer = pointer
        var found: Set<String> = []
        var description = ""
        for id in [GF_DATASOURCE_EXT, GF_HEALTH_EXT, GF_RESOURCE_EXT, GF_STREAM_EXT, GF_STATE_EXT, GF_DESCRIBE_EXT] {
            runtime.suspect.call(.library) {
                guard let table = id.withGF({ library.get_extension?(pointer, $0) }) else { return }
                found.insert(id)
                guard id == GF_DESCRIBE_EXT else { return }
                let described = adopt(UnsafeRawPointer(table).assumingMemoryBound(to: gf_describe_ext.self))
                description = described.map { String($0.json) } ?? ""
            }
        }
        extensions = found
        self.description = description
    }

    func has(extension id: String) -> Bool { extensions.contains(id) }

    // MARK: Opening

    /// Compares the description with the host and with plugin.json, and opens the library.
    ///
    /// - Throws: ``PluginRefusal``; the backend's process has then been ended.
    static func open(
        _ plugin: ValidatedPlugin, backend: PluginBackend, services: HostServices
    ) async throws -> PluginLibrary {
        do {
            return try await opened(plugin, backend: backend, services: services)
        } catch {
            backend.process?.end()
            throw error
        }
    }

    private static func opened(
        _ plugin: ValidatedPlugin, backend: PluginBackend, services: HostServices
    ) async throws -> PluginLibrary {
        let described = Described(pointer: backend.description)
        let traits = try negotiate(plugin, backend.description)
        guard let library = adopt(traits.library), let instances = adopt(traits.instance),
            let calls = adopt(traits.call), let open = library.open, instances.create != nil, calls.start != nil
        else {
            throw PluginRefusal(
                .descriptorDiffers, pluginID: plugin.id, folder: plugin.folder, found: "a missing table or function",
                expected: "gf_library_api.open, gf_instance_api.create and gf_call_api.start",
                message: "its description is incomplete", remedy: "ask its author for a corrected version")
        }
        let runtime = PluginRuntime(
            id: plugin.id, traits: traits, services: services, backend: backend,
            permissions: plugin.descriptor.permissions)
        runtime.adoptCalls(calls)
        let pointer = try await start(plugin, runtime, close: library.close) { handle, out in
            open(described.pointer, runtime.host, handle, out)
        }
        let opened = PluginLibrary(
            runtime: runtime, backend: backend, library: library, instances: instances, pointer: pointer)
        opened.declareMetrics()
        return opened
    }

    /// Runs `open` on a thread of the plugin, with a bound on its time.
    private static func start(
        _ plugin: ValidatedPlugin, _ runtime: PluginRuntime, close: (@convention(c) (OpaquePointer?) -> Void)?,
        _ body: @escaping @Sendable (OpaquePointer, UnsafeMutablePointer<OpaquePointer?>) -> gf_status
    ) async throws -> OpaquePointer {
        do {
            return try await runtime.lifecycle(timeout: .seconds(30), body) { close?($0) }
        } catch {
            if let calls = runtime.calls { runtime.watchdog.remove(calls) }
            runtime.endThreads()
            throw PluginRefusal(
                .startFailed, pluginID: plugin.id, folder: plugin.folder, found: "\(error)",
                expected: "open answers OK",
                message: "it could not be opened", remedy: "see its log lines and mend its settings")
        }
    }

    private func declareMetrics() {
        let found = runtime.suspect.call(.library) { GF_METRICS_EXT.withGF { library.get_extension?(pointer, $0) } }
        guard let table = found,
            let metrics = adopt(UnsafeRawPointer(table).assumingMemoryBound(to: gf_metrics_ext.self)),
            let fault = runtime.metrics.declare(metrics)
        else { return }
        runtime.misbehaved("its metrics are not counted: \(fault)", rule: "GF-R-024")
    }

    // MARK: Instances

    func makeInstance(
        _ configuration: DataSourceConfiguration, onDestroyed: @escaping @Sendable (PluginInstance) -> Void
    ) async throws -> PluginInstance {
        let handle = runtime.configurations.add(configuration)
        let memory = ConfigMemory(configuration, handle: handle)
        do {
            let instance = try await runtime.lifecycle(timeout: .seconds(30)) { [self] call, out in
                instances.create?(pointer, call, memory.pointer, out) ?? GF_UNSUPPORTED
            } late: { [self] in
                instances.destroy?($0)
            }
            return PluginInstance(
                pointer: instance, runtime: runtime, api: instances, config: handle, onDestroyed: onDestroyed)
        } catch {
            runtime.configurations.remove(handle)
            throw error
        }
    }

    /// Ends the library, of which every instance is destroyed; the image stays mapped.
    func close() {
        runtime.invokeOnLibrary { [self] in
            runtime.suspect.call(.library) { library.close?(pointer) }
            process?.end()
            if let calls = runtime.calls { runtime.watchdog.remove(calls) }
            runtime.endThreads()
        }
    }
}

/// Safety: a struct that the backend keeps alive and that is only read.
private struct Described: @unchecked Sendable {
    let pointer: UnsafePointer<gf_plugin_desc>
}

/// A data source's configuration in C.
///
/// Safety: written in `init` only.
private final class ConfigMemory: @unchecked Sendable {
    private var arena = CArena()
    let pointer: UnsafePointer<gf_instance_config>

    init(_ configuration: DataSourceConfiguration, handle: UInt64) {
        let settings = configuration.settings
        var arena = CArena()
        var config = gf_instance_config()
        config.struct_size = UInt32(MemoryLayout<gf_instance_config>.size)
        config.basic_auth = settings.basicAuthEnabled ? 1 : 0
        config.handle = handle
        config.id = settings.id
        config.org_id = settings.orgID
        config.updated = settings.updated.nanoseconds
        config.uid = arena.text(settings.uid)
        config.name = arena.text(settings.name)
        config.plugin_id = arena.text(settings.pluginID)
        config.url = arena.text(settings.url)
        config.user = arena.text(settings.user)
        config.database = arena.text(settings.database)
        config.basic_auth_user = arena.text(settings.basicAuthUser)
        config.json_data = arena.text(settings.jsonData.encoded())
        let memory = UnsafeMutablePointer<gf_instance_config>.allocate(capacity: 1)
        memory.initialize(to: config)
        pointer = UnsafePointer(memory)
        self.arena = arena
    }

    deinit { UnsafeMutablePointer(mutating: pointer).deallocate() }
}
