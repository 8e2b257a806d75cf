// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Tells which plugin folders changed, once they have come to rest.
///
/// The kernel's inotify reports the events; they are collected until none came for a while, so that a plugin that is
/// being copied is reported once. A thread of its own waits for them and ends with ``stop()`` or with the watcher.
public final class PluginWatcher: Sendable {
    /// What happened since the last change.
    public struct Change: Sendable, Equatable {
        /// The folders to prepare again, sorted: sub-folders of a collection or single folders; some may be gone.
        public var folders: [String]
        /// Events were lost: everything has to be searched again.
        public var needsFullRescan: Bool
        /// Why the watcher misses events from now on, for the log; nil when it misses none.
        public var warning: String?
    }

    /// The changes, for one consumer; ends after ``stop()``.
    public let changes: AsyncStream<Change>
    private let stopSignal: StopSignal

    /// Starts watching; a source that does not exist yet is picked up within a second of its creation.
    ///
    /// - Parameters:
    ///   - sources: the same as for the pipeline.
    ///   - quiet: the time without events after which a change is reported.
    ///   - longest: the time after which it is reported although events still come.
    /// - Throws: ``FileError`` when the system has no more inotify instances, descriptors or threads.
    public init(
        sources: [PluginSource], quiet: Duration = .milliseconds(200), longest: Duration = .seconds(2)
    ) throws {
        let inotify = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard inotify >= 0 else { throw FileError(operation: "watch", path: "the plugins folder", number: errno) }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            let number = errno
            close(inotify)
            throw FileError(operation: "watch", path: "the plugins folder", number: number)
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let (stop, signal) = (ends[0], StopSignal(descriptor: ends[1]))
        let (stream, continuation) = AsyncStream.makeStream(of: Change.self)
        continuation.onTermination = { _ in signal.send() }
        changes = stream
        stopSignal = signal
        let quiescence = Quiescence(quiet: quiet, longest: longest)
        // The first watches are placed here: what happens after the initialiser returned is never missed.
        let tree = WatchTree(inotify: inotify, sources: sources)
        let isStarted = DedicatedThread.start {
            var loop = WatchLoop(inotify: inotify, stop: stop, tree: tree, quiescence: quiescence)
            loop.run { continuation.yield($0) }
            close(inotify)
            close(stop)
            // Whoever makes another one at the end of this finds room for it: the kernel gives few.
            continuation.finish()
        }
        guard isStarted else {
            close(inotify)
            close(stop)
            throw FileError(operation: "start a thread to watch", path: "the plugins folder", number: EAGAIN)
        }
    }

    deinit { stopSignal.send() }

    /// Ends the thread and the stream; may be called twice.
    public func stop() { stopSignal.send() }

    /// Closes the writing end of a pipe, which wakes the thread.
    private final class StopSignal: Sendable {
        private let descriptor: Mutex<Int32?>

        init(descriptor: Int32) { self.descriptor = Mutex(descriptor) }

        func send() {
            descriptor.withLock { descriptor in
                if let open = descriptor { close(open) }
                descriptor = nil
            }
        }
    }
}

/// Decides when collected events are due: after a pause, or after a longest time without one.
struct Quiescence {
    var quiet: Duration
    var longest: Duration
    private var first: ContinuousClock.Instant?
    private var last: ContinuousClock.Instant?

    init(quiet: Duration, longest: Duration) {
        self.quiet = quiet
        self.longest = longest
    }

    /// An event came.
    mutating func note(at now: ContinuousClock.Instant) {
        first = first ?? now
        last = now
    }

    /// The time until the events are due: zero when they are, nil when there are none.
    func remaining(at now: ContinuousClock.Instant) -> Duration? {
        guard let first, let last else { return nil }
        return max(.zero, min(now.duration(to: last) + quiet, now.duration(to: first) + longest))
    }

    /// Whether the events are due; if so, none are left.
    mutating func takeIfDue(at now: ContinuousClock.Instant) -> Bool {
        guard remaining(at: now) == .zero else { return false }
        first = nil
        last = nil
        return true
    }
}
