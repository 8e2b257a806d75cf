// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import GoPlugin
internal import PluginABI

/// The tables of every Go plugin; their functions find the plugin by the pointers that they get.
///
/// Safety: allocated and filled once, then only read.
final class GoTables: @unchecked Sendable {
    static let shared = GoTables()

    let library: UnsafePointer<gf_library_api>
    let instance: UnsafePointer<gf_instance_api>
    let call: UnsafePointer<gf_call_api>
    let plainExtension: UnsafePointer<gf_extension>

    private init() {
        library = Self.permanent(libraryTable())
        instance = Self.permanent(instanceTable())
        call = Self.permanent(callTable())
        plainExtension = Self.permanent(
            gf_extension(struct_size: UInt32(MemoryLayout<gf_extension>.size), reserved: 0))
    }

    private static func permanent<T>(_ value: T) -> UnsafePointer<T> {
        let memory = UnsafeMutablePointer<T>.allocate(capacity: 1)
        memory.initialize(to: value)
        return UnsafePointer(memory)
    }
}

/// An opened Go plugin: the backend and the host that it was opened with.
final class GoLibrary: Sendable {
    let backend: GoBackend
    let runtime: PluginRuntime

    init(backend: GoBackend, runtime: PluginRuntime) {
        self.backend = backend
        self.runtime = runtime
    }

    static func from(_ library: OpaquePointer?) -> GoLibrary? {
        library.map { Unmanaged<GoLibrary>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
    }
}

private func libraryTable() -> gf_library_api {
    var table = gf_library_api()
    table.struct_size = UInt32(MemoryLayout<gf_library_api>.size)
    table.open = { description, host, _, libraryOut in
        libraryOut?.pointee = nil
        guard let context = description?.pointee.context, let runtime = PluginRuntime.from(host) else {
            return GF_STATE
        }
        let backend = Unmanaged<GoBackend>.fromOpaque(context).takeUnretainedValue()
        let library = GoLibrary(backend: backend, runtime: runtime)
        libraryOut?.pointee = OpaquePointer(Unmanaged.passRetained(library).toOpaque())
        return GF_OK
    }
    table.close = { library in
        guard let library else { return }
        Unmanaged<GoLibrary>.fromOpaque(UnsafeRawPointer(library)).release()
    }
    // Which services a plugin has it says when it is called: what is missing is answered with Unimplemented.
    table.get_extension = { _, id in
        switch String(id) {
        case GF_DATASOURCE_EXT, GF_HEALTH_EXT, GF_RESOURCE_EXT, GF_STREAM_EXT: GoTables.shared.plainExtension
        default: nil
        }
    }
    return table
}

private func instanceTable() -> gf_instance_api {
    var table = gf_instance_api()
    table.struct_size = UInt32(MemoryLayout<gf_instance_api>.size)
    table.create = { library, _, config, instanceOut in
        instanceOut?.pointee = nil
        guard let library = GoLibrary.from(library), let config = adopt(config),
            let configuration = library.runtime.configurations[config.handle]
        else { return GF_STATE }
        let instance = GoInstance(library: library, configuration: configuration)
        instanceOut?.pointee = OpaquePointer(Unmanaged.passRetained(instance).toOpaque())
        return GF_OK
    }
    table.destroy = { instance in
        guard let instance else { return }
        Unmanaged<GoInstance>.fromOpaque(UnsafeRawPointer(instance)).release()
    }
    return table
}

private func callTable() -> gf_call_api {
    var table = gf_call_api()
    table.struct_size = UInt32(MemoryLayout<gf_call_api>.size)
    table.start = { instance, call, kind, request in
        guard let instance = GoInstance.from(instance), let call else { return GF_STATE }
        return GoCall.start(instance, call, kind: kind, request: request)
    }
    table.cancel = { _, _, state in GoCall.from(state)?.cancel() }
    table.resume = { _, _, state, event, _ in
        if event == GF_EVENT_CREDIT { GoCall.from(state)?.credit() }
    }
    table.release = { _, state in
        guard let state else { return }
        Unmanaged<GoCall>.fromOpaque(state).release()
    }
    return table
}
