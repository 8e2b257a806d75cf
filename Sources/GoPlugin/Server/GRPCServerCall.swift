// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHTTP2
internal import Synchronization

/// A call of a host, which this side answers.
package final class GRPCServerCall: Sendable {
    /// Such as `/pluginv2.Data/QueryData`.
    package let path: String
    /// What the host sent along; names in lower case.
    package let metadata: [(name: String, value: String)]
    /// When the host stops waiting; nil: never.
    package let deadline: ContinuousClock.Instant?

    private struct State {
        /// Bytes that were handed to the connection and are not written.
        var unsent = 0
        var isOver = false
        /// Waits for room.
        var waiter: CheckedContinuation<Void, Never>?
        var atEnd: [@Sendable () -> Void] = []
    }

    let id: HTTP2StreamID
    private let inbox: CommandInbox<GRPCServerHandler.Command>
    private let state = Mutex(State())

    /// More than this and the next message waits.
    private static let room = 1 << 20

    init(
        _ id: HTTP2StreamID, path: String, metadata: [(name: String, value: String)],
        deadline: ContinuousClock.Instant?, inbox: CommandInbox<GRPCServerHandler.Command>
    ) {
        self.id = id
        self.path = path
        self.metadata = metadata
        self.deadline = deadline
        self.inbox = inbox
    }

    /// The first value of a name in ``metadata``.
    package func metadata(_ name: String) -> String? { metadata.first { $0.name == name }?.value }

    /// Sends a message; waits first while the host has not taken what was sent before.
    ///
    /// One message at a time.
    ///
    /// - Throws: ``GRPCStatus`` `.cancelled` when nobody waits for the answer any more.
    package func send(_ message: [UInt8]) async throws(GRPCStatus) {
        guard message.count <= GRPCRequest.largestMessage else {
            throw GRPCStatus(
                .resourceExhausted,
                "the answer has \(message.count) bytes; a message has at most \(GRPCRequest.largestMessage)")
        }
        await waitForRoom()
        var buffer = ByteBuffer()
        buffer.reserveCapacity(message.count + 5)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(message.count))
        buffer.writeBytes(message)
        let size = buffer.readableBytes
        let isOver = state.withLock { state in
            state.unsent += size
            return state.isOver
        }
        guard !isOver else { throw GRPCStatus(.cancelled, "the host does not wait for an answer any more") }
        inbox.submit(.message(self, buffer))
    }

    /// Waits until nobody waits for an answer any more.
    package func waitUntilOver() async {
        await withCheckedContinuation { continuation in whenOver { continuation.resume() } }
    }

    /// Calls `body` once the call is over and its answer written, or at once when it is.
    package func whenOver(_ body: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            if !state.isOver { state.atEnd.append(body) }
            return state.isOver
        }
        if isOver { body() }
    }

    private func waitForRoom() async {
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                guard !state.isOver, state.unsent > Self.room else { return true }
                state.waiter = continuation
                return false
            }
            if goesOn { continuation.resume() }
        }
    }

    // MARK: The connection

    /// Nothing more is sent; nil: all went well.
    func answered(_ status: GRPCStatus?) { inbox.submit(.end(self, status)) }

    /// Bytes were written, or given up.
    func wrote(_ count: Int) {
        let waiter = state.withLock { state in
            state.unsent -= count
            guard state.unsent <= Self.room else { return nil as CheckedContinuation<Void, Never>? }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// The call has ended, by either side.
    func ended() {
        let (waiter, bodies) = state.withLock { state in
            state.isOver = true
            defer {
                state.waiter = nil
                state.atEnd = []
            }
            return (state.waiter, state.atEnd)
        }
        waiter?.resume()
        for body in bodies { body() }
    }
}
