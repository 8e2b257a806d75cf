// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CRunnerProtocol
internal import Glibc
internal import Logging
internal import NIOCore
internal import PluginABI
internal import Processes
internal import Synchronization

/// What a process is started with.
struct RunnerLaunch: Sendable {
    let pluginID: String
    let executable: String
    let serverVersion: String
    let environment: [String]
    /// Folders and files that a sandbox lets the plugin read.
    let folders: [String]
}

/// Why a process gave no description of its library.
struct RunnerFailure: Error, Sendable {
    /// `RUNNER_FAILED_…`; 0 when the process itself failed.
    var number: UInt32
    var text: String
}

/// The life of the processes behind a plugin.
extension IsolatedPlugin {
    /// How long a process may take to open its library.
    private static let startTime: Int64 = 30
    /// How long a process may take to close it.
    private static let closeTime: Int64 = 2

    // MARK: Start

    /// Starts a process; what it says comes on its own thread.
    func launchProcess() {
        // A plugin that is closed has no image any more, and needs no process.
        guard let image = state.withLock({ $0.image }) else { return }
        do {
            let process = try RunnerProcess(
                executable: launch.executable, pluginID: id, image: image.descriptor,
                environment: launch.environment, arenas: ArenaTable(limit: settings.sharedBytes),
                group: services.makeGroup(id, settings.groupLimits))
            let isWanted = state.withLock { state -> Bool in
                guard case .starting = state.phase else { return false }
                state.serial += 1
                state.phase = .starting(process)
                // Whoever looks at the process before notices that it is another one.
                state.processor.close()
                state.lastLines = []
                return true
            }
            if isWanted { greet(process) } else { process.end("was not needed any more") }
            process.start(self)
            limitStart(of: process)
            watchProcess()
        } catch {
            let text = (error as? PluginError)?.message ?? "\(error)"
            state.withLock { $0.noteFailure(text) }
            firstFacts.fulfil(.failure(RunnerFailure(number: 0, text: text)))
            advance()
        }
    }

    private func greet(_ process: RunnerProcess) {
        var writer = MessageWriter()
        var hello = runner_hello_t()
        hello.version = RUNNER_VERSION
        hello.abi_minor = GF_ABI_MINOR
        hello.level = UInt32(level.rawValue)
        hello.arena_bytes = settings.sharedBytes
        hello.memory_bytes = settings.memoryBytes
        hello.files = settings.files
        writer.message(RUNNER_HELLO, hello) { writer, hello in
            hello.server_name = writer.text("grafana")
            hello.server_version = writer.text(launch.serverVersion)
            hello.folders = writer.text(launch.folders.map { $0 + "\n" }.joined())
        }
        process.send(writer)
    }

    /// Ends a process that does not open its library in time.
    private func limitStart(of process: RunnerProcess) {
        services.eventLoops.next().scheduleTask(in: .seconds(Self.startTime)) { [weak self] in
            let isLate = self?.state.withLock { state -> Bool in
                if case .starting(let current) = state.phase { return current === process }
                return false
            }
            if isLate == true { process.end("did not start within \(Self.startTime) seconds") }
        }
    }

    /// The process has described its library: the first one waits to be opened by the host, others are opened at once.
    func greeted(_ facts: RunnerFacts, by process: RunnerProcess) -> String? {
        let known = state.withLock { state in
            defer { if state.facts == nil { state.facts = facts } }
            return state.facts
        }
        guard let known else {
            firstFacts.fulfil(.success(facts))
            return nil
        }
        guard known == facts else { return "its library describes itself in another way than before" }
        send(RUNNER_OPEN, Self.ownCall, to: process)
        return nil
    }

    /// The library is open, or refuses to be.
    func opened(_ library: RunnerLibrary, status: gf_status, by process: RunnerProcess) -> String? {
        let isFirst = state.withLock { state -> Bool in
            let isFirst = state.opened == nil
            // It may have been closed, or given up, since the message was looked at.
            guard status == GF_OK, case .starting(let current) = state.phase, current === process else {
                return isFirst
            }
            if isFirst { state.opened = library }
            state.phase = .running(process)
            state.lastBusy = MonotonicTime.now
            return isFirst
        }
        guard status == GF_OK || isFirst else { return "its library could not be opened again: status \(status)" }
        if isFirst { firstOpening.fulfil(status) }
        advance()
        stopWhenIdle()
        return nil
    }

