// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// One thread that runs what it is given, in order, until the process ends.
///
/// Safety: `jobs` is touched only with `mutex` held.
package final class ThreadQueue: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [@Sendable () -> Void] = []

    /// Starts the thread.
    package init(name: String) {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        startThread(named: name) { [self] in
            while true { next()() }
        }
    }

    /// Leaves work to the thread.
    package func submit(_ job: @escaping @Sendable () -> Void) {
        pthread_mutex_lock(mutex)
        jobs.append(job)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    private func next() -> @Sendable () -> Void {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while jobs.isEmpty { pthread_cond_wait(condition, mutex) }
        return jobs.removeFirst()
    }
}

private final class ThreadBody {
    let name: String
    let run: () -> Void

    init(name: String, _ run: @escaping () -> Void) {
        self.name = name
        self.run = run
    }
}

/// Starts a detached thread.
package func startThread(named name: String, _ body: @escaping @Sendable () -> Void) {
    var thread: pthread_t = 0
    let context = Unmanaged.passRetained(ThreadBody(name: name, body)).toOpaque()
    let status = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            let body = Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue()
            linux_name_thread(body.name)
            body.run()
            return nil
        }, context)
    if status == 0 { pthread_detach(thread) }
    precondition(status == 0, "no thread '\(name)' could be started: \(status)")
}
