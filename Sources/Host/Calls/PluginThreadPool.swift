// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Threads that run one plugin's code and nothing else, so that a plugin that blocks starves itself alone.
///
/// Threads start when work comes and none is idle, up to a bound; an idle thread ends after ten seconds, or at once when
/// the plugin is closed.
///
/// Safety: everything mutable is touched only with `mutex` held.
final class PluginThreadPool: @unchecked Sendable {
    typealias Job = @Sendable () -> Void

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [Job] = []
    private var head = 0
    private var idle = 0
    private var threads = 0
    private var maxThreads: Int
    private var isClosed = false

    init(maxThreads: Int) {
        self.maxThreads = max(1, maxThreads)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func submit(_ job: @escaping Job) {
        pthread_mutex_lock(mutex)
        jobs.append(job)
        let needsThread = idle < jobs.count - head && threads < maxThreads
        if needsThread { threads += 1 } else { pthread_cond_signal(condition) }
        pthread_mutex_unlock(mutex)
        if needsThread { startThread() }
    }

    /// Lets another thread take the place of one that a plugin does not give back; at most 64 times.
    func replaceStuckThread() {
        pthread_mutex_lock(mutex)
        if maxThreads < 64 + 64 { maxThreads += 1 }
        let needsThread = idle == 0 && head < jobs.count && threads < maxThreads
        if needsThread { threads += 1 }
        pthread_mutex_unlock(mutex)
        if needsThread { startThread() }
    }

    /// Lets no thread stay idle any more; work that still comes is done.
    func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    private func startThread() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<PluginThreadPool>.fromOpaque(context).takeRetainedValue().work()
                return nil
            }, context.toOpaque())
        if status == 0 { pthread_detach(thread) }
        guard status != 0 else { return }
        context.release()
        pthread_mutex_lock(mutex)
        threads -= 1
        pthread_mutex_unlock(mutex)
    }

    private func work() {
        pthread_mutex_lock(mutex)
        while let job = next() {
            pthread_mutex_unlock(mutex)
            job()
            pthread_mutex_lock(mutex)
        }
        threads -= 1
        pthread_mutex_unlock(mutex)
    }

    /// The next job, waiting for it; nil after ten seconds without one, or when the pool is closed.
    ///
    /// Called with the mutex held.
    private func next() -> Job? {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += 10
        while head == jobs.count {
            if isClosed { return nil }
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
