// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import Glibc
internal import PluginABI
internal import Synchronization

/// An opened plugin library: level L0 (linked in) or L1 (loaded from the sealed image that was checked).
///
/// Safety: `pointer` is the plugin's and is only handed back to it; the tables are copies that nobody writes.
final class NativeLibrary: @unchecked Sendable {
    let runtime: PluginRuntime
    let level: IsolationLevel
    private let library: gf_library_api
    private let instances: gf_instance_api
    private let pointer: OpaquePointer
    private let extensions: Set<String>
    let description: String

    private init(
        runtime: PluginRuntime, level: IsolationLevel, library: gf_library_api, instances: gf_instance_api,
        pointer: OpaquePointer
    ) {
        self.runtime = runtime
        self.level = level
        self.library = library
        self.instances = instances
        self.pointer = pointer
        var found: Set<String> = []
        var description = ""
        for id in [GF_DATASOURCE_EXT, GF_HEALTH_EXT, GF_RESOURCE_EXT, GF_STREAM_EXT, GF_STATE_EXT, GF_DESCRIBE_EXT] {
            guard let table = id.withGF({ library.get_extension?(pointer, $0) }) else { continue }
            found.insert(id)
            if id == GF_DESCRIBE_EXT {
                let described = adopt(UnsafeRawPointer(table).assumingMemoryBound(to: gf_describe_ext.self))
                description = described.map { String($0.json) } ?? ""
            }
        }
        extensions = found
        self.description = description
    }

    func has(extension id: String) -> Bool { extensions.contains(id) }

    // MARK: Opening

    /// Maps the library, compares its description with plugin.json, and opens it.
    ///
    /// - Throws: ``PluginRefusal``.
    static func open(
        _ plugin: ValidatedPlugin, builtin: gf_entry_fn?, services: HostServices, serverVersion: String
    ) async throws -> NativeLibrary {
        let level: IsolationLevel = builtin == nil ? .inProcess : .linked
        let entry = try builtin ?? map(plugin)
        let description = try negotiate(plugin, entry, level: level, serverVersion: serverVersion)
        guard let library = adopt(description.pointee.library), let instances = adopt(description.pointee.instance),
            let calls = adopt(description.pointee.call), let open = library.open, instances.create != nil,
            calls.start != nil
        else {
            throw PluginRefusal(
                .descriptorDiffers, pluginID: plugin.id, folder: plugin.folder, found: "a missing table or function",
                expected: "gf_library_api.open, gf_instance_api.create and gf_call_api.start",
                message: "its description is incomplete", remedy: "ask its author for a corrected version")
        }
        let traits = adopt(description) ?? gf_plugin_desc()
        let runtime = PluginRuntime(id: plugin.id, traits: traits, services: services)
        runtime.adoptCalls(calls)
        let described = Described(pointer: description)
        let pointer = try await start(plugin, runtime, close: library.close) { handle, out in
            open(described.pointer, runtime.host, handle, out)
        }
        let native = NativeLibrary(
            runtime: runtime, level: level, library: library, instances: instances, pointer: pointer)
        native.declareMetrics()
        return native
    }

    private static func map(_ plugin: ValidatedPlugin) throws -> gf_entry_fn {
        guard let image = plugin.image else {
            throw PluginRefusal(
                .libraryMissing, pluginID: plugin.id, folder: plugin.folder, message: "it names no library",
                remedy: "add \"library\" to its plugin.json")
        }
        guard let mapped = dlopen(image.path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "unknown"
            throw PluginRefusal(
                .libraryNotOpened, pluginID: plugin.id, folder: plugin.folder, found: reason,
                expected: "a library that loads",
                message: "its library could not be loaded", remedy: "install the libraries that it needs")
        }
        // It stays mapped for ever: a library that used threads or Swift tasks cannot be unmapped safely.
        guard let symbol = dlsym(mapped, "gf_entry_v1") else {
            throw PluginRefusal(
                .entryMissing, pluginID: plugin.id, folder: plugin.folder, expected: "the symbol gf_entry_v1",
                message: "its library has no entry", remedy: "export gf_entry_v1")
        }
        return unsafeBitCast(symbol, to: gf_entry_fn.self)
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
        guard let table = GF_METRICS_EXT.withGF({ library.get_extension?(pointer, $0) }),
            let metrics = adopt(UnsafeRawPointer(table).assumingMemoryBound(to: gf_metrics_ext.self)),
            let fault = runtime.metrics.declare(metrics)
        else { return }
        runtime.misbehaved("its metrics are not counted: \(fault)", rule: "GF-R-024")
    }

    // MARK: Instances

    func makeInstance(
        _ configuration: DataSourceConfiguration, onDestroyed: @escaping @Sendable (PluginInstance) -> Void
    ) async throws -> PluginInstance {
        let handle = runtime.services.configurations.add(configuration)
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
            runtime.services.configurations.remove(handle)
            throw error
        }
    }

    /// Ends the library, of which every instance is destroyed; the image stays mapped.
    func close() {
        runtime.invokeOnLibrary { [self] in
            library.close?(pointer)
            if let calls = runtime.calls { runtime.watchdog.remove(calls) }
            runtime.endThreads()
        }
    }
}

/// Safety: a static struct of the plugin, valid for ever and only read.
private struct Described: @unchecked Sendable {
    let pointer: UnsafePointer<gf_plugin_desc>
}

/// How far a plugin is from the server's own memory.
public enum IsolationLevel: Int, Sendable, CaseIterable {
    /// L0: part of the server.
    case linked = 0
    /// L1: loaded into the server's process.
    case inProcess = 1

    /// `linked` or `in-process`.
    public var name: String { self == .linked ? "linked" : "in-process" }
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
