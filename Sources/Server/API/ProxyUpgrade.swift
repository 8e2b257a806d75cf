// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import PluginABI
import ServiceLifecycle

/// A WebSocket through the data source proxy, such as a live tail of logs: the handshake of the server behind is passed
/// on, and then all bytes in both directions.
///
/// The request is one like any other until then: it was authenticated, and its path and host are allowed.
struct ProxyUpgrade: Sendable {
    let target: ProxyTarget
    /// What goes to the server behind, with the data source's credentials.
    let headers: ProxyHeaders
    /// nil for plain HTTP.
    let tls: TLSConfiguration?
    let dialTimeout: Duration
    /// For the answer to the handshake.
    let timeout: Duration

    /// What the server behind says to the handshake.
    private struct Reply: Sendable {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: ByteBuffer
    }

    /// Whether a client asks for a WebSocket.
    static func isWanted(_ request: Request) -> Bool {
        guard request.method == .get, let upgrade = HTTPField.Name("Upgrade") else { return false }
        return request.headers[upgrade]?.lowercased() == "websocket"
            && request.headers[.connection]?.lowercased().contains("upgrade") == true
    }

    /// Carries the connection until one side ends it, or the server shuts down.
    ///
    /// - Returns: The answer of the server behind when it refuses; nobody gets it after a WebSocket.
    /// - Throws: ``APIError`` 502 and 504 when there is none.
    func run(over client: any Channel) async throws -> Response {
        let loop = client.eventLoop
        let answered = loop.makePromise(of: Reply.self)
        let upstream: any Channel
        do {
            upstream = try await connect(on: loop, answered)
        } catch {
            answered.fail(error)
            throw APIError(.badGateway, "Bad Gateway")
        }
        defer { upstream.close(promise: nil) }
        let reply: Reply
        do {
            try await upstream.writeAndFlush(ByteBuffer(string: handshake))
            reply = try await answered.futureResult.get()
        } catch let error as APIError {
            throw error
        } catch {
            throw APIError(.badGateway, "Bad Gateway")
        }
        guard reply.status == 101 else { return Self.refusal(reply) }
        try await loop.submit { try Self.join(client, upstream, reply) }.get()
        try await cancelWhenGracefulShutdown {
            try await withTaskCancellationHandler {
                try await client.closeFuture.get()
            } onCancel: {
                client.close(promise: nil)
            }
        }
        return Response(status: .switchingProtocols)
    }

    // MARK: The server behind

    private func connect(on loop: any EventLoop, _ answered: EventLoopPromise<Reply>) async throws -> any Channel {
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        let (host, timeout) = (target.host, self.timeout)
        return try await ClientBootstrap(group: loop)
            .connectTimeout(.nanoseconds(dialTimeout.nanosecondsClamped))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        ByteSplice { early in
                            guard let reply = Self.reply(in: &early) else { return false }
                            answered.succeed(reply)
                            return true
                        })
                    let late = loop.scheduleTask(in: .nanoseconds(timeout.nanosecondsClamped)) {
                        answered.fail(APIError(.gatewayTimeout, "Gateway Timeout"))
                    }
                    answered.futureResult.whenComplete { _ in late.cancel() }
                    channel.closeFuture.whenComplete { _ in answered.fail(ChannelError.eof) }
                }
            }
            .connect(host: target.host, port: target.port).get()
    }

    private var handshake: String {
        var text = "GET \(target.requestTarget) HTTP/1.1\r\nHost: \(target.authority)\r\n"
        text += "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        for (name, value) in headers where name.lowercased() != "host" { text += "\(name): \(value)\r\n" }
        return text + "\r\n"
    }

    /// Takes the head of an answer off the bytes so far; nil: it is not complete.
    ///
    /// What is no HTTP is an answer of the status 502.
    private static func reply(in bytes: inout ByteBuffer) -> Reply? {
        let view = bytes.readableBytesView
        guard let end = view.firstRange(of: Array("\r\n\r\n".utf8)) else {
            return view.count < 5 || view.starts(with: "HTTP/".utf8)
                ? nil : Reply(status: 502, headers: [], body: ByteBuffer())
        }
        let lines = String(decoding: view[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        let status = words.count > 1 && words[0].hasPrefix("HTTP/1.") ? Int(words[1]) ?? 502 : 502
        let headers = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (String(line[..<colon]).lowercased(), String(value))
        }
        bytes.moveReaderIndex(forwardBy: view.distance(from: view.startIndex, to: end.upperBound))
        // A refusal's text may come with its head; the rest of a longer one is not waited for.
        let body = status == 101 ? ByteBuffer() : bytes
        return Reply(status: status, headers: headers, body: body)
    }

    private static func refusal(_ reply: Reply) -> Response {
        guard reply.status != 401 else {
            return .message("Authentication to data source failed", status: .badRequest)
        }
        guard (300..<600).contains(reply.status) else { return .message("Bad Gateway", status: .badGateway) }
        let type = reply.headers.first { $0.name == "content-type" }?.value ?? "text/plain"
        var headers: HTTPFields = [.contentSecurityPolicy: "sandbox"]
        if HTTPField.isValidValue(type) { headers[.contentType] = type }
        return Response(
            status: HTTPStatus(code: reply.status), headers: headers, body: ResponseBody(byteBuffer: reply.body))
    }

    // MARK: The client

    /// Puts a splice in front of all that reads and writes HTTP on the client's connection, and answers through it.
    private static func join(_ client: any Channel, _ upstream: any Channel, _ reply: Reply) throws {
        let pipeline = client.pipeline.syncOperations
        let encoder = try pipeline.handler(type: HTTPResponseEncoder.self)
        let near = ByteSplice()
        try pipeline.addHandler(near, position: .before(encoder))
        var head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        for (name, value) in reply.headers where name.hasPrefix("sec-websocket-") { head += "\(name): \(value)\r\n" }
        near.write(ByteBuffer(string: head + "\r\n"))
        near.join(try upstream.pipeline.syncOperations.handler(type: ByteSplice.self))
    }
}
