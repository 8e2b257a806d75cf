// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// One end of a connection that goes through this server unread: what comes in goes out at the other end.
///
/// Both ends are on one event loop. An end that nobody reads makes the other wait.
final class ByteSplice: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var partner: ByteSplice?
    private var isReadHeld = false
    /// What came before there was a partner.
    private var early = ByteBuffer()
    /// Told about what came early, until it says that this is enough.
    private var onEarly: ((inout ByteBuffer) -> Bool)?
    /// The most bytes before there is a partner.
    private static let earlyBytes = 64 * 1024

    /// - Parameter onEarly: Gets all bytes so far, and true when it has taken from them what it waits for.
    init(onEarly: ((inout ByteBuffer) -> Bool)? = nil) { self.onEarly = onEarly }

    /// Makes two ends one connection.
    func join(_ other: ByteSplice) {
        (partner, other.partner) = (other, self)
        for (end, far) in [(self, other), (other, self)] {
            if end.early.readableBytes > 0 { far.write(end.early) }
            end.early = ByteBuffer()
            far.context?.flush()
        }
        for end in [self, other] { end.resumeReading() }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        partner = nil
        onEarly = nil
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        if let partner { return partner.write(buffer) }
        early.writeBuffer(&buffer)
        if let onEarly, onEarly(&early) { self.onEarly = nil }
        if early.readableBytes > Self.earlyBytes { context.close(promise: nil) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        partner?.context?.flush()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        closePartner()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            closePartner()
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func closePartner() {
        partner?.context?.flush()
        partner?.context?.close(promise: nil)
        partner = nil
    }

    // MARK: Out

    func write(_ buffer: ByteBuffer) {
        context?.write(wrapOutboundOut(buffer), promise: nil)
    }

    /// Reads on only while the other end takes what comes.
    func read(context: ChannelHandlerContext) {
        guard partner?.context?.channel.isWritable ?? true else {
            isReadHeld = true
            return
        }
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.resumeReading() }
        context.fireChannelWritabilityChanged()
    }

    private func resumeReading() {
        guard isReadHeld else { return }
        isReadHeld = false
        context?.read()
    }
}
