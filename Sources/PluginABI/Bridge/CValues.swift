// SPDX-License-Identifier: Apache-2.0
public import CPluginABI

extension String {
    /// The text of a borrowed `gf_str`; invalid UTF-8 is repaired.
    public init(_ text: gf_str) {
        guard let data = text.data, text.length > 0 else {
            self = ""
            return
        }
        let bytes = UnsafeRawBufferPointer(start: data, count: Int(clamping: text.length))
        self = String(decoding: bytes, as: UTF8.self)
    }

    /// Calls `body` with the text as a `gf_str` that is valid until `body` returns.
    public func withGF<R>(_ body: (gf_str) throws -> R) rethrows -> R {
        var copy = self
        return try copy.withUTF8 { utf8 in
            let data = UnsafeRawPointer(utf8.baseAddress)?.assumingMemoryBound(to: CChar.self)
            return try body(gf_str(data: data, length: UInt64(utf8.count)))
        }
    }
}

extension [UInt8] {
    /// The bytes of a borrowed `gf_bytes`.
    public init(_ bytes: gf_bytes) {
        guard let data = bytes.data, bytes.length > 0 else {
            self = []
            return
        }
        self = Array(UnsafeBufferPointer(start: data, count: Int(clamping: bytes.length)))
    }

    /// Calls `body` with the bytes as a `gf_bytes` that is valid until `body` returns.
    public func withGF<R>(_ body: (gf_bytes) throws -> R) rethrows -> R {
        try withUnsafeBufferPointer { try body(gf_bytes(data: $0.baseAddress, length: UInt64($0.count))) }
    }
}

/// Keeps C strings and arrays alive for the time of a call across the ABI.
public struct CArena: ~Copyable {
    private var allocations: [UnsafeMutableRawPointer] = []

    /// Makes an empty arena, which allocates nothing before the first copy.
    public init() {}

    deinit {
        for allocation in allocations { allocation.deallocate() }
    }

    /// A copy of the text that lives as long as the arena.
    public mutating func text(_ text: String) -> gf_str {
        var text = text
        return text.withUTF8 { utf8 in
            let copy = bytes(UnsafeRawBufferPointer(utf8))
            return gf_str(data: copy?.assumingMemoryBound(to: CChar.self), length: UInt64(utf8.count))
        }
    }

    /// A copy of the bytes that lives as long as the arena.
    public mutating func bytes(_ source: [UInt8]) -> gf_bytes {
        source.withUnsafeBytes { source in
            let copy = bytes(source)
            return gf_bytes(data: copy?.assumingMemoryBound(to: UInt8.self), length: UInt64(source.count))
        }
    }

    /// A copy of plain C values that lives as long as the arena; nil for none.
    public mutating func array<T>(_ values: [T]) -> UnsafePointer<T>? {
        guard !values.isEmpty else { return nil }
        let memory = UnsafeMutablePointer<T>.allocate(capacity: values.count)
        memory.initialize(from: values, count: values.count)
        allocations.append(UnsafeMutableRawPointer(memory))
        return UnsafePointer(memory)
    }

    /// Header fields as `gf_pair`s.
    public mutating func pairs(_ headers: HTTPHeaders) -> UnsafePointer<gf_pair>? {
        var pairs: [gf_pair] = []
        for field in headers { pairs.append(gf_pair(key: text(field.name), value: text(field.value))) }
        return array(pairs)
    }

    private mutating func bytes(_ source: UnsafeRawBufferPointer) -> UnsafeMutableRawPointer? {
        guard source.count > 0 else { return nil }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: source.count, alignment: 1)
        memory.copyMemory(from: source.baseAddress!, byteCount: source.count)  // '!' is fine; count > 0
        allocations.append(memory)
        return memory
    }
}

/// Copies a table or struct of the other side into one of our own size: what its `struct_size` does not cover is zero.
///
/// - Returns: nil for NULL and for a `struct_size` that does not even cover the head.
public func adopt<T: BitwiseCopyable>(_ source: UnsafePointer<T>?, as type: T.Type = T.self) -> T? {
    guard let source else { return nil }
    let raw = UnsafeRawPointer(source)
    let declared = Int(raw.loadUnaligned(as: UInt32.self))
    guard declared >= 8 else { return nil }
    return withUnsafeTemporaryAllocation(of: T.self, capacity: 1) { copy in
        let target = UnsafeMutableRawBufferPointer(copy)
        target.initializeMemory(as: UInt8.self, repeating: 0)
        let size = min(declared, MemoryLayout<T>.size)
        target.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: size))
        return copy[0]
    }
}

extension HTTPHeaders {
    /// The fields behind a borrowed array of `gf_pair`.
    public init(_ pairs: UnsafePointer<gf_pair>?, count: UInt32) {
        self.init()
        guard let pairs else { return }
        for index in 0..<Int(count) { add(String(pairs[index].key), String(pairs[index].value)) }
    }
}

extension Duration {
    /// Whole nanoseconds, clamped to Int64.
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowed ? (seconds < 0 ? .min : .max) : sum
    }
}

extension PluginError {
    /// Reads a borrowed `gf_error`, of which `struct_size` bytes are there.
    public init(_ error: gf_error) {
        self.init(
            Code(rawValue: error.code), String(error.message), source: ErrorSource(rawValue: error.source) ?? .plugin,
            httpStatus: (100...599).contains(error.http_status) ? Int(error.http_status) : nil,
            retryAfter: error.retry_after > 0 ? .nanoseconds(error.retry_after) : nil,
            hint: error.hint.length > 0 ? String(error.hint) : nil,
            details: error.details.length > 0 ? JSONText(String(error.details)) : nil)
    }

    /// Calls `body` with the error as a `gf_error` that is valid until `body` returns.
    public func withGF<R>(refID: String, _ body: (UnsafePointer<gf_error>) -> R) -> R {
        var arena = CArena()
        var error = gf_error()
        error.struct_size = UInt32(MemoryLayout<gf_error>.size)
        error.source = source.rawValue
        error.code = code.rawValue
        error.http_status = Int32(clamping: httpStatus ?? 0)
        error.retry_after = retryAfter?.nanoseconds ?? 0
        error.ref_id = arena.text(refID)
        error.message = arena.text(message)
        error.hint = arena.text(hint ?? "")
        error.details = arena.text(details?.text ?? "")
        return withUnsafePointer(to: error, body)
    }

    /// Whatever a handler threw, as a `PluginError`.
    static func wrapping(_ error: any Error) -> PluginError {
        if let error = error as? PluginError { return error }
        if error is CancellationError { return PluginError(.cancelled, "the call was cancelled") }
        return PluginError(.internal, "\(error)")
    }
}
