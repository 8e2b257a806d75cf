// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2

/// The calls of one connection from a host.
///
/// `NIOHTTP2Handler` below it parses frames, answers PING and SETTINGS and keeps what the host's windows do not take yet.
final class GRPCServerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    enum Command: Sendable {
        case message(GRPCServerCall, ByteBuffer)
        /// The call was answered; nil: well.
        case end(GRPCServerCall, GRPCStatus?)
        /// No new calls, and the connection ends with those that run, which are cancelled.
        case close
    }

    /// What a host may send of one question before it is read.
    static let streamWindow = 1 << 20
    private static let connectionWindow = 64 << 20
    /// Calls that may run at once on one connection.
    static let mostCalls = 10_000

    private let methods: GRPCMethods
    private let limit: Int
    private var context: ChannelHandlerContext?
    private var inbox: CommandInbox<Command>?
    private var streams: [HTTP2StreamID: GRPCServerStream] = [:]
    private var lastID = HTTP2StreamID.rootStream
    private var isClosing = false

    /// - Parameter limit: The most bytes of a question.
    init(_ methods: GRPCMethods, limit: Int) {
        self.methods = methods
        self.limit = limit
    }

    // MARK: Commands

    /// Ends the connection; on its event loop.
    func close() { perform([.close]) }

    private func perform(_ commands: [Command]) {
        for command in commands {
            switch command {
            case .message(let call, let bytes): write(bytes, of: call)
            case .end(let call, let status): end(call.id, status)
            case .close:
                isClosing = true
                if let context {
                    write(.rootStream, .goAway(lastStreamID: lastID, errorCode: .noError, opaqueData: nil), context)
                }
                for id in streams.keys { end(id, GRPCStatus(.unavailable, "the plugin is ending")) }
            }
        }
        context?.flush()
        if isClosing { context?.close(promise: nil) }
    }

    private func write(_ bytes: ByteBuffer, of call: GRPCServerCall) {
        guard let context, let stream = streams[call.id] else { return }
        writeHead(of: stream, context)
        let count = bytes.readableBytes
        let frame = HTTP2Frame(streamID: call.id, payload: .data(.init(data: .byteBuffer(bytes))))
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in call.wrote(count) }
        context.write(wrapOutboundOut(frame), promise: written)
    }

    private func writeHead(of stream: GRPCServerStream, _ context: ChannelHandlerContext) {
        guard !stream.hasHead else { return }
        stream.hasHead = true
        write(stream.call.id, .headers(.init(headers: Self.head)), context)
    }

    private static let head: HPACKHeaders = [":status": "200", "content-type": "application/grpc"]

    /// Ends a call from this side.
    private func end(_ id: HTTP2StreamID, _ status: GRPCStatus?) {
        guard let stream = remove(id), let context else { return }
        // A failure before the first message is one block of headers.
        if status == nil { writeHead(of: stream, context) }
        var trailers = stream.hasHead ? HPACKHeaders() : Self.head
        for (name, value) in GRPCStatus.trailers(of: status) {
            trailers.add(name: name, value: value, indexing: .nonIndexable)
        }
        write(id, .headers(.init(headers: trailers, endStream: true)), context)
        context.flush()
        stream.call.ended()
    }

    /// Takes a call off the list; what answers it is cancelled.
    private func remove(_ id: HTTP2StreamID) -> GRPCServerStream? {
        guard let stream = streams.removeValue(forKey: id) else { return nil }
        stream.timer?.cancel()
        stream.task?.cancel()
        return stream
    }

    private func write(_ id: HTTP2StreamID, _ payload: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
    }

    // MARK: Frames

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let payload):
            if streams[frame.streamID] == nil {
                begin(frame.streamID, payload.headers, context)
            }
            if payload.endStream { questionEnded(frame.streamID) }
        case .data(let payload):
            guard let stream = streams[frame.streamID], case .byteBuffer(let bytes) = payload.data else { return }
            received(bytes, padding: payload.paddingBytes ?? 0, stream, isLast: payload.endStream, context)
        case .rstStream: remove(frame.streamID)?.call.ended()
        default: break
        }
    }

    private func begin(_ id: HTTP2StreamID, _ headers: HPACKHeaders, _ context: ChannelHandlerContext) {
        // Later headers of a call that has ended are no new call.
        guard id > lastID, let inbox else { return }
        lastID = id
        do {
            let head = try GRPCQuestionHead(headers)
            guard !isClosing else { throw GRPCStatus(.unavailable, "the plugin is ending") }
            guard let method = methods[head.path] else {
                throw GRPCStatus(.unimplemented, "this plugin has no method \(head.path.shortened(to: 200))")
            }
            let call = GRPCServerCall(
                id, path: head.path, metadata: head.metadata, deadline: head.timeout.map { .now + $0 }, inbox: inbox)
            let stream = GRPCServerStream(call, method, limit: limit)
            streams[id] = stream
            if let timeout = head.timeout { stream.timer = timer(timeout, id, context) }
        } catch let fault as GRPCQuestionHead.NotGRPC {
            let head: HPACKHeaders = [":status": "\(fault.status)", "content-length": "0"]
            write(id, .headers(.init(headers: head, endStream: true)), context)
        } catch {
            var head = Self.head
            let status = error as? GRPCStatus ?? GRPCStatus(.internal, "\(error)")
            for (name, value) in GRPCStatus.trailers(of: status) { head.add(name: name, value: value) }
            write(id, .headers(.init(headers: head, endStream: true)), context)
        }
    }

    private func timer(_ timeout: Duration, _ id: HTTP2StreamID, _ context: ChannelHandlerContext) -> Scheduled<Void> {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        return context.eventLoop.scheduleTask(in: .nanoseconds(timeout.inNanoseconds)) {
            bound.value.end(id, GRPCStatus(.deadlineExceeded, "there was no answer within \(timeout)"))
        }
    }

    private func received(
        _ bytes: ByteBuffer, padding: Int, _ stream: GRPCServerStream, isLast: Bool, _ context: ChannelHandlerContext
    ) {
        let id = stream.call.id
        do {
            try stream.received(bytes)
        } catch {
            return end(id, error)
        }
        if isLast { return questionEnded(id) }
        stream.unacknowledged += bytes.readableBytes + padding
        guard stream.unacknowledged >= Self.streamWindow / 2 else { return }
        write(id, .windowUpdate(windowSizeIncrement: stream.unacknowledged), context)
        stream.unacknowledged = 0
    }

    private func questionEnded(_ id: HTTP2StreamID) {
        guard let stream = streams[id] else { return }
        guard case .question(let answer) = stream.method else { return end(id, nil) }
        let question: [UInt8]
        do {
            question = try stream.whole()
        } catch {
            return end(id, error)
        }
        // Bounded by the number of calls that a connection may have; ended with its call.
        stream.task = Self.task(answer, question, stream.call)
    }

    private static func task(
        _ answer: @escaping GRPCMethods.Answer, _ question: [UInt8], _ call: GRPCServerCall
    ) -> Task<Void, Never> {
        Task {
            let status = await status(of: answer, question, call)
            call.answered(status)
        }
    }

    private static func status(
        of answer: GRPCMethods.Answer, _ question: [UInt8], _ call: GRPCServerCall
    ) async -> GRPCStatus? {
        do {
            try await answer(question, call)
            return nil
        } catch let status as GRPCStatus {
            return status
        } catch is CancellationError {
            return GRPCStatus(.cancelled, "the call was cancelled")
        } catch {
            return GRPCStatus(.unknown, "\(error)")
        }
    }

    // MARK: The connection

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        inbox = CommandInbox(on: context.eventLoop) { bound.value.perform($0) }
        if context.channel.isActive { widen(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        widen(context)
        context.fireChannelActive()
    }

    private func widen(_ context: ChannelHandlerContext) {
        write(.rootStream, .windowUpdate(windowSizeIncrement: Self.connectionWindow - 65_535), context)
        context.flush()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let window as NIOHTTP2WindowUpdatedEvent where window.streamID == .rootStream:
            guard let size = window.inboundWindowSize, size < Self.connectionWindow / 2 else { return }
            write(.rootStream, .windowUpdate(windowSizeIncrement: Self.connectionWindow - size), context)
        case let closed as StreamClosedEvent:
            remove(closed.streamID)?.call.ended()
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A fault of one call ends that call; any other one ends the connection, and the host makes a new one.
        if let failed = error as? NIOHTTP2Errors.StreamError {
            remove(failed.streamID)?.call.ended()
            return
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        for id in Array(streams.keys) { remove(id)?.call.ended() }
        // The inbox holds the handler, and the handler the inbox.
        inbox = nil
        context.fireChannelInactive()
    }
}
