// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// What a driver offers beyond statements.
protocol DriverConnection: DatabaseConnection {
    /// Runs the body in a transaction; rolls back when it throws.
    func transaction<Value>(_ mode: TransactionMode, _ body: () throws -> Value) throws -> Value
}

/// When a transaction takes the writer's lock.
enum TransactionMode {
    /// At its start: the transaction will write.
    case immediate
    /// Never: the transaction only reads.
    case deferred
}

/// Threads that own one connection each and take work from one queue, first come, first served.
final class ConnectionThreads: Sendable {
    private typealias Job = @Sendable (any DriverConnection) -> Void

    private struct State {
        var jobs: [Job] = []
        var head = 0
        var threads: Int
        var isStopping = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>
    // Safety: a semaphore is made for use from many threads; it is destroyed in deinit, when no thread is left.
    private nonisolated(unsafe) let available: UnsafeMutablePointer<sem_t>

    private init() {
        state = Mutex(State(threads: 0))
        available = .allocate(capacity: 1)
        sem_init(available, 0, 0)
    }

    deinit {
        sem_destroy(available)
        available.deallocate()
    }

    /// Starts the threads; each opens its connection by itself.
    ///
    /// When one fails, none is left running.
    static func start(
        count: Int, connect: @escaping @Sendable () throws -> any DriverConnection
    ) async throws -> ConnectionThreads {
        let threads = ConnectionThreads()
        do {
            for _ in 0..<count {
                try await withCheckedThrowingContinuation { opened in
                    threads.startThread(connect: connect) { opened.resume(with: $0) }
                }
            }
        } catch {
            await threads.stop()
            throw error
        }
        return threads
    }

    /// Runs the body on one of the threads.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable (any DriverConnection) throws -> Value
    ) async throws -> Value {
        let cancelled = CancellationFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let accepted = enqueue { connection in
                    guard !cancelled.isSet else { return continuation.resume(throwing: CancellationError()) }
                    continuation.resume(with: Result { try body(connection) })
                }
                if !accepted {
                    continuation.resume(
                        throwing: StorageError(.closed, "database: it is closed; the server is stopping"))
                }
            }
        } onCancel: {
            cancelled.set()
        }
    }

    /// Lets the threads finish what is queued, and returns when they have closed their connections.
    func stop() async {
        await withCheckedContinuation { continuation in
            let threads = state.withLock { state in
                state.isStopping = true
                if state.threads > 0 { state.waiters.append(continuation) }
                return state.threads
            }
            guard threads > 0 else { return continuation.resume() }
            for _ in 0..<threads { sem_post(available) }
        }
    }

    private func enqueue(_ job: @escaping Job) -> Bool {
        let accepted = state.withLock { state in
            guard !state.isStopping else { return false }
            state.jobs.append(job)
            return true
        }
        if accepted { sem_post(available) }
        return accepted
    }

    /// The next job; nil when the threads are stopping and the queue is empty.
    private func next() -> Job? {
        while sem_wait(available) != 0 {}
        return state.withLock { state in
            guard state.head < state.jobs.count else { return nil }
            let job = state.jobs[state.head]
            state.head += 1
            if state.head == state.jobs.count || state.head >= 1024 {
                state.jobs.removeFirst(state.head)
                state.head = 0
            }
            return job
        }
    }

    private func startThread(
        connect: @escaping @Sendable () throws -> any DriverConnection,
        opened: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        let body = ThreadBody {
            do {
                let connection = try connect()
                self.state.withLock { $0.threads += 1 }
                opened(.success(()))
                while let job = self.next() { job(connection) }
            } catch {
                return opened(.failure(error))
            }
            self.threadEnded()
        }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(body)
        let status = pthread_create(
            &thread, nil,
            { argument in
                // The argument is the context below, never nil.
                if let argument { Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        guard status == 0 else {
            context.release()
            return opened(.failure(StorageError(.cannotOpen, "database: no thread can be started (errno \(status))")))
        }
        pthread_detach(thread)
    }

    private func threadEnded() {
        let waiters = state.withLock { state in
            state.threads -= 1
            guard state.threads == 0 else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

/// The closure that a thread runs, as an object that C can carry.
private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

/// Tells a queued job that its task has been cancelled.
private final class CancellationFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set() { flag.store(true, ordering: .releasing) }
}
