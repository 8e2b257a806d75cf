// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CRunnerProtocol
internal import PluginABI
internal import Processes
internal import Synchronization

/// The tables of a plugin that runs elsewhere; their functions find it by the description, the library or the instance.
///
/// Safety: written in `init`, only read afterwards.
final class IsolatedTables: @unchecked Sendable {
    private let arena: CArena
    let description: UnsafePointer<gf_plugin_desc>

    /// Safety: made once, then only read.
    private struct Shared: @unchecked Sendable {
        let library = permanent(libraryTable())
        let instance = permanent(instanceTable())
        let call = permanent(callTable())
    }

    private static let shared = Shared()

    init(_ plugin: IsolatedPlugin, _ facts: RunnerFacts) {
        var arena = CArena()
        var description = gf_plugin_desc()
        description.struct_size = UInt32(MemoryLayout<gf_plugin_desc>.size)
        description.kinds = facts.kinds
        description.id = arena.text(facts.id)
        description.version = arena.text(facts.version)
        description.abi_built = facts.abiBuilt
        description.abi_needed = facts.abiNeeded
        // To start a call is to send a message. The runner keeps what the plugin itself declared.
        description.capabilities = GF_CAP_NEVER_BLOCKS
        description.concurrency = GF_CONCURRENCY_PARALLEL
        description.library = Self.shared.library
        description.instance = Self.shared.instance
        description.call = Self.shared.call
        description.context = Unmanaged.passUnretained(plugin).toOpaque()
        // '!' is fine; the array has an element
        self.description = arena.array([description])!
        self.arena = arena
    }

    private static func permanent<T: BitwiseCopyable>(_ value: T) -> UnsafePointer<T> {
        let memory = UnsafeMutablePointer<T>.allocate(capacity: 1)
        memory.initialize(to: value)
        return UnsafePointer(memory)
    }
}

extension IsolatedPlugin {
    fileprivate static func from(_ pointer: UnsafeMutableRawPointer?) -> IsolatedPlugin? {
        pointer.map { Unmanaged<IsolatedPlugin>.fromOpaque($0).takeUnretainedValue() }
    }

    fileprivate static func from(_ library: OpaquePointer?) -> IsolatedPlugin? {
        from(library.map { UnsafeMutableRawPointer($0) })
    }
}

private func libraryTable() -> gf_library_api {
    var table = gf_library_api()
    table.struct_size = UInt32(MemoryLayout<gf_library_api>.size)
    table.open = { description, host, call, libraryOut in
        guard let plugin = IsolatedPlugin.from(description?.pointee.context), let runtime = PluginRuntime.from(host)
        else { return GF_STATE }
        let status = plugin.open(runtime, UInt64(UInt(bitPattern: call)))
        libraryOut?.pointee = status == GF_OK ? OpaquePointer(Unmanaged.passUnretained(plugin).toOpaque()) : nil
        return status
    }
    table.close = { library in IsolatedPlugin.from(library)?.end() }
    table.get_extension = { library, id in IsolatedPlugin.from(library)?.table(for: String(id)) }
    return table
}

private func instanceTable() -> gf_instance_api {
    var table = gf_instance_api()
    table.struct_size = UInt32(MemoryLayout<gf_instance_api>.size)
    table.create = { library, call, config, instanceOut in
        instanceOut?.pointee = nil
        guard let plugin = IsolatedPlugin.from(library), let config = adopt(config) else { return GF_STATE }
        let instance = plugin.add(config, call: UInt64(UInt(bitPattern: call)))
        plugin.advance()
        let status = instance.firstCreation.wait()
        guard status == GF_OK else {
            plugin.forget(instance)
            return status
        }
        instanceOut?.pointee = OpaquePointer(Unmanaged.passRetained(instance).toOpaque())
        return GF_OK
    }
    table.drain = { instance in
        guard let instance = IsolatedInstance.from(instance) else { return }
        instance.plugin.tell(RUNNER_DRAIN, instance)
    }
    table.destroy = { pointer in
        guard let pointer, let instance = IsolatedInstance.from(pointer) else { return }
        instance.plugin.destroy(instance)
        Unmanaged<IsolatedInstance>.fromOpaque(UnsafeRawPointer(pointer)).release()
    }
    return table
}

private func callTable() -> gf_call_api {
    var table = gf_call_api()
    table.struct_size = UInt32(MemoryLayout<gf_call_api>.size)
    table.start = { instance, call, kind, request in
        guard let instance = IsolatedInstance.from(instance), let call else { return GF_STATE }
        guard let message = instance.startMessage(call, kind: kind, request: request) else { return GF_STATE }
        return instance.plugin.start(message)
    }
    table.cancel = { instance, call, _ in
        IsolatedInstance.from(instance)?.plugin.cancel(UInt64(UInt(bitPattern: call)))
    }
    table.resume = { instance, call, _, event, source in
        IsolatedInstance.from(instance)?.plugin.resume(UInt64(UInt(bitPattern: call)), event: event, source: source)
    }
    return table
}

// MARK: - Library and instances

