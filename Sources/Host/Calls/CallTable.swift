// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import Logging
public import PluginABI
internal import Synchronization

/// Names a running call for the one who started it.
public struct CallTicket: Sendable {
    let table: CallTable
    let index: Int
    let generation: UInt

    /// Asks the plugin to end the call; the receiver gets the reason when the plugin does not answer otherwise.
    public func cancel(_ reason: PluginError = PluginError(.cancelled, "the call was cancelled")) {
        table.cancel(index: index, generation: generation, reason: reason)
    }

    /// Whether the call has neither ended nor been given up.
    var isRunning: Bool {
        table.withRunning(CallSlot.handle(index: index, generation: generation)) { _, _ in true } ?? false
    }

    /// Gives back room in the call's window; a plugin that waits for it goes on.
    public func consumed(bytes: Int) {
        table.consumed(bytes, index: index, generation: generation)
    }
}

/// What the host calls.
///
/// Safety: `request` points into `memory`, which nobody writes.
struct CallStart: @unchecked Sendable {
    var kind: UInt32
    /// The request struct of the kind, and what keeps it and its pointers alive.
    var request: UnsafeRawPointer?
    var memory: AnyObject?
    var instance: PluginInstance
    var facts: CallFacts
    var limits: CallLimits
    var input: CallInput?
    var receiver: any CallReceiver
}

/// All calls of one opened library.
///
/// The table is the only place where calls begin and end; it keeps the contract when the plugin does not: each call
/// completes exactly once, a plugin that never completes is given up after its deadline, and what comes too late or twice
/// is logged and changes nothing.
final class CallTable: Sendable {
    private struct Slots {
        var all: [CallSlot] = []
        var free: [Int] = []
    }

    let api: gf_call_api
    let runtime: PluginRuntime
    private let slots = Mutex(Slots())
    /// All slots, readable without the lock: chunk pointers are published once and never change.
    private let directory: SlotDirectory

    init(api: gf_call_api, runtime: PluginRuntime) {
        self.api = api
        self.runtime = runtime
        directory = SlotDirectory()
    }

    // MARK: Begin

    /// Begins a call; its receiver gets everything else, also a failure to begin.
    func begin(_ start: CallStart) -> CallTicket {
        guard let slot = takeSlot() else {
            start.receiver.completed(
                PluginError(
                    .limit, "plugin '\(runtime.id)' has \(CallSlot.maxCount) calls running; try again later",
                    source: .limit))
            return CallTicket(table: self, index: 0, generation: 0)
        }
        let now = MonotonicTime.now
        let generation = slot.state.withLock { state in
            state.phase = .running
            state.kind = start.kind
            state.receiver = start.receiver
            state.instance = start.instance
            state.request = start.request
            state.memory = start.memory
            state.facts = start.facts
            state.input = start.input
            state.limits = start.limits
            state.bytesLeft = start.limits.bytes
            state.rowsLeft = start.limits.rows
            if let time = start.limits.time { state.deadline = now &+ time.nanoseconds }
            return state.generation
        }
        let dueAt = start.limits.time.map { now &+ $0.nanoseconds } ?? .max
        slot.dueAt.store(dueAt, ordering: .releasing)
        if dueAt != .max { runtime.watchdog.watch(dueAt) }
        start.instance.callBegan()
        if runtime.isInline {
            invokeStart(slot, generation: generation)
        } else {
            runtime.invoke(on: start.instance) { [self] in invokeStart(slot, generation: generation) }
        }
        return CallTicket(table: self, index: slot.index, generation: generation)
    }

    /// Runs a function of the library under a handle of its own, for `error_set`; the call completes when it returns.
    func beginLifecycle(
        limits: CallLimits, receiver: any CallReceiver, _ body: @escaping @Sendable (OpaquePointer) -> gf_status
    ) {
        guard let slot = takeSlot() else {
            receiver.completed(PluginError(.limit, "plugin '\(runtime.id)' has too many calls running", source: .limit))
            return
        }
        let dueAt = limits.time.map { MonotonicTime.now &+ $0.nanoseconds } ?? .max
        let generation = slot.state.withLock { state in
            state.phase = .running
            state.kind = GF_CALL_LIFECYCLE
            state.hasStarted = true
            state.running = 1
            state.receiver = receiver
            state.limits = limits
            state.deadline = dueAt
            return state.generation
        }
        slot.dueAt.store(dueAt, ordering: .releasing)
        if dueAt != .max { runtime.watchdog.watch(dueAt) }
        runtime.invokeOnLibrary { [self] in
            guard let handle = CallSlot.handle(index: slot.index, generation: generation) else { return }
            let status = runtime.suspect.call(.create) { body(handle) }
            let ended = slot.state.withLock { state -> (receiver: (any CallReceiver)?, error: PluginError?)? in
                guard state.generation == generation, state.phase == .running else { return nil }
                state.phase = .completed
                let receiver = state.receiver
                state.receiver = nil
                return (receiver, status == GF_OK ? nil : Self.failure(status, of: state, plugin: runtime.id))
            }
            ended?.receiver?.completed(ended?.error)
            functionReturned(slot)
        }
    }

