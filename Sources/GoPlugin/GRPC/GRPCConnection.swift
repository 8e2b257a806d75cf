// SPDX-License-Identifier: Apache-2.0
package import NIOCore
internal import NIOHTTP2
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// One HTTP/2 connection to a plugin; calls come from any thread and are multiplexed.
package final class GRPCConnection: Sendable {
    enum Command {
        case begin(GRPCCall)
        case cancel(GRPCCall)
        case resume(GRPCCall)
        case close(because: String)
    }

    private let inbox: CommandInbox<Command>
    /// Ends when the connection has.
    private let closed: EventLoopFuture<Void>
    private let ended: EndFlag

    private init(
        eventLoop: any EventLoop, handler: NIOLoopBound<GRPCConnectionHandler>, closed: EventLoopFuture<Void>,
        ended: EndFlag
    ) {
        self.ended = ended
        self.closed = closed
        inbox = CommandInbox(on: eventLoop) { handler.value.perform($0) }
    }

    /// Connects and sends the preface; the plugin's settings are not waited for.
    ///
    /// - Parameters:
    ///   - tls: nil for plain HTTP/2.
    ///   - firstStream: the number of the first call's stream, odd.
    ///   - heartbeat: nil: a silent plugin is waited for.
    /// - Throws: ``GRPCStatus`` `.unavailable`.
    package static func connect(
        to address: HandshakeLine.Address, tls: PluginTLS? = nil, firstStream: Int = 1, heartbeat: Heartbeat? = nil,
        on group: any EventLoopGroup
    ) async throws(GRPCStatus) -> GRPCConnection {
        do {
            let eventLoop = group.next()
            let ended = EndFlag()
            // Made here and not looked up: the connection may have failed before it is looked at.
            let handler = try await eventLoop.submit {
                NIOLoopBound(
                    GRPCConnectionHandler(ended, firstID: firstStream, heartbeat: heartbeat), eventLoop: eventLoop)
            }.get()
            let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(.seconds(10))
                .channelOption(.maxMessagesPerRead, value: 4)
                .channelOption(
                    .recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(minimum: 4_096, initial: 16_384, maximum: 262_144)
                )
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try configure(channel, tls: tls, handler.value) }
                }
            let channel =
                switch address {
                case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path).get()
                case .tcp(let host, let port): try await bootstrap.connect(host: host, port: port).get()
                }
            return GRPCConnection(
                eventLoop: eventLoop, handler: handler, closed: channel.closeFuture, ended: ended)
        } catch {
            throw .local(.unavailable, "the plugin's address \(address) cannot be connected to: \(error)")
        }
    }

    private static func configure(
        _ channel: any Channel, tls: PluginTLS?, _ handler: GRPCConnectionHandler
    ) throws {
        if let tls { try channel.pipeline.syncOperations.addHandler(tls.handler()) }
        try channel.pipeline.syncOperations.addHandler(
            NIOHTTP2Handler(mode: .client, connectionConfiguration: http2(), streamConfiguration: streams()))
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    private static func http2() -> NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .enablePush, value: 0),
            HTTP2Setting(parameter: .initialWindowSize, value: GRPCConnectionHandler.streamWindow),
            HTTP2Setting(parameter: .maxFrameSize, value: 1 << 20),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 1 << 20),
        ]
        configuration.headerBlockValidation = .disabled
        configuration.contentLengthValidation = .disabled
        configuration.maximumSequentialEmptyDataFrames = 1_000
        // Go's server measures its bandwidth with a PING a call.
        configuration.controlFrameRateLimit.maximumCount = FrameRate.frames
        configuration.controlFrameRateLimit.windowLength = FrameRate.window
        return configuration
    }

    private static func streams() -> NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        // Each belongs to a call of ours.
        configuration.streamResetFrameRateLimit.maximumCount = FrameRate.frames
        configuration.streamResetFrameRateLimit.windowLength = FrameRate.window
        return configuration
    }

    /// Begins a call; its reader gets everything else.
    @discardableResult
    package func begin(_ request: GRPCRequest, reader: any MessageReader) -> GRPCCall {
        let call = GRPCCall(request, reader: reader, connection: self)
        submit(.begin(call))
        return call
    }

    /// Whether calls are taken no more.
    package var hasEnded: Bool { ended.isSet.load(ordering: .acquiring) }

    /// Whether it ended because the plugin's process did nothing any more.
    var endedInSilence: Bool { ended.isSilent.load(ordering: .acquiring) }

    /// Ends the connection and all its calls, which learn why.
    package func close(because reason: String = "the connection to the plugin was closed") {
        submit(.close(because: reason))
    }

    /// Waits until all commands so far were performed; the other side may take longer to end a connection.
    func waitUntilPerformed() async { try? await closed.eventLoop.submit {}.get() }

    /// Waits until the connection has ended, by either side.
    package func waitUntilClosed() async { try? await closed.get() }

    /// Calls `body` when the connection has ended.
    package func whenClosed(_ body: @escaping @Sendable () -> Void) { closed.whenComplete { _ in body() } }

    /// Hands a command to the event loop.
    func submit(_ command: Command) { inbox.submit(command) }
}

/// More small frames than calls can need: whoever sends more only wants to keep the other side busy.
enum FrameRate {
    static let window = TimeAmount.milliseconds(100)
    /// In each window; the memory for their times, 8 bytes each, is taken with the connection.
    static let frames = 20_000
}

/// Set by the event loop, read by anybody.
final class EndFlag: Sendable {
    let isSet = Atomic<Bool>(false)
    /// Set before `isSet` when the plugin did not answer a PING.
    let isSilent = Atomic<Bool>(false)
}
