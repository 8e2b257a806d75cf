// SPDX-License-Identifier: Apache-2.0
internal import GoPlugin
internal import NIOCore
internal import PluginABI
internal import Synchronization

/// Ends the process of a Go plugin that takes more processor time than its calls may take together.
final class GoProcessorWatch: Sendable {
    private struct State {
        var account = ProcessorAccount()
        /// Whose processor time was looked at last; 0: nobody's.
        var pid: Int32 = 0
        var calls = 0
        var streams = 0
        /// Whether a call was cancelled, which may go on in the plugin: that is seen by the processor time alone.
        var goesOn = false
    }

    /// Seconds between two looks.
    private static let interval = 0.25
    /// Less of a processor than this is rest.
    private static let rest = 0.25
    private let budget: Duration
    private let supervisor: PluginSupervisor
    private let eventLoops: any EventLoopGroup
    private let state = Mutex(State())

    /// - Parameter budget: what one call may take; a stream as much each minute.
    init(budget: Duration, of supervisor: PluginSupervisor, on eventLoops: any EventLoopGroup) {
        self.budget = budget
        self.supervisor = supervisor
        self.eventLoops = eventLoops
    }

    /// A call is sent; looks from now on, unless somebody does.
    func began(isStream: Bool) {
        let isWatched = state.withLock { state in
            if isStream { state.streams += 1 } else { state.calls += 1 }
            state.account.began()
            return state.account.isOpen
        }
        guard !isWatched else { return }
        let use = supervisor.processorUse
        let opens = state.withLock { state in
            guard state.account.open(used: use?.seconds ?? 0) else { return false }
            state.pid = use?.pid ?? 0
            return true
        }
        if opens { lookLater() }
    }

    /// The call has ended here; the plugin is told of a cancellation, and tells nobody when it has stopped.
    func ended(isStream: Bool, isCancelled: Bool) {
        state.withLock { state in
            state.goesOn = state.goesOn || isCancelled
            if isStream { state.streams -= 1 } else { state.calls -= 1 }
        }
    }

    private func lookLater() {
        eventLoops.next().scheduleTask(in: .nanoseconds(Int64(Self.interval * 1e9))) { [weak self] in self?.look() }
    }

    private func look() {
        enum Finding {
            case fine
            case idle
            case over(pid: Int32)
        }
        let use = supervisor.processorUse
        let finding = state.withLock { state -> Finding in
            let isIdle = state.calls + state.streams == 0
            let isQuiet = use.map { state.account.taken(used: $0.seconds) < Self.interval * Self.rest } ?? true
            if isIdle, isQuiet || !state.goesOn || use?.pid != state.pid {
                state.account.close()
                state.goesOn = false
                return .idle
            }
            // What a new process needs to start is no call's, and what the one before took is over.
            guard let use, use.pid == state.pid else {
                state.pid = use?.pid ?? 0
                state.account.restart(used: use?.seconds ?? 0, running: state.calls + state.streams)
                return .fine
            }
            let isOver = state.account.draw(
                used: use.seconds, budget: Double(budget.nanoseconds) / 1e9, running: isIdle ? 1 : state.calls,
                streams: state.streams, elapsed: Self.interval)
            return isOver ? .over(pid: use.pid) : .fine
        }
        switch finding {
        case .idle: return
        case .fine: break
        case .over(let pid):
            let reason = "it took more than the \(budget) of processor time that a call may take (max_call_cpu_time)"
            supervisor.abandon(pid, because: reason, limit: "cpu")
        }
        lookLater()
    }
}
