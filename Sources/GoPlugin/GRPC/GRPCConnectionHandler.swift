// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import Synchronization

/// The streams of one connection.
///
/// `NIOHTTP2Handler` below it parses frames, answers PING and SETTINGS and keeps what the peer's windows do not take yet.
final class GRPCConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// What a plugin may send of one answer before it is read.
    static let streamWindow = 4 << 20
    private static let connectionWindow = 1 << 30

    private var context: ChannelHandlerContext?
    private var streams: [HTTP2StreamID: GRPCStream] = [:]
    private var ids: [ObjectIdentifier: HTTP2StreamID] = [:]
    /// The number of the next stream; numbers end before 2^31, and a connection with them.
    private var nextID: Int
    private static let lastID = (1 << 31) - (1 << 16)
    /// Why no new call is taken.
    private var ending: GRPCStatus? {
        didSet { ended.isSet.store(true, ordering: .releasing) }
    }
    private let ended: EndFlag

    private let heartbeat: Heartbeat?
    private var pulse: Pulse?

    /// - Parameter firstID: odd, as a client's streams are.
    init(_ ended: EndFlag, firstID: Int, heartbeat: Heartbeat?) {
        self.ended = ended
        self.heartbeat = heartbeat
        pulse = heartbeat.map(Pulse.init)
        nextID = firstID
    }

    // MARK: Commands

    func perform(_ commands: [GRPCConnection.Command]) {
        var needsFlush = false
        for command in commands {
            switch command {
            case .begin(let call): needsFlush = begin(call) || needsFlush
            case .cancel(let call):
                needsFlush = cancel(call, .local(.cancelled, "the call was cancelled")) || needsFlush
            case .resume(let call): needsFlush = resume(call) || needsFlush
            case .close(let reason):
                ending = ending ?? .local(.unavailable, reason)
                context?.close(promise: nil)
            }
        }
        if needsFlush { context?.flush() }
    }

    private func begin(_ call: GRPCCall) -> Bool {
        guard let context, ending == nil else {
            call.reader.finished(ending ?? .local(.unavailable, "the connection to the plugin is not open"))
            return false
        }
        let id = HTTP2StreamID(nextID)
        nextID += 2
        // What runs is finished; the next call needs another connection.
        if nextID > Self.lastID {
            ending = .local(.unavailable, "the connection to the plugin has no stream numbers left")
        }
        let stream = GRPCStream(call)
        streams[id] = stream
        ids[ObjectIdentifier(call)] = id
        write(id, .headers(.init(headers: Self.headers(of: call.request), endStream: false)), context)
        if !call.request.staysOpen {
            write(id, .data(.init(data: .byteBuffer(message(call.request)), endStream: true)), context)
        }
        if call.request.isTimed, let timeout = call.request.timeout { stream.timer = timer(timeout, call, context) }
        if call.request.timeout != nil, let time = pulse?.sent(at: .now()) { look(after: time, context) }
        return true
    }

    // MARK: The heartbeat

    private func look(after time: TimeAmount, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: time) { bound.value.look() }
    }

    private func look() {
        guard let context, let heartbeat, ending == nil else { return }
        let isAwaiting = streams.values.contains { $0.call.request.timeout != nil && $0.end == nil }
        switch pulse?.look(at: .now(), isAwaiting: isAwaiting, isExcused: heartbeat.isExcused) {
        case .wait(let time): look(after: time, context)
        case .ping(let time):
            write(.rootStream, .ping(HTTP2PingData(), ack: false), context)
            context.flush()
            look(after: time, context)
        case .dead:
            ended.isSilent.store(true, ordering: .releasing)
            ending = .local(
                .unavailable, "the plugin's process does not move: it left a PING unanswered for \(heartbeat.patience)")
            context.close(promise: nil)
        case .rest, nil: break
        }
    }

    private func timer(_ timeout: Duration, _ call: GRPCCall, _ context: ChannelHandlerContext) -> Scheduled<Void> {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        return context.eventLoop.scheduleTask(in: .nanoseconds(timeout.inNanoseconds)) {
            let handler = bound.value
            let reason = GRPCStatus.local(.deadlineExceeded, "the plugin did not answer within \(timeout)")
            if handler.cancel(call, reason) { handler.context?.flush() }
        }
    }

    private func message(_ request: GRPCRequest) -> ByteBuffer {
        var buffer = context?.channel.allocator.buffer(capacity: request.message.count + 5) ?? ByteBuffer()
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(clamping: request.message.count))
        buffer.writeBytes(request.message)
        return buffer
    }

    private static func headers(of request: GRPCRequest) -> HPACKHeaders {
        var headers = HPACKHeaders()
        headers.reserveCapacity(9 + request.metadata.count)
        headers.add(name: ":method", value: "POST")
        headers.add(name: ":scheme", value: "http")
        headers.add(name: ":path", value: request.path)
        headers.add(name: ":authority", value: "localhost")
        headers.add(name: "content-type", value: "application/grpc")
        headers.add(name: "user-agent", value: "grafana-go-plugin")
        headers.add(name: "te", value: "trailers")
        if let timeout = request.timeout {
            headers.add(name: "grpc-timeout", value: timeout.grpcText, indexing: .nonIndexable)
        }
        for (name, value) in request.metadata { headers.add(name: name, value: value, indexing: .nonIndexable) }
        return headers
    }

    /// Ends a call from this side; false when it has ended already.
    private func cancel(_ call: GRPCCall, _ reason: GRPCStatus) -> Bool {
        guard let id = ids[ObjectIdentifier(call)] else { return false }
        reset(id, .failure(reason))
        return true
    }

    private func resume(_ call: GRPCCall) -> Bool {
        guard let id = ids[ObjectIdentifier(call)], let stream = streams[id], stream.release() else { return false }
        return process(id, stream)
    }

    // MARK: Frames

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .data(let payload):
            pulse?.answered()
            guard let stream = streams[frame.streamID], case .byteBuffer(let bytes) = payload.data else { return }
            stream.received(bytes, padding: payload.paddingBytes ?? 0)
            if payload.endStream { stream.end = .failure(.local(.internal, "the answer ended without trailers")) }
            _ = process(frame.streamID, stream)
        case .headers(let payload):
            pulse?.answered()
            guard let stream = streams[frame.streamID] else { return }
            stream.received(payload.headers, isLast: payload.endStream)
            _ = process(frame.streamID, stream)
        case .rstStream(let code):
            guard let stream = streams[frame.streamID] else { return }
            stream.end = .failure(stream.isPastDeadline ? .pastDeadline : .reset(code: Int(code.networkCode)))
            _ = process(frame.streamID, stream)
        case .goAway(let lastID, let code, _):
            let reason = GRPCStatus.local(
                .unavailable, "the plugin is ending its connection (HTTP/2 error \(code.networkCode))")
            ending = reason
            for id in streams.keys where id > lastID { end(id, .failure(reason)) }
            if streams.isEmpty { context.close(promise: nil) }
        default: break
        }
    }

    /// Hands what a stream holds to its reader, unless that asked for a pause; true when something was written.
    private func process(_ id: HTTP2StreamID, _ stream: GRPCStream) -> Bool {
        do {
            let consumed = try stream.deliver()
            if let outcome = stream.outcome {
                // A plugin that knows the deadline says in its own words that it has passed.
                let isLate = outcome.failure != nil && stream.isPastDeadline
                end(id, isLate ? .failure(.pastDeadline) : outcome)
                return false
            }
            guard let context, stream.end == nil, consumed > 0 else { return false }
            stream.unacknowledged += consumed
            guard stream.unacknowledged >= Self.streamWindow / 2 else { return false }
            write(id, .windowUpdate(windowSizeIncrement: stream.unacknowledged), context)
            stream.unacknowledged = 0
            return true
        } catch {
            reset(id, .failure(error))
            context?.flush()
            return false
        }
    }

    /// Ends a call whose answer is not wanted, and tells the plugin.
    private func reset(_ id: HTTP2StreamID, _ outcome: GRPCStream.Outcome) {
        let isOpen = streams[id]?.end == nil
        // First, as the event of the reset would end the call with another reason.
        end(id, outcome)
        if isOpen, let context { write(id, .rstStream(.cancel), context) }
    }

    private func end(_ id: HTTP2StreamID, _ outcome: GRPCStream.Outcome) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        ids[ObjectIdentifier(stream.call)] = nil
        stream.timer?.cancel()
        stream.call.reader.finished(outcome.failure)
        if ending != nil, streams.isEmpty { context?.close(promise: nil) }
    }

    private func write(_ id: HTTP2StreamID, _ payload: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
    }

    // MARK: The connection

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        write(.rootStream, .windowUpdate(windowSizeIncrement: Self.connectionWindow - 65_535), context)
        context.flush()
        context.fireChannelActive()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        pulse?.received(at: .now())
        context.flush()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let window as NIOHTTP2WindowUpdatedEvent where window.streamID == .rootStream:
            guard let size = window.inboundWindowSize, size < Self.connectionWindow / 2 else { return }
            write(.rootStream, .windowUpdate(windowSizeIncrement: Self.connectionWindow - size), context)
        case let closed as StreamClosedEvent:
            // The end of an answer comes as its frames; this is what no frame told.
            guard let stream = streams[closed.streamID], stream.end == nil, let reason = closed.reason else { return }
            stream.end = .failure(.reset(code: Int(reason.networkCode)))
            _ = process(closed.streamID, stream)
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let failed = error as? NIOHTTP2Errors.StreamError {
            end(failed.streamID, .failure(.local(.internal, "the plugin broke HTTP/2: \(failed.baseError)")))
            return
        }
        ending = ending ?? .local(.unavailable, "the connection to the plugin failed: \(error)")
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let reason = ending ?? .local(.unavailable, "the plugin closed its connection")
        ending = reason
        // What came before the end is still read.
        for (id, stream) in streams.sorted(by: { $0.key < $1.key }) {
            if stream.end == nil { stream.end = .failure(reason) }
            _ = process(id, stream)
        }
        context.fireChannelInactive()
    }
}
