// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// Starts processes, always from the same thread.
///
/// A parent-death signal comes when the thread ends that started the process, not the whole parent; this one lives as long
/// as the server.
///
/// Safety: `jobs` is touched only with `mutex` held.
final class ProcessSpawner: @unchecked Sendable {
    private static let shared = ProcessSpawner()

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [@Sendable () -> Void] = []

    private init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        let isStarted = DedicatedThread.start { [self] in work() }
        precondition(isStarted, "no thread to start plugins' processes")
    }

    private func work() {
        while true {
            pthread_mutex_lock(mutex)
            while jobs.isEmpty { pthread_cond_wait(condition, mutex) }
            let current = jobs
            jobs = []
            pthread_mutex_unlock(mutex)
            for job in current { job() }
        }
    }

    private func submit(_ body: @escaping @Sendable () -> Void) {
        pthread_mutex_lock(mutex)
        jobs.append(body)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Starts a program as `linux_spawn` does.
    ///
    /// Waits for the thread, about half a millisecond.
    ///
    /// - Returns: 0 or an errno.
    static func spawn(
        _ path: String, _ arguments: [String], _ environment: [String], out: Int32, error: Int32,
        descriptors: [Int32], _ pid: inout Int32, _ pidDescriptor: inout Int32
    ) -> Int32 {
        let outcome = BlockingResult<(status: Int32, pid: Int32, descriptor: Int32)>()
        shared.submit {
            var new: (pid: Int32, descriptor: Int32) = (0, -1)
            let status = withCStrings(arguments) { arguments in
                withCStrings(environment) { environment in
                    linux_spawn(
                        path, arguments, environment, out, error, descriptors, Int32(descriptors.count), &new.pid,
                        &new.descriptor)
                }
            }
            outcome.fulfil((status, new.pid, new.descriptor))
        }
        let result = outcome.wait()
        (pid, pidDescriptor) = (result.pid, result.descriptor)
        return result.status
    }

    private static func withCStrings<R>(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> R
    ) -> R {
        let copies = texts.map { strdup($0) } + [nil]
        defer { for copy in copies { free(copy) } }
        return copies.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}

/// A value that one thread gives and another waits for.
///
/// Safety: `value` is touched only with `mutex` held.
final class BlockingResult<Value: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var value: Value?

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

    /// Gives the value; only the first one counts.
    func fulfil(_ new: Value) {
        pthread_mutex_lock(mutex)
        if value == nil { value = new }
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Waits for the value; never on the cooperative pool.
    @discardableResult
    func wait() -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let value { return value }
            pthread_cond_wait(condition, mutex)
        }
    }
}
