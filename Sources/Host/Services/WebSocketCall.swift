// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import NIOCore
internal import NIOHTTP1
internal import NIOWebSocket
internal import PluginABI
internal import Synchronization

/// One WebSocket that a plugin opened: what has arrived and not been read.
///
/// Safety: `id` and `leaveCall` are written once, before the connection starts; `keptHead`, `keptError` and `keptReason`
/// are written once under the lock and only read through pointers that live as long as the object.
final class WebSocketCall: OutgoingExchange, @unchecked Sendable {
    private struct State {
        var head: HTTPResponseHead?
        var messages = CircularBuffer<(kind: UInt32, data: ByteBuffer)>()
        var buffered = 0
        /// The body of a refusal.
        var refusal = ByteBuffer()
        var end: (code: UInt32, reason: String)?
        var error: PluginError?
        /// The plugin was told AGAIN and waits for the event.
        var isAwaited = false
        var isReadingPaused = false
        /// Bytes that the server has not taken.
        var outgoing = 0
        var channel: (any Channel)?
        var isClosed = false
    }

    /// What the plugin gets next.
    enum Next: Sendable {
        case message(UInt32, ByteBuffer)
        /// The end, with its code; the reason is ``reasonText``.
        case closed(UInt32)
        case status(gf_status)
    }

    private static let window = Int(GF_WEBSOCKET_WINDOW)
    /// What a message takes beside its bytes: empty ones fill the window too.
    private static let messageOverhead = 64
    static let maximumRefusalBytes = 65_536

    static let maxPerCall = 16

    var id: UInt64 = 0
    var leaveCall: @Sendable () -> Void = {}
    let maxMessage: Int
    let isWanted: @Sendable () -> Bool
    private let wake: @Sendable (UInt64) -> Void
    private let state = Mutex(State())
    private var keptHead: HeadMemory?
    private var keptError: ErrorMemory?
    private var keptReason: ErrorMemory?

    init(maxMessage: Int, isWanted: @escaping @Sendable () -> Bool, wake: @escaping @Sendable (UInt64) -> Void) {
        self.maxMessage = maxMessage
        self.isWanted = isWanted
        self.wake = wake
    }

    // MARK: The plugin's side

    func head(into out: UnsafeMutablePointer<gf_http_head>) -> gf_status {
        state.withLock { state in
            guard let head = state.head else {
                if let error = state.error { return error.code.rawValue }
                state.isAwaited = true
                return GF_AGAIN
            }
            if keptHead == nil { keptHead = HeadMemory(head) }
            guard let keptHead else { return GF_INTERNAL }
            out.pointee = keptHead.value
            return GF_OK
        }
    }

    func receive() -> Next {
        let (next, resumed) = state.withLock { state -> (Next, (any Channel)?) in
            guard !state.messages.isEmpty else {
                if let error = state.error { return (.status(error.code.rawValue), nil) }
                if let end = state.end { return (.closed(end.code), nil) }
                state.isAwaited = true
                return (.status(GF_AGAIN), nil)
            }
            let (kind, data) = state.messages.removeFirst()
            state.buffered -= data.readableBytes + Self.messageOverhead
            guard state.isReadingPaused, state.buffered < Self.window / 2 else { return (.message(kind, data), nil) }
            state.isReadingPaused = false
            return (.message(kind, data), state.channel)
        }
        resumed?.setOption(.autoRead, value: true).whenFailure { _ in }
        return next
    }

