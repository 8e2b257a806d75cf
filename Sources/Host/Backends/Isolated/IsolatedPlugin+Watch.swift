// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import NIOCore
internal import PluginABI
internal import Processes
internal import Synchronization

extension IsolatedPlugin {
    /// Seconds between two looks at a process.
    private static let interval = 0.25
    /// A process that somebody stopped answers nothing; it is given so many looks, five seconds, to be continued.
    private static let mostStoppedLooks = 20

    /// Looks at the process as long as it starts, calls run or instances are made: at its processor time, at its memory, and
    /// whether it moves at all.
    func watchProcess() {
        guard let process = state.withLock({ $0.processor.isOpen ? nil : $0.process }) else { return }
        let used = process.usage.processorSeconds
        if state.withLock({ $0.processor.open(used: used) }) { lookLater(process, stoppedLooks: 0) }
    }

    private func lookLater(_ process: RunnerProcess, stoppedLooks: Int) {
        let pause = TimeAmount.nanoseconds(Int64(Self.interval * 1e9))
        services.eventLoops.next().scheduleTask(in: pause) { [weak self] in
            self?.look(process, stoppedLooks: process.isStopped ? stoppedLooks + 1 : 0)
        }
    }

    private func look(_ process: RunnerProcess, stoppedLooks: Int) {
        enum Finding {
            case fine
            case idle
            case over(Duration)
            case stopped
            case large
        }
        let usage = process.usage
        let used = usage.processorSeconds
        let most = settings.memoryBytes == 0 ? UInt64.max : settings.memoryBytes + settings.sharedBytes
        let finding = state.withLock { state -> Finding in
            // The kernel's limit of a process leaves out what it shares with nobody but could.
            if state.process === process, usage.memoryBytes > most {
                state.processor.close()
                state.limitsHit["memory", default: 0] += 1
                return .large
            }
            guard state.process === process else { return .idle }
            guard state.isStarting || !state.calls.isEmpty || !state.creating.isEmpty else {
                state.processor.close()
                return .idle
            }
            if stoppedLooks > Self.mostStoppedLooks {
                state.processor.close()
                return .stopped
            }
            guard let time = settings.callProcessorTime, !state.calls.isEmpty else {
                state.processor.skip(used: used)
                return .fine
            }
            let streams = state.calls.values.count { $0.kind == GF_CALL_RUN_STREAM }
            let isOver = state.processor.draw(
                used: used, budget: Double(time.nanoseconds) / 1e9, running: state.calls.count - streams,
                streams: streams, elapsed: Self.interval)
            guard isOver else { return .fine }
            state.processor.close()
            state.limitsHit["cpu", default: 0] += 1
            return .over(time)
        }
        switch finding {
        case .fine: lookLater(process, stoppedLooks: stoppedLooks)
        case .idle: return
        case .large:
            process.end(
                "took \(usage.memoryBytes >> 20) MiB, more than the \(most >> 20) MiB of max_memory_mib and "
                    + "max_shared_memory_mib, and was ended")
        case .stopped: process.end("was stopped by a signal while calls waited for it, and was ended")
        case .over(let time):
            process.end(
                "took more than the \(time) of processor time that a call may take (max_call_cpu_time), and was ended")
        }
    }
}
