// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import NIOCore
internal import NIOWebSocket
internal import PluginABI

/// The client's side of the protocol once a connection is upgraded: joins fragments, answers pings, and checks that the
/// server keeps the rules.
///
/// - SeeAlso: RFC 6455, sections 5 to 8.
final class WebSocketFrameHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let socket: WebSocketCall
    private let origin: String
    /// The message whose last fragment has not come.
    private var unfinished: (kind: UInt32, data: ByteBuffer)?
    /// Whether the server broke a rule: nothing that follows counts.
    private var isBroken = false

    init(socket: WebSocketCall, origin: String) {
        self.socket = socket
        self.origin = origin
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isBroken else { return }
        let frame = unwrapInboundIn(data)
        guard frame.maskKey == nil else { return end(breach("a masked frame"), 1002, context) }
        switch frame.opcode {
        case .text, .binary:
            guard unfinished == nil else { return end(breach("a message within a message"), 1002, context) }
            let kind = frame.opcode == .text ? GF_WEBSOCKET_TEXT : GF_WEBSOCKET_BINARY
            take((kind, frame.data), isLast: frame.fin, context)
        case .continuation:
            guard var message = unfinished else { return end(breach("a fragment of nothing"), 1002, context) }
            unfinished = nil
            guard message.data.readableBytes + frame.data.readableBytes <= socket.maxMessage else {
                return end(tooLarge, 1009, context)
            }
            message.data.writeImmutableBuffer(frame.data)
            take(message, isLast: frame.fin, context)
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.data)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            take(closing: frame.data, context)
        default:
            break
        }
    }

    private func take(_ message: (kind: UInt32, data: ByteBuffer), isLast: Bool, _ context: ChannelHandlerContext) {
        guard isLast else {
            unfinished = message
            return
        }
        if message.kind == GF_WEBSOCKET_TEXT,
            message.data.readableBytesView.withContiguousStorageIfAvailable({
                String(validating: $0, as: UTF8.self) == nil
            }) ?? false
        {
            return end(breach("text that is not UTF-8"), 1007, context)
        }
        socket.received(kind: message.kind, message.data)
    }

    private func take(closing data: ByteBuffer, _ context: ChannelHandlerContext) {
        var data = data
        let code = data.readInteger(as: UInt16.self)
        let reason = data.readString(length: data.readableBytes) ?? ""
        socket.ended(code: code.map { UInt32($0) } ?? GF_WEBSOCKET_NO_CODE, reason: reason)
        let answer = WebSocketCall.closing(code: code ?? 1000, reason: "")
        context.writeAndFlush(wrapOutboundOut(answer)).whenComplete { [channel = context.channel] _ in
            channel.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        socket.ended(code: GF_WEBSOCKET_LOST, reason: "")
        context.fireChannelInactive()
    }

    /// What the decoder found wrong; the handler before this one has told the server.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? NIOWebSocketError else {
            // An end without goodbye is told by channelInactive.
            return context.close(promise: nil)
        }
        isBroken = true
        socket.fail(error == .invalidFrameLength ? tooLarge : breach("\(error)"))
    }

    private var tooLarge: PluginError {
        PluginError(.limit, "\(origin) sent a message of more than \(socket.maxMessage) bytes", source: .downstream)
    }

    private func breach(_ what: String) -> PluginError {
        PluginError(.badData, "\(origin) broke the WebSocket protocol: \(what)", source: .downstream)
    }

    private func end(_ error: PluginError, _ code: UInt16, _ context: ChannelHandlerContext) {
        isBroken = true
        socket.fail(error)
        let frame = WebSocketCall.closing(code: code, reason: "")
        context.writeAndFlush(wrapOutboundOut(frame)).whenComplete { [channel = context.channel] _ in
            channel.close(promise: nil)
        }
    }
}
