// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
package import PluginABI
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
    /// - Returns: the nanoseconds of each call.
    /// - Throws: ``PluginError`` of the first call that was not answered well, after which none is begun.
    package func run(_ count: Int, inFlight: Int) throws(PluginError) -> [Int64] {
        let round = Round(load: self, left: count, running: inFlight)
        for _ in 0..<inFlight { round.next(after: nil) }
        return try round.done.wait().get()
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
        var failure: PluginError?
    }

    let done = BlockingResult<Result<[Int64], PluginError>>()
    private let load: CallLoad
    private let state: Mutex<State>

    init(load: CallLoad, left: Int, running: Int) {
        self.load = load
        state = Mutex(State(left: left, running: running))
    }

    /// Begins a call, or ends when none is left and none runs.
    func next(after answer: Result<Int64, PluginError>?) {
        let (begins, outcome) = state.withLock { state -> (Bool, Result<[Int64], PluginError>?) in
            switch answer {
            case .success(let time): state.times.append(time)
            case .failure(let error):
                state.failure = state.failure ?? error
                state.left = 0
            case nil: break
            }
            guard state.left > 0 else {
                state.running -= 1
                return (false, state.running == 0 ? state.failure.map { .failure($0) } ?? .success(state.times) : nil)
            }
            state.left -= 1
            return (true, nil)
        }
        if let outcome { done.fulfil(outcome) }
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
        if let error { return round.next(after: .failure(error)) }
        guard isGood.load(ordering: .relaxed) else {
            return round.next(after: .failure(PluginError(.internal, "the plugin says that it is not well")))
        }
        round.next(after: .success(MonotonicTime.now &- began))
    }
}
