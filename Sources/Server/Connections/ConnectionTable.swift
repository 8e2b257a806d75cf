// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// The open connections, and who wants to know when their clients leave.
final class ConnectionTable: Sendable {
    private struct Connection {
        var isLeft = false
        var nextNumber = 0
        var watchers: [Int: @Sendable () -> Void] = [:]
    }

    private let connections = Mutex<[ObjectIdentifier: Connection]>([:])

    /// The number of open connections.
    var count: Int { connections.withLock(\.count) }

    func open(_ channel: any Channel) {
        connections.withLock { $0[ObjectIdentifier(channel)] = Connection() }
    }

    func close(_ channel: any Channel) {
        clientLeft(channel)
        _ = connections.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    func clientLeft(_ channel: any Channel) {
        let watchers = connections.withLock { connections in
            connections[ObjectIdentifier(channel)]?.isLeft = true
            let watchers = connections[ObjectIdentifier(channel)]?.watchers ?? [:]
            connections[ObjectIdentifier(channel)]?.watchers = [:]
            return watchers
        }
        for watcher in watchers.values { watcher() }
    }

    /// Runs the work and cancels it when the client closes the connection.
    ///
    /// - Throws: What the work throws, or `CancellationError` when the client left before it ended.
    func whileConnected<Value: Sendable>(
        _ channel: any Channel, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let (left, signal) = AsyncStream<Never>.makeStream()
        guard let number = watch(channel, { signal.finish() }) else { throw CancellationError() }
        defer { forget(channel, number) }
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                for await _ in left {}
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else { throw CancellationError() }
            return value
        }
    }

    /// - Returns: nil when the client has left: its channel may be gone from the table by then.
    private func watch(_ channel: any Channel, _ watcher: @escaping @Sendable () -> Void) -> Int? {
        connections.withLock { connections in
            guard var connection = connections[ObjectIdentifier(channel)], !connection.isLeft else { return nil }
            connection.nextNumber += 1
            connection.watchers[connection.nextNumber] = watcher
            connections[ObjectIdentifier(channel)] = connection
            return connection.nextNumber
        }
    }

    private func forget(_ channel: any Channel, _ number: Int) {
        connections.withLock { _ = $0[ObjectIdentifier(channel)]?.watchers.removeValue(forKey: number) }
    }
}
