// SPDX-License-Identifier: Apache-2.0
internal import Glibc
package import NIOCore
package import Processes
internal import Synchronization

/// Keeps one plugin running: starts it, passes calls to it, and starts it again when it dies, but not for ever.
package final class PluginSupervisor: Sendable {
    /// What the plugin's process is doing.
    package enum Phase: String, Sendable {
        case stopped, starting, running, waiting, broken
    }

    /// For people and metrics.
    package struct Status: Sendable {
        package var phase = Phase.stopped
        /// 0 when none runs.
        package var pid: Int32 = 0
        /// Starts that followed a failure.
        package var restarts = 0
        /// Why it ended last; empty when it never did.
        package var lastFailure = ""
        /// What the process uses, and what all of them have used.
        package var usage = ChildProcess.Usage()
        /// How often each limit of a process was met.
        package var limitsHit: [String: Int] = [:]
    }

    /// Something that whoever runs the server should know.
    package enum News: Sendable {
        case started(pid: Int32)
        /// - Parameter pause: until it is started again; nil: it failed too often.
        case failed(String, pause: Duration?)
    }

    fileprivate enum State {
        case stopped
        case starting
        case running(PluginSession)
        /// Until a time of the monotonic clock.
        case waiting(until: Int64)
        case broken
        case closed
    }

    fileprivate struct Book {
        var state = State.stopped
        /// What is started; nil for good once the plugin has been stopped, so that its program is not kept open.
        var launch: PluginLaunch?
        var policy = RestartPolicy()
        var queue: [SupervisedCall] = []
        var restarts = 0
        var lastFailure = ""
        var processorSeconds = 0.0
        var limitsHit: [String: Int] = [:]
    }

    private let group: any EventLoopGroup
    private let log: @Sendable (PluginLogLine) -> Void
    private let news: @Sendable (News) -> Void
    private let book: Mutex<Book>
    /// Calls that may wait while the plugin starts.
    private static let queueLimit = 4_096

    /// Prepares; nothing is started.
    package init(
        _ launch: PluginLaunch, on group: any EventLoopGroup, log: @escaping @Sendable (PluginLogLine) -> Void,
        news: @escaping @Sendable (News) -> Void
    ) {
        book = Mutex(Book(launch: launch))
        self.group = group
        self.log = log
        self.news = news
    }

    /// What the plugin is doing right now.
    package var status: Status {
        book.withLock { book in
            var status = Status()
            status.restarts = book.restarts
            status.lastFailure = book.lastFailure
            switch book.state {
            case .stopped, .closed: status.phase = .stopped
            case .starting: status.phase = .starting
            case .waiting: status.phase = .waiting
            case .broken: status.phase = .broken
            case .running(let session):
                status.phase = .running
                status.pid = session.pid
                status.usage = session.usage
            }
            status.usage.processorSeconds += book.processorSeconds
            status.limitsHit = book.limitsHit
            return status
        }
    }

    /// The process that runs and the seconds of processor time that it has used; nil when none runs.
    package var processorUse: (pid: Int32, seconds: Double)? {
        guard case .running(let session) = book.withLock({ $0.state }) else { return nil }
        return (session.pid, session.usage.processorSeconds)
    }

    // MARK: Start and end

    /// The first start; its failure is not tried again.
    ///
    /// - Throws: ``PluginStartError``.
    package func start() async throws(PluginStartError) {
        let launch = book.withLock { book in
            book.state = .starting
            return book.launch
        }
        do throws(PluginStartError) {
            guard let launch else { throw PluginStartError(reason: "it was stopped", lastLines: []) }
            await adopt(try await PluginSession.start(launch, on: group, log: log))
        } catch {
            let queue = book.withLock { book in
                book.state = .stopped
                book.lastFailure = error.description
                return book.takeQueue()
            }
            fail(queue, "it did not start: \(error)")
            throw error
        }
    }

    /// Ends the plugin in the order of go-plugin.
    package func stop() async {
        let (session, queue) = book.withLock { book -> (PluginSession?, [SupervisedCall]) in
            defer {
                book.state = .closed
                book.launch = nil
            }
            guard case .running(let session) = book.state else { return (nil, book.takeQueue()) }
            return (session, [])
        }
        fail(queue, "it is shutting down")
        await session?.stop()
    }

    /// The process does what it may not: it is killed, which restarts it.
    ///
    /// - Parameters:
    ///   - pid: the process that is meant, if it still is the one that runs; nil: whichever does.
    ///   - reason: such as `it did not end a call`.
    ///   - limit: the name of the limit that it met.
    package func abandon(_ pid: Int32? = nil, because reason: String, limit: String? = nil) {
        guard case .running(let session) = book.withLock({ $0.state }), pid == nil || pid == session.pid else { return }
        lost(session, "it was killed because \(reason)", limit: limit)
    }

    // MARK: Calls

    /// Begins a call, now or when the plugin has started; its reader gets everything else.
    ///
    /// The reader may be finished before this returns, also on this thread.
    package func begin(_ call: SupervisedCall) {
        if case .running(let session) = book.withLock({ $0.state }), session.connection.hasEnded {
            lost(session, nil)
        }
        let now = Clock.now
        enum Step {
            case begin(PluginSession)
            case queued(startsIt: Bool)
            case refuse(String)
        }
        let step = book.withLock { book -> Step in
            switch book.state {
            case .running(let session): return .begin(session)
            case .starting where book.queue.count < Self.queueLimit:
                book.queue.append(call)
                return .queued(startsIt: false)
            case .waiting(let until)
            where until - now <= RestartPolicy.patience && book.queue.count < Self.queueLimit:
                book.queue.append(call)
                return .queued(startsIt: false)
            case .starting: return .refuse("it is starting and \(Self.queueLimit) calls wait already")
            case .waiting(let until):
                return .refuse("it is started again in \(Self.seconds(.nanoseconds(until - now))): \(book.lastFailure)")
            case .broken where book.mayTry:
                book.state = .starting
                book.queue.append(call)
                return .queued(startsIt: true)
            case .broken:
                return .refuse("it ended too often and is left alone for ten minutes; reload it: \(book.lastFailure)")
            case .stopped, .closed: return .refuse("it does not run")
            }
        }
        switch step {
        case .begin(let session): call.begin(on: session.connection)
        case .queued(let startsIt): if startsIt { restart() }
        case .refuse(let reason): call.refuse(reason)
        }
    }

    private static func seconds(_ duration: Duration) -> String { "\(max(1, duration.components.seconds)) s" }

    private func fail(_ queue: [SupervisedCall], _ reason: String) {
        for call in queue { call.refuse(reason) }
    }

    // MARK: Restarts

    private func adopt(_ session: PluginSession) async {
        let queue = book.withLock { book -> [SupervisedCall]? in
            if case .closed = book.state { return nil }
            book.state = .running(session)
            return book.takeQueue()
        }
        guard let queue else {
            await session.stop()
            return
        }
        session.whenProcessEnded { [weak self] end in
            self?.book.withLock { book in
                book.processorSeconds += end.processorSeconds
                for limit in end.limits { book.limitsHit[limit.rawValue, default: 0] += 1 }
            }
        }
        news(.started(pid: session.pid))
        for call in queue { call.begin(on: session.connection) }
        session.whenEnded { [weak self] in self?.lost(session, nil) }
    }

    /// The plugin is gone, as far as calls are concerned.
    private func lost(_ session: PluginSession, _ reason: String?, limit: String? = nil) {
        let isCurrent = book.withLock { book in
            guard case .running(let current) = book.state, current === session else { return false }
            book.state = .starting
            if let limit { book.limitsHit[limit, default: 0] += 1 }
            return true
        }
        guard isCurrent else { return }
        let reason =
            reason
            ?? (session.connection.endedInSilence
                ? "it was killed because its process did not move: it left a PING unanswered" : nil)
        Task {
            let (end, words) = await session.kill(after: reason == nil ? .milliseconds(200) : .zero, because: reason)
            let ended = end.limits.contains(.memory) ? "its process met its limit of memory" : "its process ended"
            let ending = PluginStartError(reason: reason ?? ended, status: end.status, lastLines: words)
            failed(ending.description)
        }
    }

    private func failed(_ reason: String) {
        let (pause, queue) = book.withLock { book -> (Pause, [SupervisedCall]) in
            book.lastFailure = reason
            if case .closed = book.state { return (.closed, book.takeQueue()) }
            let now = Clock.now
            book.policy.failed(at: now)
            switch book.policy.decide(at: now) {
            case .start(let time) where time <= now:
                book.state = .starting
                return (.time(.zero), [])
            case .start(let time):
                book.state = .waiting(until: time)
                let isNear = time - now <= RestartPolicy.patience
                return (.time(.nanoseconds(time - now)), isNear ? [] : book.takeQueue())
            case .refuse:
                book.state = .broken
                return (.forEver, book.takeQueue())
            }
        }
        fail(queue, reason)
        switch pause {
        case .closed: break
        case .forEver: news(.failed(reason, pause: nil))
        case .time(let time):
            news(.failed(reason, pause: time))
            if time == .zero { return restart() }
            group.next().scheduleTask(in: .nanoseconds(time.inNanoseconds)) { [weak self] in self?.wake() }
        }
    }

    /// What follows a failure.
    private enum Pause {
        case closed
        case time(Duration)
        case forEver
    }

    private func wake() {
        let starts = book.withLock { book in
            guard case .waiting = book.state else { return false }
            book.state = .starting
            return true
        }
        if starts { restart() }
    }

    private func restart() {
        let launch = book.withLock { book in
            book.restarts += 1
            return book.launch
        }
        // Stopped meanwhile: what waited was told.
        guard let launch else { return }
        Task {
            do throws(PluginStartError) {
                await adopt(try await PluginSession.start(launch, on: group, log: log))
            } catch {
                failed(error.description)
            }
        }
    }
}

extension PluginSupervisor.Book {
    /// Whether a plugin that failed too often may be tried again.
    fileprivate var mayTry: Bool {
        mutating get {
            let now = Clock.now
            if case .start(let time) = policy.decide(at: now) { return time <= now }
            return false
        }
    }

    fileprivate mutating func takeQueue() -> [SupervisedCall] {
        defer { queue = [] }
        return queue
    }
}

/// The monotonic clock, in nanoseconds.
private enum Clock {
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
