// SPDX-License-Identifier: Apache-2.0
package import NIOCore
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
    }

    /// Something that whoever runs the server should know.
    package enum News: Sendable {
        case started(pid: Int32)
        case failed(String, RestartPolicy.Decision)
    }

    fileprivate enum State {
        case stopped
        case starting
        case running(PluginSession)
        case waiting(until: ContinuousClock.Instant)
        case broken
        case closed
    }

    fileprivate struct Book {
        var state = State.stopped
        var policy = RestartPolicy()
        var queue: [SupervisedCall] = []
        var restarts = 0
        var lastFailure = ""
    }

    private let launch: PluginLaunch
    private let group: any EventLoopGroup
    private let log: @Sendable (PluginLogLine) -> Void
    private let news: @Sendable (News) -> Void
    private let book = Mutex(Book())
    /// Calls that may wait while the plugin starts.
    private static let queueLimit = 4_096

    /// Prepares; nothing is started.
    package init(
        _ launch: PluginLaunch, on group: any EventLoopGroup, log: @escaping @Sendable (PluginLogLine) -> Void,
        news: @escaping @Sendable (News) -> Void
    ) {
        self.launch = launch
        self.group = group
        self.log = log
        self.news = news
    }

    /// What the plugin is doing right now.
    package var status: Status {
        book.withLock { book in
            var status = Status(restarts: book.restarts, lastFailure: book.lastFailure)
            switch book.state {
            case .stopped, .closed: status.phase = .stopped
            case .starting: status.phase = .starting
            case .waiting: status.phase = .waiting
            case .broken: status.phase = .broken
            case .running(let session):
                status.phase = .running
                status.pid = session.pid
            }
            return status
        }
    }

    // MARK: Start and end

    /// The first start; its failure is not tried again.
    ///
    /// - Throws: ``PluginStartError``.
    package func start() async throws(PluginStartError) {
        book.withLock { $0.state = .starting }
        do throws(PluginStartError) {
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
            defer { book.state = .closed }
            guard case .running(let session) = book.state else { return (nil, book.takeQueue()) }
            return (session, [])
        }
        fail(queue, "it is shutting down")
        await session?.stop()
    }

    /// The process hangs: it is killed, which restarts it.
    package func abandon() {
        guard case .running(let session) = book.withLock({ $0.state }) else { return }
        lost(session, "it was killed because it did not end a call")
    }

    // MARK: Calls

    /// Begins a call, now or when the plugin has started; its reader gets everything else.
    ///
    /// The reader may be finished before this returns, also on this thread.
    package func begin(_ call: SupervisedCall) {
        if case .running(let session) = book.withLock({ $0.state }), session.connection.hasEnded {
            lost(session, nil)
        }
        let now = ContinuousClock.now
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
            case .starting: return .refuse("it is starting and \(Self.queueLimit) calls wait already")
            case .waiting(let until):
                return .refuse("it is started again in \(Self.seconds(until - now)): \(book.lastFailure)")
            case .broken where book.policy.mayTry(at: now):
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
        news(.started(pid: session.pid))
        for call in queue { call.begin(on: session.connection) }
        session.whenEnded { [weak self] in self?.lost(session, nil) }
    }

    /// The plugin is gone, as far as calls are concerned.
    private func lost(_ session: PluginSession, _ reason: String?) {
        let isCurrent = book.withLock { book in
            guard case .running(let current) = book.state, current === session else { return false }
            book.state = .starting
            return true
        }
        guard isCurrent else { return }
        Task {
            let (status, words) = await session.kill(after: reason == nil ? .milliseconds(200) : .zero)
            let ending = PluginStartError(
                reason: reason ?? "its process ended", status: status, lastLines: words)
            failed(ending.description)
        }
    }

    private func failed(_ reason: String) {
        let (decision, queue) = book.withLock { book -> (RestartPolicy.Decision?, [SupervisedCall]) in
            book.lastFailure = reason
            if case .closed = book.state { return (nil, book.takeQueue()) }
            let now = ContinuousClock.now
            let decision = book.policy.failed(at: now)
            switch decision {
            case .restart(after: .zero):
                book.state = .starting
                return (decision, [])
            case .restart(let delay): book.state = .waiting(until: now + delay)
            case .stop: book.state = .broken
            }
            return (decision, book.takeQueue())
        }
        fail(queue, reason)
        guard let decision else { return }
        news(.failed(reason, decision))
        switch decision {
        case .restart(after: .zero): restart()
        case .restart(let delay):
            group.next().scheduleTask(in: .nanoseconds(delay.inNanoseconds)) { [weak self] in self?.wake() }
        case .stop: break
        }
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
        book.withLock { $0.restarts += 1 }
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
    fileprivate mutating func takeQueue() -> [SupervisedCall] {
        defer { queue = [] }
        return queue
    }
}