    // MARK: End

    /// The process that was the current one has ended: what it had is repeated or fails.
    private func lost(_ exit: RunnerExit) {
        let text = failureText(exit)
        let error = PluginError(
            .crashed, "the process of plugin '\(id)' \(text); it is started again with the next call", source: .plugin)
        let (ended, repeated, instances) = state.withLock {
            state -> ([IsolatedCall], [IsolatedCall], [IsolatedInstance]) in
            // In one step with what the process had, so that nothing of its successor is taken for it.
            state.noteFailure(text)
            let calls = state.calls.values.sorted { $0.handle < $1.handle }
            // One that the server ended, for the sake of another call, says nothing about them: they are made once more.
            let creating = state.creating.values.filter { exit.reason == nil || $0.isRepeated }
            for instance in state.creating.values {
                instance.isCreating = false
                instance.isRepeated = true
            }
            state.calls = [:]
            state.creating = [:]
            // One that was given up has nobody who would give it up once more.
            let table = state.runtime?.calls
            func isRepeated(_ call: IsolatedCall) -> Bool {
                call.mayBeRepeated && table?.isRunning(OpaquePointer(bitPattern: UInt(call.handle))) == true
            }
            let repeated = calls.filter(isRepeated)
            let failed = calls.filter { !isRepeated($0) }
            for call in repeated {
                call.isRepeated = true
                call.isSent = false
            }
            // A call whose instance took the process down with it is not worth another one.
            let poisoned = state.waiting.filter { call in creating.contains { $0 === call.instance } }
            let others = state.waiting.filter { call in !poisoned.contains { $0 === call } }
            state.waiting = repeated + others
            return (failed + poisoned, repeated, creating.filter(\.isAwaited))
        }
        let table = state.withLock { $0.runtime }?.calls
        for call in repeated { table?.endResources(OpaquePointer(bitPattern: UInt(call.handle))) }
        services.logger.error(
            "Plugin process failed",
            metadata: [
                "plugin.id": "\(id)", "process": "\(text)", "calls-failed": "\(ended.count)",
            ])
        firstFacts.fulfil(.failure(RunnerFailure(number: 0, text: text)))
        firstOpening.fulfil(GF_CRASHED)
        for instance in instances { instance.fail(error, on: self) }
        for call in ended { finish(call.handle, error) }
        advance()
    }

    private func failureText(_ exit: RunnerExit) -> String {
        let lines = state.withLock { $0.lastLines }
        var text = exit.text
        state.withLock { state in
            for limit in exit.end.limits { state.limitsHit[limit.rawValue, default: 0] += 1 }
        }
        if exit.end.limits.contains(.memory) {
            text += ", because it needed more than its \(settings.groupLimits.memoryBytes >> 20) MiB of memory"
        } else if settings.memoryBytes > 0, exit.end.mostMemoryBytes > Int(settings.memoryBytes) / 10 * 9 {
            state.withLock { $0.limitsHit["memory", default: 0] += 1 }
            text += ", having used \(exit.end.mostMemoryBytes >> 20) of \(settings.memoryBytes >> 20) MiB"
        }
        return lines.isEmpty ? text : text + ": " + lines.joined(separator: " | ")
    }

    /// Stops a process that nobody has called for the idle time, unless its instances remember something.
    func stopWhenIdle() {
        guard let idleTime = settings.idleTime else { return }
        let isNew = state.withLock { state in
            guard !state.isIdleChecked, state.opened?.extensions.contains(GF_STATE_EXT) == false else { return false }
            state.isIdleChecked = true
            return true
        }
        guard isNew else { return }
        services.eventLoops.next().scheduleTask(in: .nanoseconds(idleTime.nanoseconds)) { [weak self] in
            self?.idleCheck(idleTime)
        }
    }

