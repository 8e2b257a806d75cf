// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PluginABI
internal import Synchronization

/// The monotonic clock in nanoseconds, for deadlines.
enum MonotonicTime {
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// The wall clock in nanoseconds since the epoch.
enum WallTime {
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// One thread that wakes for the earliest deadline of all calls of all plugins, and sleeps otherwise.
///
/// Safety: `tables`, `wakeAt` and `isStopped` are touched only with `mutex` held.
final class Watchdog: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var tables: [ObjectIdentifier: CallTable] = [:]
    private var isStopped = false
    private var isRunning = false
    /// When the thread wakes next; read without the lock on the fast path of a call.
    private let wakeAt = Atomic<Int64>(.max)

    init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    func add(_ table: CallTable) {
        pthread_mutex_lock(mutex)
        tables[ObjectIdentifier(table)] = table
        let starts = !isRunning
        isRunning = true
        pthread_mutex_unlock(mutex)
        if starts { startThread() }
    }

    /// Forgets the calls of a library that is closed.
    func remove(_ table: CallTable) {
        pthread_mutex_lock(mutex)
        tables[ObjectIdentifier(table)] = nil
        pthread_mutex_unlock(mutex)
    }

    /// Cancels all calls of all plugins.
    func cancelAll(_ reason: PluginError) {
        pthread_mutex_lock(mutex)
        let current = Array(tables.values)
        pthread_mutex_unlock(mutex)
        for table in current { table.cancelAll(reason) }
    }

    func stop() {
        pthread_mutex_lock(mutex)
        isStopped = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Makes sure that the thread is awake at `time`.
    func watch(_ time: Int64) {
        if time >= wakeAt.load(ordering: .acquiring) { return }
        pthread_mutex_lock(mutex)
        if time < wakeAt.load(ordering: .relaxed) {
            wakeAt.store(time, ordering: .releasing)
            pthread_cond_signal(condition)
        }
        pthread_mutex_unlock(mutex)
    }

    private func startThread() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Watchdog>.fromOpaque(context).takeRetainedValue().work()
                return nil
            }, context.toOpaque())
        if status == 0 { pthread_detach(thread) }
        precondition(status == 0, "no thread for the deadlines of calls: error \(status)")
    }

    private func work() {
        pthread_mutex_lock(mutex)
        while !isStopped {
            let now = MonotonicTime.now
            let wake = wakeAt.load(ordering: .relaxed)
            if wake > now {
                sleep(until: wake)
                continue
            }
            wakeAt.store(.max, ordering: .releasing)
            let current = Array(tables.values)
            pthread_mutex_unlock(mutex)
            var next = Int64.max
            for table in current { next = min(next, table.check(now: now)) }
            if next != .max { watch(next) }
            pthread_mutex_lock(mutex)
        }
        pthread_mutex_unlock(mutex)
    }

    /// Waits with the mutex held, at most until `time`.
    private func sleep(until time: Int64) {
        guard time != .max else {
            pthread_cond_wait(condition, mutex)
            return
        }
        var deadline = timespec(tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
        _ = pthread_cond_timedwait(condition, mutex, &deadline)
    }
}

/// Lets threads of blocking plugins wait for credit.
///
/// Safety: the primitives are made in `init` and used as POSIX allows, from any thread.
final class CreditGate: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func broadcast() {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Waits until `isReady` or until 50 ms have passed: callers look again at deadlines and cancellation themselves.
    func wait(unless isReady: () -> Bool) {
        pthread_mutex_lock(mutex)
        if !isReady() {
            var deadline = timespec()
            clock_gettime(CLOCK_REALTIME, &deadline)
            deadline.tv_nsec += 50_000_000
            if deadline.tv_nsec >= 1_000_000_000 {
                deadline.tv_nsec -= 1_000_000_000
                deadline.tv_sec += 1
            }
            _ = pthread_cond_timedwait(condition, mutex, &deadline)
        }
        pthread_mutex_unlock(mutex)
    }
}
