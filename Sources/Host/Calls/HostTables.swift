// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI

/// The tables that every plugin gets; the functions find their plugin by `host->context`.
///
/// Safety: allocated and filled once, then only read.
final class HostTables: @unchecked Sendable {
    static let shared = HostTables()

    let core: UnsafePointer<gf_host_core>
    let call: UnsafePointer<gf_call_host>
    let sink: UnsafePointer<gf_sink>
    private let extensions: [String: UnsafePointer<gf_extension>]

    private init() {
        core = Self.permanent(coreTable())
        call = Self.permanent(callTable())
        sink = Self.permanent(sinkTable())
        extensions = [
            GF_HTTP_EXT: Self.extensionTable(HTTPService.table()),
            GF_WEBSOCKET_EXT: Self.extensionTable(WebSocketService.table()),
            GF_TIMER_EXT: Self.extensionTable(TimerService.table()),
            GF_SECRETS_EXT: Self.extensionTable(SecretsService.table()),
            GF_SETTINGS_EXT: Self.extensionTable(SettingsService.table()),
            GF_KV_EXT: Self.extensionTable(KeyValueService.table()),
            GF_JSON_EXT: Self.extensionTable(JSONService.table()),
            GF_METRICS_HOST_EXT: Self.extensionTable(PluginMetrics.table()),
        ]
    }

    func table(for id: String) -> UnsafePointer<gf_extension>? { extensions[id] }

    private static func permanent<T>(_ value: T) -> UnsafePointer<T> {
        let memory = UnsafeMutablePointer<T>.allocate(capacity: 1)
        memory.initialize(to: value)
        return UnsafePointer(memory)
    }

    private static func extensionTable<T>(_ value: T) -> UnsafePointer<gf_extension> {
        UnsafeRawPointer(permanent(value)).assumingMemoryBound(to: gf_extension.self)
    }
}

extension PluginRuntime {
    /// The plugin behind a host pointer.
    static func from(_ host: UnsafePointer<gf_host>?) -> PluginRuntime? {
        host?.pointee.context.map { Unmanaged<PluginRuntime>.fromOpaque($0).takeUnretainedValue() }
    }
}

private func coreTable() -> gf_host_core {
    var table = gf_host_core()
    table.struct_size = UInt32(MemoryLayout<gf_host_core>.size)
    table.log = { host, level, message, fields, count in
        PluginRuntime.from(host)?.log(level: level, message, fields, count: count)
    }
    table.error_set = { host, call, error in
        PluginRuntime.from(host)?.setError(call, error) ?? GF_STATE
    }
    table.now = { _ in WallTime.now }
    table.get_extension = { _, id in HostTables.shared.table(for: String(id)) }
    table.buffer_alloc = { host, capacity, bufferOut in
        guard let bufferOut else { return GF_STATE }
        bufferOut.pointee = gf_buffer()
        return PluginRuntime.from(host)?.buffers.allocate(capacity, into: bufferOut) ?? GF_STATE
    }
    table.buffer_release = { host, buffer in
        guard let buffer else { return }
        _ = PluginRuntime.from(host)?.buffers.take(buffer)
    }
    return table
}