    private func idleCheck(_ idleTime: Duration) {
        let process = state.withLock { state -> RunnerProcess? in
            state.isIdleChecked = false
            guard case .running(let process) = state.phase, state.calls.isEmpty, state.waiting.isEmpty,
                state.creating.isEmpty, MonotonicTime.now &- state.lastBusy >= idleTime.nanoseconds
            else { return nil }
            state.phase = .stopped
            return process
        }
        guard let process else { return stopWhenIdle() }
        stop(process)
    }

    /// Lets a process close its library; one that does not is ended.
    private func stop(_ process: RunnerProcess) {
        let instances = state.withLock { state in
            state.closing.append(process)
            return state.instances.values.filter { $0.serial == state.serial }.map(\.number)
        }
        for number in instances { send(RUNNER_DESTROY, number, to: process) }
        send(RUNNER_CLOSE, 0, to: process)
        services.eventLoops.next().scheduleTask(in: .seconds(Self.closeTime)) {
            process.end("did not close its library within \(Self.closeTime) seconds")
        }
    }
}

extension IsolatedPlugin.State {
    /// What keeps a plugin without a process from having one.
    fileprivate var whileStopped: PluginProcessStatus.State {
        mutating get {
            let now = MonotonicTime.now
            switch policy.decide(at: now) {
            case .refuse: return .broken
            case .start(let time): return time > now ? .waiting : .stopped
            }
        }
    }

    /// Keeps the beginnings of the last lines, for the words of a failure.
    mutating func noteLine(_ line: String) {
        lastLines.append(String(line.prefix(500)))
        if lastLines.count > 5 { lastLines.removeFirst() }
    }

    /// The process failed, or could not be started, and is gone.
    fileprivate mutating func noteFailure(_ text: String) {
        policy.failed(at: MonotonicTime.now)
        restarts += 1
        lastFailure = text
        processor.close()
        if case .closed = phase { return }
        phase = .stopped
    }
}

extension IsolatedPlugin: RunnerProcessOwner {
    func wrote(_ line: String, isError: Bool) {
        let runtime = state.withLock { state in
            if isError {
                state.noteLine(line)
            }
            return state.runtime
        }
        line.withGF { runtime?.log(level: isError ? GF_LOG_WARN : GF_LOG_INFO, $0, nil, count: 0) }
    }

    func ended(_ process: RunnerProcess, _ exit: RunnerExit) {
        let (isCurrent, configs, runtime) = state.withLock { state -> (Bool, [UInt64], PluginRuntime?) in
            state.processorSeconds += exit.end.processorSeconds
            state.closing.removeAll { $0 === process }
            let ended = state.destroying.filter { $0.value.process === process }
            for number in ended.keys { state.destroying[number] = nil }
            return (state.process === process, ended.values.map { $0.config }, state.runtime)
        }
        for config in configs { runtime?.configurations.remove(config) }
        if isCurrent { lost(exit) }
    }
}

extension IsolatedPlugin: PluginProcess {
    var removesConfigurations: Bool { true }

    var status: PluginProcessStatus {
        state.withLock { state in
            var status = PluginProcessStatus(
                restarts: state.restarts, processorSeconds: state.processorSeconds, limitsHit: state.limitsHit,
                lastFailure: state.lastFailure, enforced: state.facts?.enforced ?? [])
            switch state.phase {
            case .stopped: status.state = state.whileStopped
            case .closed: status.state = .stopped
            case .paused: status.state = .waiting
            case .starting: status.state = .starting
            case .running: status.state = .running
            }
            if let process = state.process {
                status.processID = process.processID
                let usage = process.usage
                status.memoryBytes = usage.memoryBytes
                status.processorSeconds += usage.processorSeconds
            }
            return status
        }
    }

    func gaveUp() {
        let process = state.withLock { state in
            state.limitsHit["time", default: 0] += 1
            return state.process
        }
        process?.end("did not end a call in time and was ended")
    }

    func end() {
        let (process, waiting) = state.withLock { state in
            let process = state.process
            state.phase = .closed
            state.image = nil
            defer { state.waiting = [] }
            return (process, state.waiting)
        }
        if let process { stop(process) }
        firstOpening.fulfil(GF_CRASHED)
        for call in waiting { finish(call.handle, PluginError(.state, "plugin '\(id)' was closed", source: .host)) }
    }
}
