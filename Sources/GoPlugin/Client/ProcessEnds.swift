// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import Processes
internal import Synchronization

/// Lets tasks wait for what a process tells: its handshake and its end.
final class ProcessEnds: Sendable {
    private struct State {
        var handshake: Result<HandshakeLine, HandshakeError>?
        var end: ChildProcess.End?
        var onHandshake: (@Sendable (Result<HandshakeLine, HandshakeError>?) -> Void)?
        var onEnd: [@Sendable (ChildProcess.End) -> Void] = []
    }

    private let state = Mutex(State())

    /// How the process ended, once it has.
    var status: ExitStatus? { state.withLock { $0.end?.status } }

    func told(_ handshake: Result<HandshakeLine, HandshakeError>) {
        let waiting = state.withLock { state in
            state.handshake = state.handshake ?? handshake
            defer { state.onHandshake = nil }
            return state.onHandshake
        }
        waiting?(handshake)
    }

    func ended(_ end: ChildProcess.End) {
        let waiting = state.withLock { state in
            state.end = end
            defer { state.onEnd = [] }
            return state.onEnd
        }
        for body in waiting { body(end) }
    }

    /// Waits for the first line of standard output.
    ///
    /// - Throws: ``HandshakeError``, or ``GRPCStatus`` `.deadlineExceeded`.
    func handshake(within time: Duration, on group: any EventLoopGroup) async throws -> HandshakeLine {
        let timer = group.next().scheduleTask(in: .nanoseconds(time.inNanoseconds)) { [self] in
            let waiting = state.withLock { state in
                defer { state.onHandshake = nil }
                return state.onHandshake
            }
            waiting?(nil)
        }
        defer { timer.cancel() }
        let result = await withCheckedContinuation { continuation in
            let known = state.withLock { state in
                if state.handshake == nil { state.onHandshake = { continuation.resume(returning: $0) } }
                return state.handshake
            }
            if let known { continuation.resume(returning: known) }
        }
        guard let result else {
            throw GRPCStatus.local(
                .deadlineExceeded,
                "it did not say within \(time) where it listens; a plugin prints its handshake at once")
        }
        return try result.get()
    }

    func whenEnded(_ body: @escaping @Sendable (ChildProcess.End) -> Void) {
        let known = state.withLock { state in
            if state.end == nil { state.onEnd.append(body) }
            return state.end
        }
        if let known { body(known) }
    }

    /// Waits for the end.
    func end() async -> ChildProcess.End {
        await withCheckedContinuation { continuation in whenEnded { continuation.resume(returning: $0) } }
    }

    /// Waits for the end, but not longer.
    ///
    /// - Returns: whether it came.
    func end(within time: Duration, on group: any EventLoopGroup) async -> Bool {
        await withCheckedContinuation { continuation in
            let once = Once(continuation)
            whenEnded { _ in once.resume(true) }
            group.next().scheduleTask(in: .nanoseconds(time.inNanoseconds)) { once.resume(false) }
        }
    }
}

/// Resumes a continuation with the first of several results.
final class Once<Value: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<Value, Never>?>

    init(_ continuation: CheckedContinuation<Value, Never>) { self.continuation = Mutex(continuation) }

    func resume(_ value: Value) {
        let waiting = continuation.withLock { slot in
            defer { slot = nil }
            return slot
        }
        waiting?.resume(returning: value)
    }
}
