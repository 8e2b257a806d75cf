// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization

/// What a listener of a channel gets.
enum LiveMessage: Sendable, Equatable {
    /// A frame as JSON, or what the plugin sent in its own format.
    case data([UInt8])
    /// Nothing new; it keeps proxies from closing the connection.
    case keepAlive
    /// The channel is over; nil: it ended well.
    case ended(String?)
}

/// Names a channel: one `RunStream` serves all its listeners.
struct LiveChannelKey: Sendable, Hashable {
    var orgID: Int64
    var uid: String
    var path: String
    /// What the listeners sent along; other data is another channel.
    var data: [UInt8] = []
}

/// The listeners of one channel, and what a new one has to know.
final class LiveChannel: Sendable {
    private struct State {
        var listeners: [Int: AsyncStream<LiveMessage>.Continuation] = [:]
        var nextNumber = 0
        /// The schema of the frames, for listeners that come later.
        var schema: [UInt8]?
        var isOver = false
    }

    /// Messages that wait for one listener; who falls behind further is sent away rather than losing rows unnoticed.
    private static let capacity = 256

    let key: LiveChannelKey
    private let state = Mutex(State())

    init(key: LiveChannelKey) {
        self.key = key
    }

    var listenerCount: Int { state.withLock(\.listeners.count) }

    /// Joins the channel; nil when it is over.
    func join() -> (number: Int, messages: AsyncStream<LiveMessage>)? {
        state.withLock { state in
            guard !state.isOver else { return nil }
            let (messages, continuation) = AsyncStream.makeStream(
                of: LiveMessage.self, bufferingPolicy: .bufferingOldest(Self.capacity))
            state.nextNumber += 1
            state.listeners[state.nextNumber] = continuation
            if let schema = state.schema { continuation.yield(.data(schema)) }
            return (state.nextNumber, messages)
        }
    }

    func leave(_ number: Int) {
        state.withLock { $0.listeners.removeValue(forKey: number) }?.finish()
    }

    /// Sends to all listeners.
    ///
    /// - Parameter schema: What listeners that join later get first; nil leaves it as it is.
    func send(_ message: LiveMessage, schema: [UInt8]? = nil) {
        let slow = state.withLock { state in
            if let schema { state.schema = schema }
            return state.listeners.filter { _, listener in
                if case .enqueued = listener.yield(message) { return false }
                return true
            }
        }
        for (number, _) in slow { leave(number) }
    }

    /// Sends the last message; nobody can join any more.
    func end(_ reason: String?) {
        let listeners = state.withLock { state in
            state.isOver = true
            defer { state.listeners = [:] }
            return state.listeners.values.map { $0 }
        }
        for listener in listeners {
            listener.yield(.ended(reason))
            listener.finish()
        }
    }
}
