// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI

/// The C tables of one plugin, allocated once and never freed.
///
/// Safety: everything is written in `init` and only read afterwards.
final class PluginTables: @unchecked Sendable {
    let id: String
    let source: any DataSource.Type
    let threads: Int
    let description: UnsafePointer<gf_plugin_desc>
    private let extensions: [String: UnsafePointer<gf_extension>]

    init(id: String, version: String, source: any DataSource.Type, describe: String, threads: Int) {
        self.id = id
        self.source = source
        self.threads = threads
        extensions = Self.makeExtensions(source, describe: describe)

        let memory = UnsafeMutablePointer<gf_plugin_desc>.allocate(capacity: 1)
        memory.initialize(to: gf_plugin_desc())
        memory.pointee.struct_size = UInt32(MemoryLayout<gf_plugin_desc>.size)
        memory.pointee.kinds = GF_KIND_DATASOURCE
        memory.pointee.id = Self.permanent(id)
        memory.pointee.version = Self.permanent(version)
        memory.pointee.abi_built = GF_ABI_MINOR
        memory.pointee.abi_needed = 1
        memory.pointee.capabilities = GF_CAP_NEVER_BLOCKS
        memory.pointee.concurrency = GF_CONCURRENCY_PARALLEL
        memory.pointee.library = Self.permanent(libraryTable())
        memory.pointee.instance = Self.permanent(instanceTable())
        memory.pointee.call = Self.permanent(callTable())
        description = UnsafePointer(memory)
        memory.pointee.context = Unmanaged.passRetained(self).toOpaque()
    }

    func table(for id: String) -> UnsafePointer<gf_extension>? { extensions[id] }

    private static func makeExtensions(
        _ source: any DataSource.Type, describe: String
    ) -> [String: UnsafePointer<gf_extension>] {
        let plain = gf_extension(struct_size: UInt32(MemoryLayout<gf_extension>.size), reserved: 0)
        var extensions: [String: UnsafePointer<gf_extension>] = [:]
        if source is any QueryHandler.Type { extensions[GF_DATASOURCE_EXT] = permanent(plain) }
        if source is any CheckHealthHandler.Type { extensions[GF_HEALTH_EXT] = permanent(plain) }
        if source is any CallResourceHandler.Type { extensions[GF_RESOURCE_EXT] = permanent(plain) }
        if source is any StreamHandler.Type { extensions[GF_STREAM_EXT] = permanent(plain) }
        if source is any StateHandler.Type { extensions[GF_STATE_EXT] = permanent(plain) }
        if !describe.isEmpty {
            var table = gf_describe_ext()
            table.struct_size = UInt32(MemoryLayout<gf_describe_ext>.size)
            table.json = permanent(describe)
            extensions[GF_DESCRIBE_EXT] = UnsafeRawPointer(permanent(table)).assumingMemoryBound(to: gf_extension.self)
        }
        return extensions
    }

    private static func permanent<T: BitwiseCopyable>(_ value: T) -> UnsafePointer<T> {
        let memory = UnsafeMutablePointer<T>.allocate(capacity: 1)
        memory.initialize(to: value)
        return UnsafePointer(memory)
    }

    private static func permanent(_ text: String) -> gf_str {
        var text = text
        return text.withUTF8 { utf8 in
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, utf8.count), alignment: 1)
            memory.copyMemory(from: UnsafeRawBufferPointer(utf8))
            return gf_str(data: memory.baseAddress?.assumingMemoryBound(to: CChar.self), length: UInt64(utf8.count))
        }
    }
}

/// An opened library.
final class LibraryBox: Sendable {
    let tables: PluginTables
    let host: HostBridge
    let executor: PluginExecutor

    init(tables: PluginTables, host: HostBridge) {
        self.tables = tables
        self.host = host
        executor = PluginExecutor(name: tables.id, maxThreads: tables.threads)
    }

    static func from(_ library: OpaquePointer?) -> LibraryBox? {
        library.map { Unmanaged<LibraryBox>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
    }
}

/// An instance: the author's value and the handle of its configuration.
final class InstanceBox: Sendable {
    let library: LibraryBox
    let source: any DataSource
    let config: UInt64

