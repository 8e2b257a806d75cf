// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket
internal import PluginABI

/// Where a WebSocket leads, and the request that asks for it.
struct WebSocketHandshake: Sendable {
    let host: String
    let port: Int
    let head: HTTPRequestHead
    let tls: TLSConfiguration?
    let origin: String

    /// Headers of the handshake itself, which only the host writes.
    private static let own: Set = [
        "connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions",
    ]

    init(_ outgoing: OutgoingRequest, protocols: String) throws {
        let request = outgoing.request
        host = request.host
        port = request.port
        let usesTLS = request.scheme == "https"
        tls = usesTLS ? request.tlsConfiguration ?? .makeClientConfiguration() : nil
        origin = "\(request.scheme)://\(request.host):\(request.port)"
        var headers = request.headers
        if let name = headers.first(where: { Self.own.contains($0.name.lowercased()) })?.name {
            throw PluginError(.invalid, "the header '\(name)' belongs to the handshake; leave it out", source: .user)
        }
        if !headers.contains(name: "Host") {
            let name = host.contains(":") ? "[\(host)]" : host
            let isUsual = port == (usesTLS ? 443 : 80)
            headers.add(name: "Host", value: isUsual ? name : "\(name):\(port)")
        }
        if !protocols.isEmpty { headers.replaceOrAdd(name: "Sec-WebSocket-Protocol", value: protocols) }
        head = HTTPRequestHead(version: .http1_1, method: .GET, uri: outgoing.target, headers: headers)
    }
}

extension WebSocketCall {
    /// Connects and asks for the upgrade; what comes of it is told by events.
    func start(
        _ handshake: WebSocketHandshake, on eventLoop: any EventLoop, within nanoseconds: Int64, dialTimeout: Duration
    ) {
        let late = eventLoop.scheduleTask(in: .nanoseconds(nanoseconds)) {
            guard !self.isAnswered else { return }
            self.fail(PluginError(.timeout, "\(handshake.origin) did not answer in time"))
            self.close(code: 0, reason: "")
        }
        let dial = TimeAmount.nanoseconds(min(dialTimeout.nanoseconds, nanoseconds))
        // Certificates are read from files, which may block.
        let prepared = NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            try handshake.tls.map { try NIOSSLContext(configuration: $0) }
        }
        prepared.flatMap { context in
            ClientBootstrap(group: eventLoop).connectTimeout(dial)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try self.addHandlers(to: channel, handshake, context)
                    }
                }
                .connect(host: handshake.host, port: handshake.port)
        }.whenComplete { result in
            switch result {
            case .success(let channel):
                channel.closeFuture.whenComplete { _ in late.cancel() }
            case .failure(let error):
                late.cancel()
                self.fail(HTTPCall.failure(error, origin: handshake.origin))
            }
        }
    }

    private func addHandlers(
        to channel: any Channel, _ handshake: WebSocketHandshake, _ context: NIOSSLContext?
    ) throws {
        guard adopt(channel) else { throw ChannelError.eof }
        let pipeline = channel.pipeline.syncOperations
        if let context {
            let isAddress = (try? SocketAddress(ipAddress: handshake.host, port: 0)) != nil
            try pipeline.addHandler(
                NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : handshake.host))
        }
        try pipeline.addHandler(LateEnd())
        let asking = HandshakeHandler(socket: self, handshake: handshake)
        let upgrader = NIOWebSocketClientUpgrader(maxFrameSize: maxMessage) { channel, head in
            self.answered(head)
            return channel.pipeline.removeHandler(asking).flatMapThrowing {
                try channel.pipeline.syncOperations.addHandler(
                    WebSocketFrameHandler(socket: self, origin: handshake.origin))
            }
        }
        try pipeline.addHTTPClientHandlers(
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
        try pipeline.addHandler(asking)
    }
}

/// Asks for the upgrade, and takes the answer of a server that refuses it.
private final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let socket: WebSocketCall
    private let handshake: WebSocketHandshake

    init(socket: WebSocketCall, handshake: WebSocketHandshake) {
        self.socket = socket
        self.handshake = handshake
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(handshake.head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): socket.answered(head)
        case .body(let part): socket.refused(with: part)
        case .end:
            socket.endOfRefusal()
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // A refusal whose body is cut off is a refusal all the same.
        if socket.isAnswered { socket.endOfRefusal() }
        socket.fail(PluginError(.io, "\(handshake.origin) closed the connection before it answered"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        socket.fail(failure(error))
        context.close(promise: nil)
    }

    private func failure(_ error: any Error) -> PluginError {
        if error is NIOHTTPClientUpgradeError || error is HTTPParserError {
            return PluginError(
                .badData,
                "\(handshake.origin) did not answer the handshake as a WebSocket server does (\(error)); "
                    + "check the URL, and that no proxy is in between", source: .downstream)
        }
        return HTTPCall.failure(error, origin: handshake.origin)
    }
}

/// Tells the end of a connection only when what came before it has been dealt with.
///
/// The decoder of HTTP leaves a pipeline that is upgraded in its own time, and hands on what came behind the answer to the
/// handshake as it goes. An end that overtakes it would make it drop all of that.
private final class LateEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelInactive(context: ChannelHandlerContext) {
        let bound = context.loopBound
        context.eventLoop.execute { bound.value.fireChannelInactive() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let bound = context.loopBound
        context.eventLoop.execute { bound.value.fireErrorCaught(error) }
    }
}