extension IsolatedPlugin {
    /// Opens the library in the process that has described it.
    func open(_ runtime: PluginRuntime, _ call: UInt64) -> gf_status {
        let process = state.withLock { state in
            state.runtime = runtime
            return state.process
        }
        guard let process else {
            let text = state.withLock { $0.lastFailure }
            PluginError(.crashed, "its process \(text)", source: .host).withGF(refID: "") { error in
                _ = runtime.setError(OpaquePointer(bitPattern: UInt(call)), error)
            }
            return GF_CRASHED
        }
        send(RUNNER_OPEN, call, to: process)
        return firstOpening.wait()
    }

    /// The table of an extension that the library has.
    func table(for id: String) -> UnsafePointer<gf_extension>? {
        guard let library = state.withLock({ $0.opened }) else { return nil }
        if id == GF_METRICS_EXT { return library.metrics.isEmpty ? nil : extensions.metrics(library) }
        guard library.extensions.contains(id) else { return nil }
        return id == GF_DESCRIBE_EXT ? extensions.description(library) : extensions.plain
    }

    /// Notes an instance, which the process gets next.
    func add(_ config: gf_instance_config, call: UInt64) -> IsolatedInstance {
        state.withLock { state in
            state.lastInstance += 1
            let number = state.lastInstance
            var writer = MessageWriter()
            writer.message(RUNNER_CREATE, call: call, runner_create_t()) { writer, body in
                body.basic_auth = config.basic_auth
                body.instance = number
                body.handle = config.handle
                body.id = config.id
                body.org_id = config.org_id
                body.updated = config.updated
                body.uid = writer.text(config.uid)
                body.name = writer.text(config.name)
                body.plugin_id = writer.text(config.plugin_id)
                body.url = writer.text(config.url)
                body.user = writer.text(config.user)
                body.database = writer.text(config.database)
                body.basic_auth_user = writer.text(config.basic_auth_user)
                body.json_data = writer.text(config.json_data)
            }
            let instance = IsolatedInstance(
                number: number, plugin: self, config: config.handle, creationCall: call, creation: writer)
            state.instances[number] = instance
            return instance
        }
    }

    func forget(_ instance: IsolatedInstance) {
        state.withLock { state in
            state.instances[instance.number] = nil
            instance.serial = 0
        }
    }

    /// Destroys an instance; its configuration is kept until the process says that it has done so.
    func destroy(_ instance: IsolatedInstance) {
        let (process, runtime) = state.withLock { state -> (RunnerProcess?, PluginRuntime?) in
            guard instance.serial == state.serial, case .running(let process) = state.phase else {
                return (nil, state.runtime)
            }
            state.destroying[instance.number] = (instance.config, process)
            return (process, state.runtime)
        }
        if let process {
            send(RUNNER_DESTROY, instance.number, to: process)
        } else {
            runtime?.configurations.remove(instance.config)
        }
        forget(instance)
    }

    /// Tells the process of an instance that it has.
    func tell(_ type: UInt32, _ instance: IsolatedInstance) {
        let process = state.withLock { state -> RunnerProcess? in
            guard instance.serial == state.serial, case .running(let process) = state.phase else { return nil }
            return process
        }
        if let process { send(type, instance.number, to: process) }
    }
}

/// The extensions of an isolated plugin in C.
///
/// Safety: each table is written once, before its pointer is given away, under the lock of the caller's library.
final class IsolatedExtensions: @unchecked Sendable {
    let plain: UnsafePointer<gf_extension>
    private var arena = CArena()

    init() {
        // '!' is fine; the arrays have an element
        plain = arena.array([gf_extension(struct_size: UInt32(MemoryLayout<gf_extension>.size), reserved: 0)])!
    }

    func description(_ library: RunnerLibrary) -> UnsafePointer<gf_extension>? {
        var table = gf_describe_ext()
        table.struct_size = UInt32(MemoryLayout<gf_describe_ext>.size)
        table.json = arena.text(library.description)
        return UnsafeRawPointer(arena.array([table]))?.assumingMemoryBound(to: gf_extension.self)
    }

    func metrics(_ library: RunnerLibrary) -> UnsafePointer<gf_extension>? {
        let metrics = library.metrics.map { metric in
            var table = gf_metric()
            table.struct_size = UInt32(MemoryLayout<gf_metric>.size)
            table.type = metric.type
            table.name = arena.text(metric.name)
            table.help = arena.text(metric.help)
            table.labels = arena.pairs(HTTPHeaders(metric.labels.map { ($0.key, $0.value) }))
            table.label_count = UInt32(metric.labels.count)
            table.bounds = arena.array(metric.bounds)
            table.bound_count = UInt32(metric.bounds.count)
            return table
        }
        var table = gf_metrics_ext()
        table.struct_size = UInt32(MemoryLayout<gf_metrics_ext>.size)
        table.metric_count = UInt32(metrics.count)
        table.metrics = arena.array(metrics)
        return UnsafeRawPointer(arena.array([table]))?.assumingMemoryBound(to: gf_extension.self)
    }
}