    init(library: LibraryBox, source: any DataSource, config: UInt64) {
        self.library = library
        self.source = source
        self.config = config
    }

    static func from(_ instance: OpaquePointer?) -> InstanceBox? {
        instance.map { Unmanaged<InstanceBox>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
    }
}

private func libraryTable() -> gf_library_api {
    var table = gf_library_api()
    table.struct_size = UInt32(MemoryLayout<gf_library_api>.size)
    table.open = { description, host, _, libraryOut in
        libraryOut?.pointee = nil
        guard let context = description?.pointee.context, let host, let bridge = HostBridge(host) else {
            return GF_UNSUPPORTED
        }
        let tables = Unmanaged<PluginTables>.fromOpaque(context).takeUnretainedValue()
        let library = LibraryBox(tables: tables, host: bridge)
        libraryOut?.pointee = OpaquePointer(Unmanaged.passRetained(library).toOpaque())
        return GF_OK
    }
    table.close = { library in
        guard let library else { return }
        Unmanaged<LibraryBox>.fromOpaque(UnsafeRawPointer(library)).release()
    }
    table.get_extension = { library, id in
        LibraryBox.from(library)?.tables.table(for: String(id))
    }
    return table
}

private func instanceTable() -> gf_instance_api {
    var table = gf_instance_api()
    table.struct_size = UInt32(MemoryLayout<gf_instance_api>.size)
    table.create = { library, call, config, instanceOut in
        instanceOut?.pointee = nil
        guard let library = LibraryBox.from(library), let call, let config = adopt(config) else { return GF_STATE }
        do {
            let settings = try DataSourceInstanceSettings(config)
            let host = Host(bridge: library.host, config: config.handle)
            let source = try library.tables.source.init(settings: settings, host: host)
            let instance = InstanceBox(library: library, source: source, config: config.handle)
            instanceOut?.pointee = OpaquePointer(Unmanaged.passRetained(instance).toOpaque())
            return GF_OK
        } catch {
            let failure = PluginError.wrapping(error)
            CallBridge(host: library.host, handle: call, config: 0).setError(failure, refID: "")
            return failure.code.rawValue
        }
    }
    table.destroy = { instance in
        guard let instance else { return }
        Unmanaged<InstanceBox>.fromOpaque(UnsafeRawPointer(instance)).release()
    }
    return table
}

private func callTable() -> gf_call_api {
    var table = gf_call_api()
    table.struct_size = UInt32(MemoryLayout<gf_call_api>.size)
    table.start = { instance, call, kind, request in
        guard let instance = InstanceBox.from(instance), let call else { return GF_STATE }
        return instance.start(call, kind: kind, request: request)
    }
    table.cancel = { _, _, state in
        CallBridge.from(state)?.cancel()
    }
    table.resume = { _, _, state, event, source in
        CallBridge.from(state)?.resume(.init(kind: event, source: source))
    }
    table.release = { _, state in
        guard let state else { return }
        Unmanaged<CallBridge>.fromOpaque(state).release()
    }
    return table
}

extension CallBridge {
    fileprivate static func from(_ state: UnsafeMutableRawPointer?) -> CallBridge? {
        state.map { Unmanaged<CallBridge>.fromOpaque($0).takeUnretainedValue() }
    }
}

extension DataSourceInstanceSettings {
    fileprivate init(_ config: gf_instance_config) throws {
        let json = String(config.json_data)
        let jsonData: JSONValue
        do {
            jsonData = json.isEmpty ? .object([:]) : try JSONValue(parsing: Array(json.utf8))
        } catch {
            throw PluginError(.invalid, "the data source's jsonData is not JSON: \(error)")
        }
        self.init(
            id: config.id, orgID: config.org_id, uid: String(config.uid), name: String(config.name),
            pluginID: String(config.plugin_id), url: String(config.url), user: String(config.user),
            database: String(config.database), basicAuthEnabled: config.basic_auth != 0,
            basicAuthUser: String(config.basic_auth_user), jsonData: jsonData,
            updated: Timestamp(nanoseconds: config.updated))
    }
}
