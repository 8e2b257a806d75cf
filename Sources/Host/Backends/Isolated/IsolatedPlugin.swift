// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CRunnerProtocol
internal import NIOCore
internal import PluginABI
internal import Processes
internal import Synchronization

/// A plugin whose code runs in a process of its own (L2, L3).
///
/// To the host it is a plugin with tables (``IsolatedTables``), which turn each call into a message. The process may end
/// and be replaced at any time behind them: instances are made again in the new process when they are called, and calls
/// that may be repeated and have sent nothing yet are repeated once.
///
/// Safety: everything mutable is in `state`.
final class IsolatedPlugin: @unchecked Sendable {
    enum Phase {
        /// No process; the next call starts one.
        case stopped
        /// A process is started when its pause is over.
        case paused
        case starting(RunnerProcess?)
        case running(RunnerProcess)
        /// The library is closed for good.
        case closed
    }

    struct State {
        var phase = Phase.stopped
        /// What processes run; given back when the library is closed, since the host keeps the plugin for ever.
        var image: SealedImage?
        /// Counts the processes; an instance that was made in another one has to be made again.
        var serial = 0
        var policy = RestartPolicy()
        var runtime: PluginRuntime?
        var facts: RunnerFacts?
        var opened: RunnerLibrary?
        var instances: [UInt64: IsolatedInstance] = [:]
        var lastInstance: UInt64 = 0
        /// Instances that are being made in the process, by the call of the message.
        var creating: [UInt64: IsolatedInstance] = [:]
        /// The configurations of instances that are being destroyed in a process, by their numbers.
        var destroying: [UInt64: (config: UInt64, process: RunnerProcess)] = [:]
        /// Processes that close their library, and may use the host's services until they end.
        var closing: [RunnerProcess] = []
        /// Calls that the process has.
        var calls: [UInt64: IsolatedCall] = [:]
        /// Calls that no process has yet.
        var waiting: [IsolatedCall] = []
        var isIdleChecked = false
        var lastBusy: Int64 = 0
        var restarts = 0
        var limitsHit: [String: Int] = [:]
        var lastFailure = ""
        var processorSeconds = 0.0
        var processor = ProcessorAccount()
        var lastLines: [String] = []
        /// Why the library was not opened, or an instance not made, once more.
        var lastOwnError = ""

        var isStarting: Bool {
            if case .starting = phase { true } else { false }
        }

        var process: RunnerProcess? {
            switch phase {
            case .starting(let process): process
            case .running(let process): process
            case .stopped, .paused, .closed: nil
            }
        }
    }

    /// Marks the calls with which a library is opened, and instances are made, once more: the host has none of them.
    static let ownCall: UInt64 = 1 << 63

    let id: String
    let level: IsolationLevel
    let settings: RunnerSettings
    let services: HostServices
    let launch: RunnerLaunch
    let extensions = IsolatedExtensions()
    let state: Mutex<State>
    /// Told once: what the first process said of its library, or why there is none.
    let firstFacts = BlockingResult<Result<RunnerFacts, RunnerFailure>>()
    /// Told once: the status of the first opening.
    let firstOpening = BlockingResult<gf_status>()

    init(
        _ launch: RunnerLaunch, image: SealedImage, level: IsolationLevel, settings: RunnerSettings,
        services: HostServices
    ) {
        id = launch.pluginID
        state = Mutex(State(image: image))
        self.launch = launch
        self.level = level
        self.settings = settings
        self.services = services
    }

    // MARK: What has to be done next

    /// What `advance` found to do; done outside of the lock.
    private enum Step {
        case nothing
        case launch
        case pause(until: Int64)
        case refuse([IsolatedCall], [IsolatedInstance], PluginError)
        case send(RunnerProcess, [IsolatedInstance], [IsolatedCall])
    }

    /// Starts a process if one is needed, and gives it what waits for it.
    func advance() {
        let now = MonotonicTime.now
        let step = state.withLock { nextStep(&$0, now: now) }
        switch step {
        case .nothing: return
        case .launch: launchProcess()
        case .pause(let until): wake(at: until)
        case .send(let process, let instances, let calls):
            for instance in instances { process.send(instance.creation) }
            for call in calls { deliver(call, to: process) }
            if !calls.isEmpty || !instances.isEmpty { watchProcess() }
        case .refuse(let calls, let instances, let error):
            for instance in instances { instance.fail(error, on: self) }
            for call in calls { finish(call.handle, error) }
        }
    }

