// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI
internal import Processes
internal import Synchronization

/// Calls the health check of one data source with a number of calls in flight: each answer begins the next call.
///
/// For measuring plugins that answer later, such as those in processes of their own.
package final class CallLoad: Sendable {
    private let platform: PluginPlatform
    private let instance: PluginInstance
    private let calls: CallTable
    private let request = RequestMemory.health(depth: GF_HEALTH_CHEAP)

    /// - Throws: ``PluginError`` when the plugin cannot be called.
    package init(platform: PluginPlatform, pluginID: String) async throws {
        let source = DataSourceConfiguration(
            settings: DataSourceInstanceSettings(uid: "load", name: "load", pluginID: pluginID), version: 1)
        self.platform = platform
        instance = try await platform.reserve(source, feature: GF_HEALTH_EXT)
        guard let calls = instance.runtime.calls else {
            throw PluginError(.state, "plugin '\(pluginID)' is not open", source: .host)
        }
        self.calls = calls
    }

    deinit { instance.unreserve() }

    /// Makes that many calls and waits for them on the calling thread.
    ///
    /// - Returns: the nanoseconds of each call that was answered well.
    package func run(_ count: Int, inFlight: Int) -> [Int64] {
        let round = Round(load: self, left: count, running: inFlight)
        for _ in 0..<inFlight { round.next() }
        return round.done.wait()
    }

    fileprivate func begin(_ receiver: any CallReceiver) {
        _ = calls.begin(
            CallStart(
                kind: GF_CALL_HEALTH, request: request.pointer, memory: request, instance: instance, facts: CallFacts(),
                limits: platform.configuration.limits, input: nil, receiver: receiver))
    }
}

/// The calls of one run.
private final class Round: Sendable {
    private struct State {
        var left: Int
        var running: Int
        var times: [Int64] = []
    }

    let done = BlockingResult<[Int64]>()
    private let load: CallLoad
    private let state: Mutex<State>

    init(load: CallLoad, left: Int, running: Int) {
        self.load = load
        state = Mutex(State(left: left, running: running))
    }

    /// Begins a call, or ends when none is left and none runs.
    func next(after time: Int64? = nil) {
        let (begins, times) = state.withLock { state -> (Bool, [Int64]?) in
            if let time { state.times.append(time) }
            guard state.left > 0 else {
                state.running -= 1
                return (false, state.running == 0 ? state.times : nil)
            }
            state.left -= 1
            return (true, nil)
        }
        if let times { done.fulfil(times) }
        if begins { load.begin(Call(round: self)) }
    }
}

private final class Call: CallReceiver {
    private let round: Round
    private let began = MonotonicTime.now
    private let isGood = Atomic<Bool>(false)

    init(round: Round) { self.round = round }

    func received(_ head: CallHead) { isGood.store(head.status == GF_HEALTH_OK, ordering: .relaxed) }

    func completed(_ error: PluginError?) {
        let isAnswered = error == nil && isGood.load(ordering: .relaxed)
        round.next(after: isAnswered ? MonotonicTime.now &- began : nil)
    }
}