    private func invokeStart(_ slot: CallSlot, generation: UInt) {
        let begin: (instance: PluginInstance, kind: UInt32, request: UnsafeRawPointer?)? = slot.state.withLock {
            state in
            guard state.generation == generation, state.phase == .running, let instance = state.instance else {
                return nil
            }
            state.hasStarted = true
            state.running += 1
            return (instance, state.kind, state.request)
        }
        guard let begin else { return }
        let handle = CallSlot.handle(index: slot.index, generation: generation)
        let status = runtime.suspect.call(.start, kind: begin.kind) {
            api.start?(begin.instance.pointer, handle, begin.kind, begin.request) ?? GF_UNSUPPORTED
        }
        if status != GF_OK { startFailed(slot, status) }
        functionReturned(slot)
    }

    /// The plugin's start answered an error: the call has ended, unless the plugin completed it as well.
    private func startFailed(_ slot: CallSlot, _ status: gf_status) {
        let ended = slot.state.withLock { state -> (receiver: (any CallReceiver)?, error: PluginError)? in
            guard state.phase == .running || state.phase == .abandoned else { return nil }
            let receiver = state.receiver
            state.phase = .completed
            state.receiver = nil
            return (receiver, Self.failure(status, of: state, plugin: runtime.id))
        }
        if let ended {
            ended.receiver?.completed(ended.error)
        } else {
            runtime.misbehaved("start answered \(status) for a call that had completed already", rule: "GF-R-011")
        }
    }

    // MARK: End

    /// The plugin completes a call.
    ///
    /// - Parameter isHosts: whether the host does so for a plugin that cannot: what is late then is no fault of the plugin.
    func complete(_ handle: OpaquePointer, _ status: gf_status, isHosts: Bool = false) -> gf_status {
        guard let (slot, generation) = find(handle) else { return isHosts ? GF_STATE : lateCompletion() }
        enum Outcome {
            case delivered((any CallReceiver)?, PluginError?, [(refID: String, error: PluginError)])
            case late
            case twice
        }
        let outcome = slot.state.withLock { state -> Outcome in
            guard state.generation == generation else { return .twice }
            switch state.phase {
            case .running:
                state.phase = .completed
                let receiver = state.receiver
                state.receiver = nil
                let error = status == GF_OK && state.error == nil ? nil : Self.outcome(status, of: state, runtime.id)
                if status == GF_OK, error == nil, !state.dropped.isEmpty, let reason = state.cancelReason {
                    // In another process the plugin does not learn that nobody took its last rows.
                    let failed = state.dropped.filter { !$0.isEmpty }.sorted().map { (refID: $0, error: reason) }
                    return .delivered(receiver, state.dropped.contains("") ? reason : nil, failed)
                }
                return .delivered(receiver, error, [])
            case .abandoned:
                state.phase = .completed
                return .late
            case .completed, .free:
                return .twice
            }
        }
        switch outcome {
        case .delivered(let receiver, let error, let failed):
            for query in failed { receiver?.failed(query.error, refID: query.refID) }
            receiver?.completed(error)
        case .late:
            runtime.counters.stuck.subtract(1, ordering: .relaxed)
            if !isHosts { runtime.misbehaved("a call was completed after it had been given up", rule: "GF-R-011") }
        case .twice: return isHosts ? GF_STATE : lateCompletion()
        }
        finishIfIdle(slot)
        return GF_OK
    }

    private func lateCompletion() -> gf_status {
        runtime.misbehaved("a call was completed twice, or after its end", rule: "GF-R-011")
        return GF_STATE
    }

    /// A function of the plugin has returned for this call.
    private func functionReturned(_ slot: CallSlot) {
        slot.state.withLock { $0.running -= 1 }
        finishIfIdle(slot)
    }

    /// Frees a slot when the call has completed and none of its functions runs any more.
    private func finishIfIdle(_ slot: CallSlot) {
        typealias Ended = (state: UnsafeMutableRawPointer?, instance: PluginInstance?, resources: CallResources)
        let ended = slot.state.withLock { state -> Ended? in
            guard state.phase == .completed, state.running == 0 else { return nil }
            let ended = (state.pluginState, state.instance, state.resources)
            let generation = state.generation &+ 1
            state = CallSlot.State()
            state.generation = generation & (UInt.max >> 16) == 0 ? 1 : generation
            return ended
        }
        guard let ended else { return }
        slot.dueAt.store(.max, ordering: .releasing)
        ended.resources.endWithCall()
        if let pluginState = ended.state, let instance = ended.instance {
            runtime.suspect.call(.release) { api.release?(instance.pointer, pluginState) }
        }
        ended.instance?.callEnded()
        slots.withLock { $0.free.append(slot.index) }
    }

