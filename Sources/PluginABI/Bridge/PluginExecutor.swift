// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Runs the tasks of one plugin on threads of its own, so that a handler that blocks starves its plugin and nobody else.
///
/// Threads start when jobs come and none is idle; an idle thread ends after ten seconds, so that a library that was closed
/// keeps none.
///
/// Safety: `jobs`, `idle` and `threads` are touched only with `mutex` held.
final class PluginExecutor: TaskExecutor, @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [UnownedJob] = []
    private var head = 0
    private var idle = 0
    private var threads = 0
    private let maxThreads: Int
    private let name: String

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    init(name: String, maxThreads: Int) {
        self.name = name
        self.maxThreads = maxThreads
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(mutex)
        jobs.append(job)
        let needsThread = idle < jobs.count - head && threads < maxThreads
        if needsThread { threads += 1 } else { pthread_cond_signal(condition) }
        pthread_mutex_unlock(mutex)
        if needsThread { startThread() }
    }

    private func startThread() {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<PluginExecutor>.fromOpaque(context).takeRetainedValue().work()
                return nil
            }, context)
        pthread_attr_destroy(&attributes)
        guard status == 0 else {
            Unmanaged<PluginExecutor>.fromOpaque(context).release()
            pthread_mutex_lock(mutex)
            threads -= 1
            let isStuck = threads == 0
            pthread_mutex_unlock(mutex)
            if isStuck { fatalError("plugin \(name): no thread could be started: \(status)") }
            return
        }
    }

    private func work() {
        let executor = asUnownedTaskExecutor()
        pthread_mutex_lock(mutex)
        while let job = next() {
            pthread_mutex_unlock(mutex)
            job.runSynchronously(on: executor)
            pthread_mutex_lock(mutex)
        }
        threads -= 1
        pthread_mutex_unlock(mutex)
    }

    /// The next job, waiting for it; nil after ten seconds without one.
    ///
    /// Called with the mutex held.
    private func next() -> UnownedJob? {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += 10
        while head == jobs.count {
            idle += 1
            let status = pthread_cond_timedwait(condition, mutex, &deadline)
            idle -= 1
            if status == ETIMEDOUT, head == jobs.count { return nil }
        }
        let job = jobs[head]
        head += 1
        if head == jobs.count {
            jobs.removeAll(keepingCapacity: true)
            head = 0
        }
        return job
    }
}