    private func nextStep(_ state: inout State, now: Int64) -> Step {
        let isWanted = !state.waiting.isEmpty || state.instances.values.contains { $0.isAwaited }
        switch state.phase {
        case .stopped where isWanted:
            switch state.policy.decide(at: now) {
            case .start(let time) where time <= now:
                state.phase = .starting(nil)
                return .launch
            case .start(let time) where time &- now <= RestartPolicy.patience:
                state.phase = .paused
                return .pause(until: time)
            case .start(let time):
                return refuse(&state, "failed and is started again in", time &- now)
            case .refuse(let time):
                return refuse(
                    &state, "failed \(RestartPolicy.maxFailures) times within ten minutes and is not started again for",
                    time &- now)
            }
        case .running(let process) where isWanted:
            return deliverable(&state, process)
        default:
            return .nothing
        }
    }

    /// The calls that the process can take now, and the instances that have to be made for the others.
    private func deliverable(_ state: inout State, _ process: RunnerProcess) -> Step {
        var made: [IsolatedInstance] = []
        var left: [IsolatedCall] = []
        var ready: [IsolatedCall] = []
        func make(_ instance: IsolatedInstance) {
            guard instance.serial != state.serial, !instance.isCreating else { return }
            instance.isCreating = true
            if !instance.isAwaited { instance.renameCreation() }
            state.creating[instance.creationCall] = instance
            made.append(instance)
        }
        for instance in state.instances.values where instance.isAwaited { make(instance) }
        for call in state.waiting {
            if call.instance.serial == state.serial {
                state.calls[call.handle] = call
                state.processor.began()
                ready.append(call)
            } else {
                make(call.instance)
                left.append(call)
            }
        }
        state.waiting = left
        return .send(process, made, ready)
    }

    /// Sends a call that is registered as the process's; a cancellation that came meanwhile follows it.
    func deliver(_ call: IsolatedCall, to process: RunnerProcess) {
        process.callBegan()
        process.send(call.message)
        let isCancelled = state.withLock { _ in
            call.isSent = true
            return call.isCancelled
        }
        if isCancelled { send(RUNNER_CANCEL, call.handle, to: process) }
    }

    func send(_ type: UInt32, _ call: UInt64, to process: RunnerProcess) {
        var writer = MessageWriter()
        writer.message(type, call: call)
        process.send(writer)
    }

    private func wake(at time: Int64) {
        let delay = max(0, time &- MonotonicTime.now)
        services.eventLoops.next().scheduleTask(in: .nanoseconds(delay)) { [self] in
            state.withLock { state in
                if case .paused = state.phase { state.phase = .stopped }
            }
            advance()
        }
    }

    /// Ends what waits, in words that say when a process is started again.
    private func refuse(_ state: inout State, _ fact: String, _ nanoseconds: Int64) -> Step {
        let seconds = max(1, (nanoseconds &+ 999_999_999) / 1_000_000_000)
        let error = PluginError(
            .crashed,
            "plugin '\(id)' \(fact) \(seconds) \(seconds == 1 ? "second" : "seconds"): its process "
                + "\(state.lastFailure); see its log lines, and reload it when it is mended",
            source: .host, retryAfter: .seconds(seconds))
        defer { state.waiting = [] }
        return .refuse(state.waiting, state.instances.values.filter(\.isAwaited), error)
    }

    // MARK: Calls

    /// Ends a call for the host: with the status alone, or with the reason for it.
    func finish(_ handle: UInt64, _ error: PluginError?) {
        guard let calls = state.withLock({ $0.runtime })?.calls, let handle = OpaquePointer(bitPattern: UInt(handle))
        else { return }
        if let error, calls.isRunning(handle) { error.withGF(refID: "") { _ = calls.setError(handle, $0) } }
        _ = calls.complete(handle, error?.code.rawValue ?? GF_OK, isHosts: true)
    }

    /// Begins a call: sends it if the process has its instance, else lets it wait.
    func start(_ call: IsolatedCall) -> gf_status {
        enum Way {
            case send(RunnerProcess)
            case wait
            case closed
        }
        let way = state.withLock { state -> Way in
            switch state.phase {
            case .closed: return .closed
            case .running(let process) where call.instance.serial == state.serial:
                state.calls[call.handle] = call
                state.processor.began()
                return .send(process)
            default:
                state.waiting.append(call)
                return .wait
            }
        }
        switch way {
        case .closed: return GF_STATE
        case .send(let process):
            deliver(call, to: process)
            watchProcess()
        case .wait: advance()
        }
        // One that was cancelled before it was noted here: whoever said so did not find it.
        if isCancelled(call.handle) { cancel(call.handle) }
        return GF_OK
    }