private func callTable() -> gf_call_host {
    var table = gf_call_host()
    table.struct_size = UInt32(MemoryLayout<gf_call_host>.size)
    table.is_cancelled = { host, call in
        let isCancelled = PluginRuntime.from(host)?.calls?.withRunning(call) { state, _ in state.cancelReason != nil }
        return isCancelled == false ? 0 : 1
    }
    table.deadline = { host, call in
        let left = PluginRuntime.from(host)?.calls?.withRunning(call) { state, _ in state.deadline }
        guard let left else { return 0 }
        return left == .max ? .max : WallTime.now &+ (left &- MonotonicTime.now)
    }
    table.budget_left = { host, call, budget in
        let left = PluginRuntime.from(host)?.calls?.withRunning(call) { state, _ -> Int64 in
            switch budget {
            case GF_BUDGET_TIME: state.deadline == .max ? .max : max(0, state.deadline &- MonotonicTime.now)
            case GF_BUDGET_BYTES: state.bytesLeft
            case GF_BUDGET_ROWS: state.rowsLeft
            default: .max
            }
        }
        return left ?? 0
    }
    table.principal = { host, call, principalOut in
        guard let principalOut else { return GF_STATE }
        guard let memory = facts(host, call) else { return GF_STATE }
        let size = Int(principalOut.pointee.struct_size)
        guard size >= 8 else { return GF_STATE }
        withUnsafeBytes(of: memory.principal) { source in
            let count = min(size, source.count)
            // '!' is fine; count > 0
            UnsafeMutableRawPointer(principalOut).copyMemory(from: source.baseAddress!, byteCount: count)
        }
        principalOut.pointee.struct_size = UInt32(size)
        return GF_OK
    }
    table.trace_context = { host, call in facts(host, call)?.traceParent ?? gf_str() }
    table.locale = { host, call in facts(host, call)?.locale ?? gf_str() }
    table.header_get = { host, call, name, valueOut in
        valueOut?.pointee = gf_str()
        guard let memory = facts(host, call) else { return GF_STATE }
        guard let value = memory.header(String(name)) else { return GF_NOT_FOUND }
        valueOut?.pointee = value
        return GF_OK
    }
    table.state_set = { host, call, state in
        PluginRuntime.from(host)?.calls?.setState(call, state) ?? GF_STATE
    }
    table.read = { host, call, data, capacity, lengthOut in
        lengthOut?.pointee = 0
        guard let data, capacity > 0 else { return GF_INVALID }
        let input = PluginRuntime.from(host)?.calls?.withRunning(call) { state, _ in state.input }
        guard let input else { return GF_STATE }
        let buffer = UnsafeMutableRawBufferPointer(start: data, count: Int(clamping: capacity))
        lengthOut?.pointee = UInt64(input?.read(into: buffer) ?? 0)
        return GF_OK
    }
    return table
}

/// The texts of a call, made when the plugin first asks for one.
private func facts(_ host: UnsafePointer<gf_host>?, _ call: OpaquePointer?) -> CallFactsMemory? {
    PluginRuntime.from(host)?.calls?.withRunning(call) { state, _ in
        if let memory = state.factsMemory { return memory }
        let memory = CallFactsMemory(state.facts)
        state.factsMemory = memory
        return memory
    }
}

private func sinkTable() -> gf_sink {
    var table = gf_sink()
    table.struct_size = UInt32(MemoryLayout<gf_sink>.size)
    table.schema = { host, call, frame, refID, schema in
        PluginRuntime.from(host)?.calls?.schema(call, frame: frame, refID: String(refID), schema) ?? GF_STATE
    }
    table.batch = { host, call, frame, array in
        PluginRuntime.from(host)?.calls?.batch(call, frame: frame, array) ?? GF_STATE
    }
    table.bytes = { host, call, bytes in PluginRuntime.from(host)?.calls?.bytes(call, bytes) ?? GF_STATE }
    table.buffer = { host, call, buffer, length in
        PluginRuntime.from(host)?.calls?.buffer(call, buffer, length: length) ?? GF_STATE
    }
    table.head = { host, call, head in PluginRuntime.from(host)?.calls?.head(call, head) ?? GF_STATE }
    table.notice = { host, call, notice in PluginRuntime.from(host)?.calls?.notice(call, notice) ?? GF_STATE }
    table.progress = { host, call, fraction, token in
        PluginRuntime.from(host)?.calls?.progress(call, fraction: fraction, token: token) ?? GF_STATE
    }
    table.wait_ready = { host, call, timeout in
        PluginRuntime.from(host)?.calls?.waitReady(call, timeout: timeout) ?? GF_STATE
    }
    table.complete = { host, call, status in
        guard let call else { return GF_STATE }
        return PluginRuntime.from(host)?.calls?.complete(call, status) ?? GF_STATE
    }
    return table
}
