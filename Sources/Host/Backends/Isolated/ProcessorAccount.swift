// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import NIOCore
internal import PluginABI
internal import Processes
internal import Synchronization

/// The processor time that the calls of one process may still take.
///
/// Who took how much is known of the process alone. Each call therefore brings its budget along, each stream one for
/// every minute, and what the process takes is drawn from all of them; what short calls leave is not saved.
struct ProcessorAccount: Sendable {
    private var begun = 0
    private var balance = 0.0
    /// Of the process, when it was looked at last; nil: nobody looks.
    private var seen: Double?

    /// A call began.
    mutating func began() { begun += 1 }

    /// Whether somebody looks.
    var isOpen: Bool { seen != nil }

    /// Begins to look, unless somebody does.
    mutating func open(used: Double) -> Bool {
        guard seen == nil else { return false }
        seen = used
        balance = 0
        return true
    }

    /// Nobody looks any more, since no call runs.
    mutating func close() {
        seen = nil
        begun = 0
    }

    /// Draws what the process took since it was looked at last.
    ///
    /// - Parameters:
    ///   - used: seconds of processor time, since the process was started.
    ///   - running: calls that run now, without streams.
    ///   - elapsed: seconds since it was looked at last.
    /// - Returns: whether it took too much.
    mutating func draw(used: Double, budget: Double, running: Int, streams: Int, elapsed: Double) -> Bool {
        let taken = max(0, used - (seen ?? used))
        balance += Double(begun) * budget + Double(streams) * budget * elapsed / 60 - taken
        let isOver = balance < 0
        balance = min(balance, Double(max(running + streams, begun)) * budget)
        begun = 0
        seen = used
        return isOver
    }
}

extension IsolatedPlugin {
    private static let interval = 0.25

    /// Looks at the processor time of the process as long as calls run, where one call may not take all of it.
    func watchProcessor() {
        guard settings.callProcessorTime != nil else { return }
        guard let process = state.withLock({ $0.processor.isOpen ? nil : $0.process }) else { return }
        let used = process.usage.processorSeconds
        if state.withLock({ $0.processor.open(used: used) }) { lookLater(process) }
    }

    private func lookLater(_ process: RunnerProcess) {
        let pause = TimeAmount.nanoseconds(Int64(Self.interval * 1e9))
        services.eventLoops.next().scheduleTask(in: pause) { [weak self] in self?.look(process) }
    }

    private func look(_ process: RunnerProcess) {
        guard let time = settings.callProcessorTime else { return }
        let budget = Double(time.nanoseconds) / 1e9
        let used = process.usage.processorSeconds
        enum Finding {
            case fine
            case idle
            case over
        }
        let finding = state.withLock { state -> Finding in
            guard state.process === process, !state.calls.isEmpty else {
                state.processor.close()
                return .idle
            }
            let streams = state.calls.values.count { $0.kind == GF_CALL_RUN_STREAM }
            let isOver = state.processor.draw(
                used: used, budget: budget, running: state.calls.count - streams, streams: streams,
                elapsed: Self.interval)
            guard isOver else { return .fine }
            state.processor.close()
            state.limitsHit["cpu", default: 0] += 1
            return .over
        }
        switch finding {
        case .fine: lookLater(process)
        case .idle: return
        case .over:
            process.end(
                "took more than the \(time) of processor time that a call may take (max_call_cpu_time), and was ended")
        }
    }
}
