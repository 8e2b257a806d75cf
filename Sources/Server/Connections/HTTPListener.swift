// SPDX-License-Identifier: Apache-2.0
import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Accepts connections at a socket that is there already, which hummingbird's own server cannot.
///
/// A graceful shutdown closes the socket, lets running requests finish and tells idle connections to go.
struct HTTPListener: Sendable {
    let socket: ListeningSocket
    let maxConnections: Int
    let logger: Logger
    let onRunning: @Sendable (any Channel) async -> Void

    /// Serves until the service group shuts down.
    ///
    /// - Throws: What NIO says of a socket that it cannot use.
    func run(_ child: some ServerChildChannel) async throws {
        let connections = QuiescingConnections()
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AvailableConnectionsChannelHandler(maxConnections: maxConnections))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
        let server = try await bootstrap.bind(socket.descriptor) { channel in
            connections.add(channel)
            return child.setup(channel: channel, logger: logger)
        }
        // NIO listens with a backlog of its own.
        _ = listen(socket.descriptor, ListeningSocket.backlog)
        await withGracefulShutdownHandler {
            await onRunning(server.channel)
            await withDiscardingTaskGroup { group in
                do {
                    try await server.executeThenClose { accepted in
                        for try await value in accepted {
                            group.addTask { await child.handle(value: value, logger: logger) }
                        }
                    }
                } catch {
                    logger.error("Connections are no longer accepted", metadata: ["error": "\(error)"])
                }
            }
        } onGracefulShutdown: {
            socket.retire()
            server.channel.close(promise: nil)
            connections.quiesce()
        }
    }
}

/// The open connections, to be told when the server goes.
private final class QuiescingConnections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isQuiescing = false
    }

    private let state = Mutex(State())

    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isLate = state.withLock { state in
            state.channels[id] = channel
            return state.isQuiescing
        }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.state.withLock { _ = $0.channels.removeValue(forKey: id) }
        }
        // After the handlers, which are added on the event loop right after this.
        if isLate { channel.eventLoop.execute { Self.tell(channel) } }
    }

    func quiesce() {
        let channels = state.withLock { state in
            state.isQuiescing = true
            return Array(state.channels.values)
        }
        for channel in channels { Self.tell(channel) }
    }

    private static func tell(_ channel: any Channel) {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
}

/// The `Date` of answers (RFC 9110, section 6.6.1), made once a second.
final class HTTPDate: Sendable {
    private let last = Mutex((second: 0, text: ""))

    var now: String {
        let second = time(nil)
        return last.withLock { last in
            if last.second != second { last = (second, Self.text(second)) }
            return last.text
        }
    }

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func text(_ second: Int) -> String {
        var second = second
        var parts = tm()
        gmtime_r(&second, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return
            "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(parts.tm_year + 1900) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}
