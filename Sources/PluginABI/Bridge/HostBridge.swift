// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI

/// The host's tables, copied to full size, with NULL where an older host ends.
///
/// Safety: the pointer and the tables are valid until `close` of the library returns, and every function in them may be
/// called from any thread.
final class HostBridge: @unchecked Sendable {
    let pointer: UnsafePointer<gf_host>
    let core: gf_host_core
    let call: gf_call_host
    let sink: gf_sink
    let http: gf_http_host?
    let webSocket: gf_websocket_host?
    let timer: gf_timer_host?
    private let secrets: gf_secrets_host?
    private let settings: gf_settings_host?
    private let kv: gf_kv_host?

    /// - Returns: nil when the host gives less than the first minor of the ABI asks for.
    init?(_ pointer: UnsafePointer<gf_host>) {
        guard let host = adopt(pointer), let core = adopt(host.core), let call = adopt(host.call),
            let sink = adopt(host.sink), core.error_set != nil, core.buffer_release != nil, call.state_set != nil,
            sink.complete != nil
        else { return nil }
        self.pointer = pointer
        self.core = core
        self.call = call
        self.sink = sink
        http = Self.table(pointer, core, GF_HTTP_EXT)
        webSocket = Self.table(pointer, core, GF_WEBSOCKET_EXT)
        timer = Self.table(pointer, core, GF_TIMER_EXT)
        secrets = Self.table(pointer, core, GF_SECRETS_EXT)
        settings = Self.table(pointer, core, GF_SETTINGS_EXT)
        kv = Self.table(pointer, core, GF_KV_EXT)
    }

    private static func table<T: BitwiseCopyable>(
        _ host: UnsafePointer<gf_host>, _ core: gf_host_core, _ id: String
    ) -> T? {
        let found = id.withGF { core.get_extension?(host, $0) }
        return adopt(UnsafeRawPointer(found)?.assumingMemoryBound(to: T.self))
    }

    var now: Timestamp { Timestamp(nanoseconds: core.now?(pointer) ?? 0) }

    func log(_ level: LogLevel, _ message: String, _ metadata: KeyValuePairs<String, String>) {
        var arena = CArena()
        var fields: [gf_field] = []
        for (key, value) in metadata {
            var text = gf_value()
            text.type = GF_VALUE_STR
            text.as.str = arena.text(value)
            fields.append(gf_field(key: arena.text(key), value: text))
        }
        core.log?(pointer, level.rawValue, arena.text(message), arena.array(fields), UInt32(fields.count))
    }

    func secret(_ name: String, config: UInt64) -> String? {
        var buffer = gf_buffer()
        var length: UInt64 = 0
        guard let get = secrets?.get, name.withGF({ get(pointer, config, $0, &buffer, &length) }) == GF_OK else {
            return nil
        }
        return String(decoding: take(&buffer, length), as: UTF8.self)
    }

    func setting(_ key: String) -> String? {
        var buffer = gf_buffer()
        var length: UInt64 = 0
        guard let get = settings?.get, key.withGF({ get(pointer, $0, &buffer, &length) }) == GF_OK else { return nil }
        return String(decoding: take(&buffer, length), as: UTF8.self)
    }

    func kvGet(_ key: String, config: UInt64) throws -> (value: [UInt8], version: Int64)? {
        var buffer = gf_buffer()
        var length: UInt64 = 0
        var version: Int64 = 0
        let get = try require(kv?.get, GF_KV_EXT)
        let status = key.withGF { get(pointer, config, $0, &buffer, &length, &version) }
        if status == GF_NOT_FOUND { return nil }
        try check(status, "kv: get '\(key)' failed")
        return (take(&buffer, length), version)
    }

    func kvPut(_ key: String, _ value: [UInt8], version: Int64?, config: UInt64) throws -> Int64 {
        var stored: Int64 = 0
        let put = try require(kv?.put, GF_KV_EXT)
        let wanted = version ?? Int64(GF_KV_ANY_VERSION)
        let status = key.withGF { key in value.withGF { put(pointer, config, key, $0, wanted, &stored) } }
        try check(status, "kv: put '\(key)' failed")
        return stored
    }

    func kvRemove(_ key: String, config: UInt64) throws {
        let remove = try require(kv?.remove, GF_KV_EXT)
        try check(key.withGF { remove(pointer, config, $0) }, "kv: remove '\(key)' failed")
    }

    func kvList(_ prefix: String, config: UInt64) throws -> [String] {
        var buffer = gf_buffer()
        var length: UInt64 = 0
        let list = try require(kv?.list, GF_KV_EXT)
        try check(prefix.withGF { list(pointer, config, $0, &buffer, &length) }, "kv: list failed")
        return try JSONValue(parsing: take(&buffer, length)).array?.compactMap(\.string) ?? []
    }

    /// The bytes of a host buffer, which is given back.
    private func take(_ buffer: inout gf_buffer, _ length: UInt64) -> [UInt8] {
        let count = Int(clamping: min(length, buffer.capacity))
        let bytes = Array(UnsafeRawBufferPointer(start: buffer.data, count: buffer.data == nil ? 0 : count))
        core.buffer_release?(pointer, &buffer)
        return bytes
    }

    private func require<F>(_ function: F?, _ id: String) throws -> F {
        guard let function else { throw PluginError(.unsupported, "the host has no \(id)", source: .host) }
        return function
    }

    private func check(_ status: gf_status, _ message: @autoclosure () -> String) throws {
        if status != GF_OK { throw PluginError(.init(rawValue: status), message(), source: .host) }
    }
}

/// A part of a response's body, in memory of the host.
///
/// Safety: the buffer is read-only until the object gives it back, once, in `deinit` or `takeBuffer`; the reader holds a
/// reference meanwhile.
public final class HTTPChunk: @unchecked Sendable {
    private var buffer: gf_buffer
    private let length: Int
    private let host: HostBridge

    init(_ buffer: gf_buffer, length: UInt64, host: HostBridge) {
        self.buffer = buffer
        self.length = Int(clamping: min(length, buffer.capacity))
        self.host = host
    }

    deinit {
        if buffer.token != 0 { host.core.buffer_release?(host.pointer, &buffer) }
    }

    /// The size in bytes; it stays known after the chunk was written on.
    public var count: Int { length }

    /// Lends the bytes, without a copy, until `body` returns; not for a chunk that was written on before.
    public func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        let start = buffer.data?.assumingMemoryBound(to: UInt8.self)
        let bytes = UnsafeBufferPointer(start: start, count: start == nil ? 0 : length)
        return try withExtendedLifetime(self) { try body(bytes) }
    }

    /// The host buffer itself, which the caller moves on; nil when it was taken before.
    func takeBuffer() -> gf_buffer? {
        guard buffer.token != 0 else { return nil }
        let taken = buffer
        buffer = gf_buffer()
        return taken
    }
}
