// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import Synchronization

/// A connection on a thread of its own, where it may block without keeping anybody else waiting.
final class SQLSession: Sendable {
    private typealias Job = @Sendable (any SQLConnection) -> Void

    private struct State {
        var jobs: [Job] = []
        var isClosed = false
        /// Nothing more is begun: what is cancelled must not start after the server was told.
        var isCancelled = false
        var interrupter: (any SQLInterrupter)?
        /// Jobs that were given and have not ended.
        var running = 0
    }

    /// When it was opened, on the clock that never goes back, in nanoseconds.
    let openedAt: UInt64
    private let state = Mutex(State())
    // Safety: a semaphore is made for use from many threads; the thread holds `self` until it has ended.
    private nonisolated(unsafe) let available: UnsafeMutablePointer<sem_t>

    /// How long a server has to end a statement that was cancelled, before its line is cut.
    static let cancelGraceMilliseconds = 700
    /// When the server is asked again.
    private static let secondCancelMilliseconds = 250

    private init() {
        openedAt = Self.now
        available = .allocate(capacity: 1)
        sem_init(available, 0, 0)
    }

    deinit {
        sem_destroy(available)
        available.deallocate()
    }

    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Starts a thread that connects.
    ///
    /// A cancelled task does not wait for a server that does not answer: the thread closes what it opened in vain.
    static func open(_ connect: @escaping @Sendable () throws -> SQLOpened) async throws -> SQLSession {
        let session = SQLSession()
        let opened = OneAnswer<Void>()
        try DetachedThread.start {
            do {
                let made = try connect()
                session.state.withLock { $0.interrupter = made.interrupter }
                if opened.give(.success(())) { session.work(on: made.connection) }
                made.connection.close()
            } catch {
                _ = opened.give(.failure(error))
            }
        }
        try await opened.wait()
        return session
    }

    private func work(on connection: any SQLConnection) {
        while true {
            while sem_wait(available) != 0 {}
            let job = state.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }
            guard let job else { return }
            job(connection)
        }
    }

    /// Runs the body on the session's thread, where it may block.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let isAccepted = state.withLock { state in
                guard !state.isClosed, !state.isCancelled else { return false }
                state.running += 1
                state.jobs.append { connection in
                    let result = Result { try body(connection) }
                    self.state.withLock { $0.running -= 1 }
                    continuation.resume(with: result)
                }
                return true
            }
            guard isAccepted else {
                return continuation.resume(throwing: PluginError(.cancelled, "the query was cancelled"))
            }
            sem_post(available)
        }
    }

    /// Lets the thread close the connection and end, once it has nothing more to do.
    func close() {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        if isFirst { sem_post(available) }
    }

    /// Waits for the end of what runs.
    private func isIdle(within milliseconds: Int) -> Bool {
        for _ in 0..<(milliseconds / 10) {
            if state.withLock({ $0.running == 0 }) { return true }
            usleep(10_000)
        }
        return state.withLock { $0.running == 0 }
    }

    /// Cancels what runs on the server, and cuts the line when that does not help soon.
    ///
    /// Returns at once.
    func cancel() {
        let interrupter = state.withLock { state in
            state.isCancelled = true
            return state.interrupter
        }
        guard let interrupter else { return }
        do {
            try DetachedThread.start {
                interrupter.cancel()
                // The first may have come before the statement did.
                if !self.isIdle(within: Self.secondCancelMilliseconds) { interrupter.cancel() }
            }
            try DetachedThread.start {
                if !self.isIdle(within: Self.cancelGraceMilliseconds) { interrupter.abort() }
            }
        } catch {
            // Without threads the line is cut right away: that never blocks.
            interrupter.abort()
        }
    }
}

/// A thread for one piece of work.
enum DetachedThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Throws: ``PluginError`` when the system has no thread left.
    static func start(_ body: @escaping @Sendable () -> Void) throws {
        let context = Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                // The argument is the context below, never nil.
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        guard status == 0 else {
            context.release()
            throw PluginError(.noMemory, "no thread can be started for a connection (errno \(status))")
        }
        pthread_detach(thread)
    }
}

/// One value that is given once, from any thread, and waited for by one task that may be cancelled.
final class OneAnswer<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<Value, any Error>)
        case given(Result<Value, any Error>)
        case over
    }

    private let state = Mutex(State.empty)

    /// - Returns: Whether somebody takes the value; false when the wait was cancelled.
    func give(_ result: Result<Value, any Error>) -> Bool {
        let (continuation, isTaken): (CheckedContinuation<Value, any Error>?, Bool) = state.withLock { state in
            switch state {
            case .empty:
                state = .given(result)
                return (nil, true)
            case .waiting(let continuation):
                state = .over
                return (continuation, true)
            case .given, .over: return (nil, false)
            }
        }
        continuation?.resume(with: result)
        return isTaken
    }

    /// - Throws: What was given, or ``PluginError`` `.cancelled`.
    func wait() async throws -> Value {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Value, any Error>? = state.withLock { state in
                    switch state {
                    case .empty:
                        state = .waiting(continuation)
                        return nil
                    case .given(let result):
                        state = .over
                        return result
                    case .waiting, .over: return .failure(Self.cancelled)
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let continuation: CheckedContinuation<Value, any Error>? = state.withLock { state in
                switch state {
                case .waiting(let continuation):
                    state = .over
                    return continuation
                case .empty:
                    state = .over
                    return nil
                case .given, .over: return nil
                }
            }
            continuation?.resume(throwing: Self.cancelled)
        }
    }

    private static var cancelled: PluginError { PluginError(.cancelled, "the call was cancelled") }
}