    private func isCancelled(_ handle: UInt64) -> Bool {
        let calls = state.withLock { $0.runtime }?.calls
        return calls?.isCancelled(OpaquePointer(bitPattern: UInt(handle))) ?? false
    }

    /// The host cancels a call.
    func cancel(_ handle: UInt64) {
        enum Way {
            case tell(RunnerProcess)
            case drop
            case nothing
        }
        let way = state.withLock { state -> Way in
            if let index = state.waiting.firstIndex(where: { $0.handle == handle }) {
                state.waiting.remove(at: index)
                return .drop
            }
            guard let call = state.calls[handle], !call.isCancelled else { return .nothing }
            call.isCancelled = true
            guard call.isSent, let process = state.process else { return .nothing }
            return .tell(process)
        }
        switch way {
        case .nothing: return
        case .tell(let process): send(RUNNER_CANCEL, handle, to: process)
        case .drop: finish(handle, PluginError(.cancelled, "the call was cancelled"))
        }
    }

    /// Passes an event of a call on; credit only when the plugin waits for it.
    func resume(_ handle: UInt64, event: UInt32, source: UInt64) {
        let process = state.withLock { state -> RunnerProcess? in
            guard let call = state.calls[handle] else { return nil }
            if event == GF_EVENT_CREDIT {
                guard call.awaitsCredit else { return nil }
                call.awaitsCredit = false
            }
            return state.process
        }
        guard let process else { return }
        guard event != GF_EVENT_CREDIT else { return send(RUNNER_CREDIT, handle, to: process) }
        var writer = MessageWriter()
        writer.message(
            RUNNER_EVENT, call: handle, runner_event(struct_size: 0, event: event, source: source))
        process.send(writer)
    }
}

/// A call that a process has, or will have.
///
/// Safety: the mutable fields are touched only under the lock of the plugin's state.
final class IsolatedCall: @unchecked Sendable {
    let handle: UInt64
    let kind: UInt32
    let instance: IsolatedInstance
    /// The START, kept for the case that it has to be sent again.
    let message: MessageWriter
    var isSent = false
    var isCancelled = false
    var hasEmitted = false
    var isRepeated = false
    var awaitsCredit = false
    var isRefused = false

    init(handle: UInt64, kind: UInt32, instance: IsolatedInstance, message: consuming MessageWriter) {
        self.handle = handle
        self.kind = kind
        self.instance = instance
        self.message = message
    }

    /// Whether another process may run it once more: it changes nothing, and nobody has seen anything of it.
    var mayBeRepeated: Bool {
        (kind == GF_CALL_QUERY || kind == GF_CALL_HEALTH) && !hasEmitted && !isRepeated && !isCancelled
    }
}

/// One instance as the host knows it, whatever process it is in.
///
/// Safety: the mutable fields are touched only under the lock of the plugin's state.
final class IsolatedInstance: @unchecked Sendable {
    let number: UInt64
    let plugin: IsolatedPlugin
    /// The CREATE message.
    private(set) var creation: MessageWriter
    /// The handle of its configuration.
    let config: UInt64
    /// The call of the CREATE message: the host's for the first one.
    private(set) var creationCall: UInt64
    /// Told once: how the first creation ended.
    let firstCreation = BlockingResult<gf_status>()
    /// The process that has the instance; 0: none yet.
    var serial = 0
    var isCreating = false
    /// Its creation was lost with a process once.
    var isRepeated = false
    /// Somebody waits for the first creation.
    var isAwaited = true

    init(
        number: UInt64, plugin: IsolatedPlugin, config: UInt64, creationCall: UInt64, creation: consuming MessageWriter
    ) {
        self.config = config
        self.number = number
        self.plugin = plugin
        self.creationCall = creationCall
        self.creation = creation
    }

    /// Gives the CREATE message a call that is none of the host's, whose own has ended.
    func renameCreation() {
        creationCall = IsolatedPlugin.ownCall | number << 16
        creation.rename(call: creationCall)
    }

    static func from(_ pointer: OpaquePointer?) -> IsolatedInstance? {
        pointer.map { Unmanaged<IsolatedInstance>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
    }

    /// The first creation failed; the reason is told under the handle of the host's call.
    func fail(_ error: PluginError, on plugin: IsolatedPlugin) {
        let runtime = plugin.state.withLock { state in
            isAwaited = false
            state.instances[number] = nil
            return state.runtime
        }
        if let handle = OpaquePointer(bitPattern: UInt(creationCall)) {
            error.withGF(refID: "") { _ = runtime?.calls?.setError(handle, $0) }
        }
        firstCreation.fulfil(error.code.rawValue)
    }
}