    // MARK: Cancel, resume, credit

    func cancel(index: Int, generation: UInt, reason: PluginError) {
        guard let slot = directory[index] else { return }
        enum Action {
            case nothing
            case tell(PluginInstance)
            case drop((any CallReceiver)?)
        }
        let now = MonotonicTime.now
        let action = slot.state.withLock { state -> Action in
            guard state.generation == generation, state.phase == .running, state.cancelReason == nil else {
                return .nothing
            }
            state.cancelReason = reason
            guard state.hasStarted, let instance = state.instance else {
                let receiver = state.receiver
                state.receiver = nil
                state.phase = .completed
                return .drop(receiver)
            }
            state.abandonAt = now &+ state.limits.grace.nanoseconds
            slot.dueAt.store(state.abandonAt, ordering: .releasing)
            state.running += 1
            return .tell(instance)
        }
        switch action {
        case .nothing: return
        case .drop(let receiver):
            receiver?.completed(reason)
            finishIfIdle(slot)
        case .tell(let instance):
            runtime.watchdog.watch(slot.dueAt.load(ordering: .acquiring))
            tellCancel(slot, generation: generation, instance)
        }
    }

    func cancelAll(_ reason: PluginError) {
        for slot in slots.withLock({ $0.all }) {
            cancel(index: slot.index, generation: slot.state.withLock { $0.generation }, reason: reason)
        }
    }

    /// Calls `cancel` with the word that the plugin has set by then; the slot counts one running function for it.
    private func tellCancel(_ slot: CallSlot, generation: UInt, _ instance: PluginInstance) {
        runtime.control { [self] in
            let handle = CallSlot.handle(index: slot.index, generation: generation)
            let word = slot.state.withLock { PluginWord(pointer: $0.pluginState) }
            runtime.suspect.call(.cancel) { api.cancel?(instance.pointer, handle, word.pointer) }
            functionReturned(slot)
        }
    }

    /// Stores the plugin's word for a call.
    ///
    /// A call that was cancelled before is told so again, now that it can be found.
    func setState(_ handle: OpaquePointer?, _ word: UnsafeMutableRawPointer?) -> gf_status {
        let known = withRunning(handle) { state, slot -> (again: PluginInstance?, slot: CallSlot, generation: UInt) in
            let isLate = state.pluginState == nil && state.cancelReason != nil
            state.pluginState = word
            if isLate { state.running += 1 }
            return (isLate ? state.instance : nil, slot, state.generation)
        }
        guard let known else { return GF_STATE }
        if let instance = known.again { tellCancel(known.slot, generation: known.generation, instance) }
        return GF_OK
    }

    /// Tells the plugin of an event, unless the call has ended.
    func resume(index: Int, generation: UInt, event: UInt32, source: UInt64) {
        guard let slot = directory[index] else { return }
        let target = slot.state.withLock { state -> (PluginInstance, UnsafeMutableRawPointer?, UInt32)? in
            guard state.generation == generation, state.phase == .running, let instance = state.instance else {
                return nil
            }
            state.running += 1
            return (instance, state.pluginState, state.kind)
        }
        guard let (instance, pluginState, kind) = target else { return }
        let state = PluginWord(pointer: pluginState)
        runtime.invoke(on: instance) { [self] in
            let handle = CallSlot.handle(index: index, generation: generation)
            runtime.suspect.call(.resume, kind: kind) {
                api.resume?(instance.pointer, handle, state.pointer, event, source)
            }
            functionReturned(slot)
        }
    }

    func consumed(_ bytes: Int, index: Int, generation: UInt) {
        guard bytes > 0, let slot = directory[index] else { return }
        let wakes = slot.state.withLock { state in
            guard state.generation == generation, state.phase == .running else { return false }
            state.outstanding = max(0, state.outstanding - bytes)
            guard state.wantsCredit, state.outstanding <= state.limits.window / 2 else { return false }
            state.wantsCredit = false
            return true
        }
        guard wakes else { return }
        if runtime.isBlocking {
            runtime.creditGate.broadcast()
        } else {
            resume(index: index, generation: generation, event: GF_EVENT_CREDIT, source: 0)
        }
    }

    /// Whether a call has neither ended nor been given up.
    func isRunning(_ handle: OpaquePointer?) -> Bool { withRunning(handle) { _, _ in true } ?? false }

