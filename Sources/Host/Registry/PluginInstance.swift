// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI
internal import Synchronization

/// One instance in a plugin: it is destroyed when it is retired and its last call has ended.
///
/// Safety: `pointer` is the plugin's and is only handed back to it; everything mutable is in `state`.
final class PluginInstance: @unchecked Sendable {
    private struct State {
        var users = 0
        var isRetired = false
        var isDestroyed = false
        /// Calls without a deadline: they are cancelled when the instance is retired.
        var streams: [UInt64: CallTicket] = [:]
        var nextStream: UInt64 = 0
    }

    let pointer: OpaquePointer
    let runtime: PluginRuntime
    let config: UInt64
    let lane: InvocationLane?
    private let api: gf_instance_api
    private let state = Mutex(State())
    private let onDestroyed: @Sendable (PluginInstance) -> Void

    init(
        pointer: OpaquePointer, runtime: PluginRuntime, api: gf_instance_api, config: UInt64,
        onDestroyed: @escaping @Sendable (PluginInstance) -> Void
    ) {
        self.pointer = pointer
        self.runtime = runtime
        self.api = api
        self.config = config
        self.onDestroyed = onDestroyed
        lane = runtime.makeInstanceLane()
    }

    /// Keeps the instance for a call that is about to begin; false when it is retired already.
    func reserve() -> Bool {
        state.withLock { state in
            guard !state.isRetired else { return false }
            state.users += 1
            return true
        }
    }

    /// Keeps the instance, also a retired one, on behalf of a running call.
    func hold() { state.withLock { $0.users += 1 } }

    /// Gives a reservation or a hold back.
    func unreserve() { userLeft() }

    func callBegan() {
        runtime.counters.running.add(1, ordering: .relaxed)
        runtime.counters.total.add(1, ordering: .relaxed)
        state.withLock { $0.users += 1 }
    }

    func callEnded() {
        let left = runtime.counters.running.subtract(1, ordering: .relaxed).newValue
        if left == 0 { runtime.becameIdle() }
        userLeft()
    }

    /// Remembers a call that only ends by being cancelled; false when the instance is retired already.
    func remember(stream ticket: CallTicket) -> Bool {
        // A call's own lock is never taken under this one: a call that emits takes them the other way round.
        let ended = state.withLock { $0.streams }.filter { !$0.value.isRunning }.map(\.key)
        return state.withLock { state in
            guard !state.isRetired else { return false }
            for number in ended { state.streams[number] = nil }
            state.nextStream += 1
            state.streams[state.nextStream] = ticket
            return true
        }
    }

    /// No new calls: running ones go on, streams are asked to move, and the last to leave destroys.
    func retire() {
        let (isFirst, streams) = state.withLock { state -> (Bool, [CallTicket]) in
            guard !state.isRetired else { return (false, []) }
            state.isRetired = true
            state.users += 1
            defer { state.streams = [:] }
            return (true, Array(state.streams.values))
        }
        guard isFirst else { return }
        for stream in streams { stream.cancel(.instanceReplaced) }
        runtime.invokeLater(on: self) { [self] in
            runtime.suspect.call(.destroy) { api.drain?(pointer) }
            userLeft()
        }
    }

    private func userLeft() {
        let destroys = state.withLock { state in
            state.users -= 1
            guard state.isRetired, state.users == 0, !state.isDestroyed else { return false }
            state.isDestroyed = true
            return true
        }
        guard destroys else { return }
        // Never from within a function that the plugin is calling: it may hold a lock, or be the thread that destroy joins.
        runtime.invokeLater(on: self) { [self] in
            runtime.suspect.call(.destroy) { api.destroy?(pointer) }
            if runtime.process?.removesConfigurations != true { runtime.configurations.remove(config) }
            onDestroyed(self)
        }
    }
}

extension PluginError {
    /// Why a stream is cancelled when its instance is replaced; whoever runs it starts it again.
    static let instanceReplaced = PluginError(
        .state, "the data source or its plugin was replaced", source: .host, hint: instanceReplacedHint)

    /// The hint of that error.
    package static let instanceReplacedHint = "instance-replaced"

    var isInstanceReplaced: Bool { code == .state && hint == Self.instanceReplacedHint }
}
