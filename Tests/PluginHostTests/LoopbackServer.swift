// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1
import NIOPosix

/// An HTTP server that answers with three million bytes and the X-Probe header it was sent; `/redirect?to=URL` redirects.
final class LoopbackServer: Sendable {
    private let channel: any Channel
    let url: String

    private init(channel: any Channel) {
        self.channel = channel
        url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    static func start() async throws -> LoopbackServer {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(Responder())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return LoopbackServer(channel: channel)
    }

    func stop() { channel.close(promise: nil) }

    private final class Responder: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private var probe = ""
        private var target: String?

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                probe = head.headers.first(name: "X-Probe") ?? ""
                target = head.uri.hasPrefix("/redirect?to=") ? String(head.uri.dropFirst(13)) : nil
            case .body: break
            case .end:
                if let target {
                    let headers: HTTPHeaders = ["Location": target, "Content-Length": "0"]
                    context.write(
                        wrapOutboundOut(.head(.init(version: .http1_1, status: .found, headers: headers))), promise: nil
                    )
                    return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                }
                let headers: HTTPHeaders = ["Content-Length": "3000000", "X-Probe": probe]
                context.write(
                    wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: headers))), promise: nil)
                for _ in 0..<3 {
                    let part = ByteBuffer(repeating: 65, count: 1_000_000)
                    context.write(wrapOutboundOut(.body(.byteBuffer(part))), promise: nil)
                }
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