    /// Whether a running call is to end.
    func isCancelled(_ handle: OpaquePointer?) -> Bool {
        withRunning(handle) { state, _ in state.cancelReason != nil } ?? false
    }

    // MARK: The watchdog

    /// Cancels what is past its deadline, gives up what did not end in its grace, and returns the next due time.
    func check(now: Int64) -> Int64 {
        var next = Int64.max
        for slot in slots.withLock({ $0.all }) {
            let dueAt = slot.dueAt.load(ordering: .acquiring)
            if dueAt <= now { due(slot, now: now) }
            next = min(next, slot.dueAt.load(ordering: .acquiring))
        }
        return next
    }

    private func due(_ slot: CallSlot, now: Int64) {
        enum Action {
            case cancel(UInt, Duration)
            case abandon((any CallReceiver)?, PluginError, PluginInstance?, CallResources)
            case nothing
        }
        let action = slot.state.withLock { state -> Action in
            guard state.phase == .running else {
                slot.dueAt.store(.max, ordering: .releasing)
                return .nothing
            }
            if state.abandonAt <= now || state.kind == GF_CALL_LIFECYCLE {
                state.phase = .abandoned
                slot.dueAt.store(.max, ordering: .releasing)
                let receiver = state.receiver
                state.receiver = nil
                let reason =
                    state.cancelReason
                    ?? PluginError(
                        .timeout, "plugin '\(runtime.id)' did not answer in time and was given up", source: .limit)
                defer { state.resources = CallResources() }
                return .abandon(receiver, reason, state.instance, state.resources)
            }
            guard state.deadline <= now, let time = state.limits.time else { return .nothing }
            return .cancel(state.generation, time)
        }
        switch action {
        case .nothing: return
        case .cancel(let generation, let time):
            cancel(index: slot.index, generation: generation, reason: Self.outOfTime(time, runtime.id))
        case .abandon(let receiver, let reason, let instance, let resources):
            resources.endWithCall()
            runtime.gaveUp(on: instance)
            receiver?.completed(reason)
        }
    }

    // MARK: Slots

    private func takeSlot() -> CallSlot? {
        slots.withLock { slots in
            if let index = slots.free.popLast() { return slots.all[index] }
            guard slots.all.count < CallSlot.maxCount else { return nil }
            let slot = CallSlot(index: slots.all.count)
            slots.all.append(slot)
            directory.publish(slot)
            return slot
        }
    }

    /// The slot that a handle names, with the generation it names.
    func find(_ handle: OpaquePointer) -> (slot: CallSlot, generation: UInt)? {
        let (index, generation) = CallSlot.parts(of: handle)
        guard let slot = directory[index] else { return nil }
        return (slot, generation)
    }

    /// Runs `body` on the state of a running call; nil when the handle names none.
    func withRunning<R: Sendable>(_ handle: OpaquePointer?, _ body: (inout CallSlot.State, CallSlot) -> R) -> R? {
        guard let handle, let (slot, generation) = find(handle) else { return nil }
        return slot.state.withLock { state in
            guard state.generation == generation, state.phase == .running else { return nil }
            return body(&state, slot)
        }
    }

    // MARK: Errors

    /// What the receiver learns when the plugin says `status`.
    private static func outcome(_ status: gf_status, of state: CallSlot.State, _ id: String) -> PluginError? {
        if status == GF_OK {
            // Only what the host itself recorded fails a call that the plugin calls good (GF-R-013).
            return state.error?.source == .limit || state.error?.code == .badData ? state.error : nil
        }
        return failure(status, of: state, plugin: id)
    }

    /// Why a call is over although its plugin may not know: it was cancelled, or its time is up and the watchdog has yet
    /// to say so.
    static func verdict(on state: CallSlot.State, _ id: String) -> PluginError? {
        if let reason = state.cancelReason { return reason }
        guard let time = state.limits.time, state.deadline <= MonotonicTime.now else { return nil }
        return outOfTime(time, id)
    }

    private static func outOfTime(_ time: Duration, _ id: String) -> PluginError {
        PluginError(
            .timeout, "plugin '\(id)' did not answer within \(time); try a shorter time range or raise the limit",
            source: .limit)
    }

    private static func failure(_ status: gf_status, of state: CallSlot.State, plugin id: String) -> PluginError {
        if let reason = verdict(on: state, id) { return reason }
        let known = (GF_CANCELLED...GF_INTERNAL).contains(status)
        let code = PluginError.Code(rawValue: known ? status : GF_INTERNAL)
        if var error = state.error {
            if error.code == .internal { error.code = code }
            return error
        }
        return PluginError(code, "plugin '\(id)' failed without a reason: \(code.name)", source: .plugin)
    }
}

/// The plugin's word for a call.
///
/// Safety: an address that is only handed back to the plugin that set it.
private struct PluginWord: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer?
}
