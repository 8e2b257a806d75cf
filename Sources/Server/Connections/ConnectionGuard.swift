// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Watches one connection: ends it when a client sends its body, or takes its answer, too slowly, and tells calls under
/// way when the client is gone.
///
/// Slow heads and idle connections are ended by hummingbird's own idle time-out.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How long a client has to read the last answer before the connection is gone.
    private static let farewell = TimeAmount.seconds(2)

    /// The least number of bytes of a body that must arrive in one period.
    static let leastBytes = 16 * 1024

    private let table: ConnectionTable
    private let readPeriod: TimeAmount
    private let writePeriod: TimeAmount
    private var isReadingBody = false
    private var isWaitingForBytes = false
    private var bytesInPeriod = 0
    private var closesAfterAnswer = false
    private var readCheck: Scheduled<Void>?
    private var lastClose: Scheduled<Void>?
    private var writeCheck: Scheduled<Void>?

    init(table: ConnectionTable, readPeriod: TimeAmount, writePeriod: TimeAmount) {
        self.table = table
        self.readPeriod = readPeriod
        self.writePeriod = writePeriod
    }

    func handlerAdded(context: ChannelHandlerContext) {
        table.open(context.channel)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        cancelTimers()
        table.close(context.channel)
    }

    func channelInactive(context: ChannelHandlerContext) {
        cancelTimers()
        table.clientLeft(context.channel)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { table.clientLeft(context.channel) }
        context.fireUserInboundEventTriggered(event)
    }

    func read(context: ChannelHandlerContext) {
        isWaitingForBytes = true
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: isReadingBody = true
        case .body(let buffer): bytesInPeriod += buffer.readableBytes
        case .end:
            isReadingBody = false
            readCheck?.cancel()
            readCheck = nil
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isWaitingForBytes = false
        // Requests whose end comes with their head, nearly all, never pay for a timer.
        if isReadingBody, readCheck == nil { scheduleReadCheck(context) }
        context.fireChannelReadComplete()
    }

    /// Answers that say `Connection: close` end the connection, without reading the rest of a body that was refused.
    ///
    /// Closing at once would reset the connection while the client still sends, and the client might lose the answer.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): closesAfterAnswer = head.headerFields[.connection] == "close"
        case .body: break
        case .end where closesAfterAnswer:
            context.writeAndFlush(data, promise: promise)
            context.close(mode: .output, promise: nil)
            lastClose = context.eventLoop.assumeIsolated().scheduleTask(in: Self.farewell) {
                context.close(promise: nil)
            }
            return
        case .end: break
        }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        writeCheck?.cancel()
        writeCheck = nil
        if !context.channel.isWritable {
            // Bodies are written in pieces, so a client that takes nothing holds one piece for this long.
            writeCheck = context.eventLoop.assumeIsolated().scheduleTask(in: writePeriod) {
                context.close(promise: nil)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    private func cancelTimers() {
        for timer in [readCheck, writeCheck, lastClose] { timer?.cancel() }
    }

    private func scheduleReadCheck(_ context: ChannelHandlerContext) {
        bytesInPeriod = 0
        readCheck = context.eventLoop.assumeIsolated().scheduleTask(in: readPeriod) {
            self.readCheck = nil
            guard self.isReadingBody else { return }
            if self.isWaitingForBytes, self.bytesInPeriod < Self.leastBytes {
                context.close(promise: nil)
            } else {
                self.scheduleReadCheck(context)
            }
        }
    }
}
