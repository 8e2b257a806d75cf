// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CRunnerProtocol
internal import PluginABI

/// Writes messages to a runner.
struct MessageWriter: ~Copyable {
    private var writer = runner_writer()

    deinit {
        var writer = writer
        runner_free(&writer)
    }

    /// Whether there was no memory, or a message grew too large.
    var hasFailed: Bool { writer.failed != 0 }

    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: writer.data, count: Int(clamping: writer.length))
    }

    /// A message with a fixed struct, of which `fill` sets everything but the size.
    mutating func message<Body: BitwiseCopyable>(
        _ type: UInt32, call: UInt64 = 0, _ body: Body, fill: (inout MessageWriter, inout Body) -> Void = { _, _ in }
    ) {
        let size = UInt32(MemoryLayout<Body>.size)
        var body = body
        runner_begin(&writer, type, call, size)
        fill(&self, &body)
        withUnsafeMutableBytes(of: &body) { $0.storeBytes(of: size, as: UInt32.self) }
        runner_end(&writer, &body, size)
    }

    /// Changes the call of the first message.
    mutating func rename(call: UInt64) {
        guard writer.failed == 0, let data = writer.data else { return }
        let place = MemoryLayout<runner_header>.offset(of: \.call) ?? 0
        UnsafeMutableRawPointer(data).storeBytes(of: call, toByteOffset: place, as: UInt64.self)
    }

    /// Says which host call the message answers that was written last.
    mutating func answers(_ sequence: UInt32) {
        guard writer.failed == 0, let data = writer.data else { return }
        let place = Int(writer.message) + (MemoryLayout<runner_header>.offset(of: \.sequence) ?? 0)
        UnsafeMutableRawPointer(data).storeBytes(of: sequence, toByteOffset: place, as: UInt32.self)
    }

    /// A message without a body.
    mutating func message(_ type: UInt32, call: UInt64 = 0) {
        runner_begin(&writer, type, call, 0)
        runner_end(&writer, nil, 0)
    }

    mutating func text(_ text: String) -> runner_span {
        var text = text
        return text.withUTF8 { runner_put(&writer, $0.baseAddress, UInt64($0.count)) }
    }

    mutating func text(_ text: gf_str) -> runner_span {
        runner_put(&writer, text.data, text.data == nil ? 0 : text.length)
    }

    mutating func bytes(_ bytes: gf_bytes) -> runner_span {
        runner_put(&writer, bytes.data, bytes.data == nil ? 0 : bytes.length)
    }

    mutating func bytes(_ bytes: UnsafeRawBufferPointer) -> runner_span {
        runner_put(&writer, bytes.baseAddress, UInt64(bytes.count))
    }

    /// Plain values, one after the other.
    mutating func array<T: BitwiseCopyable>(_ values: [T]) -> runner_span {
        values.withUnsafeBytes { runner_put(&writer, $0.baseAddress, UInt64($0.count)) }
    }

    mutating func pairs(_ pairs: UnsafePointer<gf_pair>?, count: UInt32) -> runner_span {
        guard let pairs, count > 0 else { return runner_span() }
        var all: [runner_pair] = []
        for index in 0..<Int(count) {
            all.append(runner_pair(key: text(pairs[index].key), value: text(pairs[index].value)))
        }
        return array(all)
    }

    mutating func pairs(_ pairs: some Sequence<(key: String, value: String)>) -> runner_span {
        array(pairs.map { runner_pair(key: text($0.key), value: text($0.value)) })
    }
}

/// One message of a runner, of which nothing is believed: what does not fit is nil.
///
/// Parts of a message never overlap, so that all of them together, which are copied, are no larger than the message. One
/// that names the same bytes again and again gets nothing for them and is ``isOverdrawn``.
///
/// Safety: `start` points to as many bytes as the header says, which `runner_read_header` checked; they live as long as the
/// message is handled and nobody else writes them.
struct RunnerMessage: @unchecked Sendable {
    /// The bytes that may still be read; used by the one thread that handles the message.
    private final class Budget {
        var left: Int

        init(_ left: Int) { self.left = left }
    }

    let header: runner_header
    let start: UnsafeRawPointer
    private let budget: Budget

    /// The first message of bytes that came; nil when they hold no whole one.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var header = runner_header()
        guard let start = bytes.baseAddress, runner_read_header(start, UInt64(bytes.count), &header) == 1 else {
            return nil
        }
        self.header = header
        self.start = start
        budget = Budget(Int(header.length))
    }

    /// Whether its parts were larger than itself.
    var isOverdrawn: Bool { budget.left < 0 }

    private func spend(_ span: runner_span) -> Bool {
        guard budget.left >= 0 else { return false }
        budget.left -= Int(span.length)
        return budget.left >= 0
    }

    var isSpilled: Bool { header.flags & RUNNER_SPILLED != 0 }
    var isOptional: Bool { header.flags & RUNNER_OPTIONAL != 0 }
    /// The bytes that the message takes in its packet.
    var packetLength: Int { isSpilled ? MemoryLayout<runner_header>.size : Int(header.length) }

    /// The fixed struct, completed with zeros.
    func body<Body: BitwiseCopyable>(as type: Body.Type = Body.self) -> Body? {
        withUnsafeTemporaryAllocation(of: Body.self, capacity: 1) { copy in
            let size = UInt32(MemoryLayout<Body>.size)
            guard runner_read_body(start, copy.baseAddress, size) == 1 else { return nil }
            return copy[0]
        }
    }

    /// The bytes of a span; none when it lies outside.
    func bytes(_ span: runner_span) -> UnsafeRawBufferPointer {
        guard span.length > 0, spend(span), let data = runner_read_span(start, span, 1) else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(start: data, count: Int(span.length))
    }

    func borrowed(_ span: runner_span) -> gf_str {
        let bytes = bytes(span)
        return gf_str(data: bytes.baseAddress?.assumingMemoryBound(to: CChar.self), length: UInt64(bytes.count))
    }

    func borrowedBytes(_ span: runner_span) -> gf_bytes {
        let bytes = bytes(span)
        return gf_bytes(data: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), length: UInt64(bytes.count))
    }

    func text(_ span: runner_span) -> String { String(decoding: bytes(span), as: UTF8.self) }

    /// The lines of a text, each of which ends with a newline.
    func lines(_ span: runner_span) -> [String] { text(span).split(separator: "\n").map(String.init) }

    /// Whole elements; nil when the span lies outside or holds a part of one.
    func array<T: BitwiseCopyable>(_ span: runner_span, of type: T.Type = T.self) -> UnsafeBufferPointer<T>? {
        guard span.length > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
        let size = MemoryLayout<T>.stride
        guard spend(span), let data = runner_read_span(start, span, UInt32(size)) else { return nil }
        return UnsafeBufferPointer(start: data.assumingMemoryBound(to: T.self), count: Int(span.length) / size)
    }

    func pairs(_ span: runner_span) -> [(key: String, value: String)]? {
        array(span, of: runner_pair.self)?.map { (key: text($0.key), value: text($0.value)) }
    }
}