    func send(kind: UInt32, _ bytes: [UInt8]) -> gf_status {
        guard kind == GF_WEBSOCKET_TEXT || kind == GF_WEBSOCKET_BINARY else { return GF_INVALID }
        guard bytes.count <= 4 * Self.window else { return GF_LIMIT }
        guard kind == GF_WEBSOCKET_BINARY || String(validating: bytes, as: UTF8.self) != nil else { return GF_INVALID }
        let (status, channel) = state.withLock { state -> (gf_status, (any Channel)?) in
            if let error = state.error { return (error.code.rawValue, nil) }
            guard let channel = state.channel, state.head?.status == .switchingProtocols, state.end == nil else {
                return (GF_STATE, nil)
            }
            guard state.outgoing + bytes.count <= 4 * Self.window else { return (GF_LIMIT, nil) }
            state.outgoing += bytes.count
            guard state.outgoing >= Self.window else { return (GF_OK, channel) }
            state.isAwaited = true
            return (GF_AGAIN, channel)
        }
        guard let channel else { return status }
        let opcode: WebSocketOpcode = kind == GF_WEBSOCKET_TEXT ? .text : .binary
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: ByteBuffer(bytes: bytes))
        channel.writeAndFlush(frame).whenComplete { _ in
            self.event { $0.outgoing -= bytes.count }
        }
        return status
    }

    /// Whether a further message can be sent; for plugins that wait, who are told when it changes.
    func hasRoom() -> gf_status {
        state.withLock { state in
            if let error = state.error { return error.code.rawValue }
            state.isAwaited = state.outgoing >= Self.window && state.end == nil
            return state.isAwaited ? GF_AGAIN : GF_OK
        }
    }

    /// The server's words at the end.
    var reasonText: gf_str {
        state.withLock { state in
            guard let end = state.end else { return gf_str() }
            if keptReason == nil { keptReason = ErrorMemory(end.reason) }
            return keptReason?.text ?? gf_str()
        }
    }

    var errorText: gf_str {
        state.withLock { state in
            guard let error = state.error else { return gf_str() }
            if keptError == nil { keptError = ErrorMemory(error.message) }
            return keptError?.text ?? gf_str()
        }
    }

    func fail(_ error: PluginError) {
        event { $0.error = $0.error ?? ($0.end == nil ? error : nil) }
    }

    /// Says goodbye and forgets the connection.
    func close(code: UInt32, reason: String) {
        let (channel, isOpen) = state.withLock { state in
            state.isClosed = true
            state.messages.removeAll()
            return (state.channel, state.head?.status == .switchingProtocols && state.end == nil && state.error == nil)
        }
        guard let channel else { return }
        guard isOpen else { return channel.close(promise: nil) }
        let frame = Self.closing(code: UInt16(clamping: code == 0 ? 1000 : code), reason: reason)
        channel.writeAndFlush(frame).whenComplete { _ in channel.close(promise: nil) }
    }

    func endWithCall() { close(code: 1001, reason: "") }

    /// A closing frame; a reason that is too long is cut.
    static func closing(code: UInt16, reason: String) -> WebSocketFrame {
        var data = ByteBuffer(integer: code)
        var text = reason[...]
        while text.utf8.count > 123 { text.removeLast() }
        data.writeString(String(text))
        return WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: data)
    }

    // MARK: The connection's side, on an event loop

    /// Changes the state and tells the plugin if it waits.
    private func event(_ change: (inout State) -> Void) {
        let wakes = state.withLock { state in
            change(&state)
            defer { state.isAwaited = false }
            return state.isAwaited && !state.isClosed
        }
        if wakes { wake(id) }
    }

    /// Takes the connection over; false when nobody wants it any more.
    func adopt(_ channel: any Channel) -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.error == nil else { return false }
            state.channel = channel
            return true
        }
    }

    var isAnswered: Bool { state.withLock { $0.head != nil || $0.error != nil || $0.isClosed } }

    func answered(_ head: HTTPResponseHead) { event { $0.head = head } }

    func refused(with part: ByteBuffer) {
        state.withLock { state in
            let room = max(0, Self.maximumRefusalBytes - state.refusal.readableBytes)
            var part = part
            if let slice = part.readSlice(length: min(room, part.readableBytes)) {
                state.refusal.writeImmutableBuffer(slice)
            }
        }
    }

    func endOfRefusal() {
        event { state in
            if state.refusal.readableBytes > 0, state.end == nil {
                state.messages.append((GF_WEBSOCKET_BINARY, state.refusal))
                state.buffered += state.refusal.readableBytes + Self.messageOverhead
            }
            state.end = state.end ?? (GF_WEBSOCKET_NO_CODE, "")
        }
    }

    func received(kind: UInt32, _ data: ByteBuffer) {
        var paused: (any Channel)?
        event { state in
            guard !state.isClosed, state.error == nil, state.end == nil else { return }
            state.messages.append((kind, data))
            state.buffered += data.readableBytes + Self.messageOverhead
            guard state.buffered >= Self.window, !state.isReadingPaused else { return }
            state.isReadingPaused = true
            paused = state.channel
        }
        paused?.setOption(.autoRead, value: false).whenFailure { _ in }
    }

    func ended(code: UInt32, reason: String) {
        event { $0.end = $0.end ?? ($0.error == nil ? (code, reason) : nil) }
    }
}
