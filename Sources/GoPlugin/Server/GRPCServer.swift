// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
package import NIOCore
internal import NIOHTTP2
internal import NIOPosix
internal import Synchronization

/// The gRPC server of a plugin.
package final class GRPCServer: Sendable {
    /// Where a server listens.
    package enum Place: Sendable, Equatable {
        /// On a socket of a new name in this folder.
        case folder(String)
        /// On the first free one of these ports of 127.0.0.1.
        case ports(ClosedRange<Int>)
    }

    /// The most bytes of a question; as the plugins of Grafana's SDK have it.
    package static let largestQuestion = 16 << 20

    /// Where hosts connect to.
    package let address: HandshakeLine.Address
    private let channel: any Channel
    private let connections: Connections

    private init(_ channel: any Channel, address: HandshakeLine.Address, connections: Connections) {
        self.channel = channel
        self.address = address
        self.connections = connections
    }

    /// Begins to listen.
    ///
    /// - Throws: ``ListenError``.
    package static func start(
        at place: Place, tls: ServerTLS? = nil, methods: GRPCMethods, on group: any EventLoopGroup
    ) async throws -> GRPCServer {
        let connections = Connections()
        let bootstrap = ServerBootstrap(group: group).serverChannelOption(.backlog, value: 64)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = GRPCServerHandler(methods, limit: largestQuestion)
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(tls.handler()) }
                    try pipeline.addHandler(
                        NIOHTTP2Handler(
                            mode: .server, connectionConfiguration: connectionSettings,
                            streamConfiguration: streamSettings))
                    try pipeline.addHandler(handler)
                    connections.add(channel, NIOLoopBound(handler, eventLoop: channel.eventLoop))
                }
            }
        switch place {
        case .folder(let folder):
            let path = "\(folder)/plugin\(UInt32.random(in: .min ... .max))"
            guard path.utf8.count < 108 else {
                throw ListenError("the folder of its socket has too long a name: '\(folder)'", EINVAL)
            }
            do {
                let channel = try await bootstrap.bind(unixDomainSocketPath: path).get()
                // Whatever the umask: nobody else asks instances that hold secrets.
                chmod(path, 0o600)
                return GRPCServer(channel, address: .unix(path: path), connections: connections)
            } catch {
                throw ListenError("no socket can be made in '\(folder)'", (error as? IOError)?.errnoCode ?? EIO)
            }
        case .ports(let ports):
            for port in ports {
                guard let channel = try? await bootstrap.bind(host: "127.0.0.1", port: port).get() else { continue }
                return GRPCServer(channel, address: .tcp(host: "127.0.0.1", port: port), connections: connections)
            }
            throw ListenError(
                "none of the ports \(ports.lowerBound) to \(ports.upperBound) of 127.0.0.1 is free", EADDRINUSE)
        }
    }

    private static var connectionSettings: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: GRPCServerHandler.mostCalls),
            HTTP2Setting(parameter: .initialWindowSize, value: GRPCServerHandler.streamWindow),
            HTTP2Setting(parameter: .maxFrameSize, value: 1 << 18),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 1 << 20),
        ]
        configuration.maximumSequentialEmptyDataFrames = 1_000
        // Go measures its bandwidth with a PING a call.
        configuration.controlFrameRateLimit.maximumCount = FrameRate.frames
        configuration.controlFrameRateLimit.windowLength = FrameRate.window
        return configuration
    }

    private static var streamSettings: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        // A host resets each call that its user cancels: a dashboard that is closed cancels all of its queries.
        configuration.streamResetFrameRateLimit.maximumCount = FrameRate.frames
        configuration.streamResetFrameRateLimit.windowLength = FrameRate.window
        return configuration
    }

    /// Ends the server with all connections; a socket is removed first.
    package func stop() async {
        if case .unix(let path) = address { linux_remove_socket(path) }
        try? await channel.close().get()
        await connections.close()
    }

    /// Removes the socket, when nothing else is left to do.
    package func removeSocket() {
        if case .unix(let path) = address { linux_remove_socket(path) }
    }
}

/// Why a server does not listen.
package struct ListenError: Error, Sendable, CustomStringConvertible {
    private let fact: String
    private let number: Int32

    fileprivate init(_ fact: String, _ number: Int32) {
        self.fact = fact
        self.number = number
    }

    /// The fact and the system's words.
    package var description: String { "\(fact): \(String(cString: strerror(number)))" }
}

/// The open connections of a server.
private final class Connections: Sendable {
    private struct State {
        var open: [ObjectIdentifier: (channel: any Channel, handler: NIOLoopBound<GRPCServerHandler>)] = [:]
    }

    private let state = Mutex(State())

    func add(_ channel: any Channel, _ handler: NIOLoopBound<GRPCServerHandler>) {
        let id = ObjectIdentifier(channel)
        state.withLock { $0.open[id] = (channel, handler) }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { $0.open[id] = nil }
        }
    }

    func close() async {
        for (channel, handler) in state.withLock({ $0.open.values.map { $0 } }) {
            channel.eventLoop.execute { handler.value.close() }
            try? await channel.closeFuture.get()
        }
    }
}
