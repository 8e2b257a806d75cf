// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import Synchronization

/// A connection on a thread of its own, where it may block without keeping anybody else waiting.
final class SQLSession: Sendable {
    private typealias Job = @Sendable (any SQLConnection) -> Void

    /// Who opens connections and gets them back.
    struct Owner: Sendable {
        var connect: @Sendable () throws -> SQLOpened
        var cancellations: SQLCancellations
        /// How long a connection waits for something to do before its owner is asked to let it go.
        var patienceSeconds: Int
        /// Lets go of a connection that nobody uses, on the connection's thread; false keeps it.
        var releases: @Sendable (SQLSession) -> Bool
        /// The thread has nothing open any more and ends.
        var ended: @Sendable () -> Void
    }

    private struct State {
        var jobs: [Job] = []
        var isClosed = false
        /// Nothing more is begun: what is cancelled must not start after the server was told.
        var isCancelled = false
        var interrupter: (any SQLInterrupter)?
        /// Jobs that were given and have not ended.
        var running = 0
        /// Who has the connection, counted up; a cancellation that comes too late finds another number.
        var lease = 0
    }

    /// When it was opened, on ``SQLClock``.
    let openedAt: UInt64
    private let owner: Owner
    private let state = Mutex(State())
    // Safety: a semaphore is made for use from many threads; it is freed in deinit, and whoever posts or waits holds
    // `self`.
    private nonisolated(unsafe) let available: UnsafeMutablePointer<sem_t>  // Safety: a semaphore is for threads

    /// How long a server has to end a statement that was cancelled, before its line is cut.
    static let cancelGraceMilliseconds = 700
    /// When the server is asked again.
    private static let secondCancelMilliseconds = 250

    private init(_ owner: Owner) {
        self.owner = owner
        openedAt = SQLClock.now
        available = .allocate(capacity: 1)
        sem_init(available, 0, 0)
    }

    deinit {
        sem_destroy(available)
        available.deallocate()
    }

    /// Starts a thread that connects; the owner is told when it has ended, however it ends.
    ///
    /// A cancelled task does not wait for a server that does not answer: the thread closes what it opened in vain.
    static func open(_ owner: Owner) async throws -> SQLSession {
        let session = SQLSession(owner)
        let opened = OneAnswer<Void>()
        do {
            try DetachedThread.start {
                do {
                    let made = try owner.connect()
                    session.state.withLock { $0.interrupter = made.interrupter }
                    if opened.give(.success(())) { session.work(on: made.connection) }
                    made.connection.close()
                } catch {
                    _ = opened.give(.failure(error))
                }
                owner.ended()
            }
        } catch {
            owner.ended()
            throw error
        }
        try await opened.wait()
        return session
    }

    private func work(on connection: any SQLConnection) {
        while true {
            guard waitForWork() else {
                if owner.releases(self) { return }
                continue
            }
            let job = state.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }
            guard let job else { return }
            job(connection)
        }
    }

    /// False when there was nothing to do for so long that the connection may be let go.
    private func waitForWork() -> Bool {
        var end = timespec()
        clock_gettime(CLOCK_REALTIME, &end)
        end.tv_sec += owner.patienceSeconds
        while sem_timedwait(available, &end) != 0 {
            if errno == ETIMEDOUT { return false }
        }
        return true
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

    // MARK: Cancellation

    /// Begins the use by one task.
    ///
    /// - Returns: What ``cancel(_:)`` asks for.
    func lend() -> Int { state.withLock { $0.lease } }

    /// Ends the use by one task, whose cancellation has no effect from now on.
    ///
    /// - Returns: Whether it was cancelled.
    func endLease() -> Bool {
        state.withLock { state in
            state.lease += 1
            return state.isCancelled
        }
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
    func cancel(_ lease: Int) {
        let interrupter: (any SQLInterrupter)? = state.withLock { state in
            guard state.lease == lease else { return nil }
            state.isCancelled = true
            return state.interrupter
        }
        guard let interrupter else { return }
        owner.cancellations.add { interrupter.cancel() }
        do {
            try DetachedThread.start { [owner] in
                if self.isIdle(within: Self.secondCancelMilliseconds) { return }
                // The first may have come before the statement did.
                owner.cancellations.add { interrupter.cancel() }
                if !self.isIdle(within: Self.cancelGraceMilliseconds - Self.secondCancelMilliseconds) {
                    interrupter.abort()
                }
            }
        } catch {
            // Without threads the line is cut right away: that never blocks.
            interrupter.abort()
        }
    }

    /// Tells the server that nobody waits for the statement that still runs; the connection is closed afterwards.
    func interrupt() {
        guard let interrupter = state.withLock({ $0.interrupter }) else { return }
        owner.cancellations.add { interrupter.cancel() }
    }
}
