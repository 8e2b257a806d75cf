// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CRunnerProtocol
internal import PluginABI
internal import Processes
internal import Synchronization

/// What a process says of its library before it is opened.
struct RunnerFacts: Sendable, Equatable {
    var kinds: UInt32
    var abiBuilt: UInt32
    var abiNeeded: UInt32
    var sandbox: UInt32
    var id: String
    var version: String

    private static let layers = [
        (RUNNER_SANDBOX_SECCOMP, "seccomp"), (RUNNER_SANDBOX_FILES, "files"), (RUNNER_SANDBOX_TCP, "tcp"),
        (RUNNER_SANDBOX_NETWORK, "network"),
    ]

    /// What the kernel enforces of the sandbox, by name.
    var enforced: [String] { Self.layers.filter { sandbox & $0.0 != 0 }.map(\.1) }
    /// What it does not.
    var missing: [String] { Self.layers.filter { sandbox & $0.0 == 0 }.map(\.1) }
}

/// What an opened library has.
struct RunnerLibrary: Sendable {
    struct Metric: Sendable {
        var type: UInt32
        var name: String
        var help: String
        var labels: [(key: String, value: String)]
        var bounds: [Double]
    }

    var extensions: Set<String>
    var description: String
    var metrics: [Metric]
}

/// What a process sends. Nothing of it is believed: what cannot be ends the process.
extension IsolatedPlugin {
    func received(_ message: RunnerMessage, descriptor: Int32?, from process: RunnerProcess) -> String? {
        let fault = handled(message, descriptor, process)
        return fault ?? (message.isOverdrawn ? "a message of which the same bytes are several parts" : nil)
    }

    private func handled(_ message: RunnerMessage, _ descriptor: Int32?, _ process: RunnerProcess) -> String? {
        let (runtime, isCurrent, isClosing) = state.withLock { state in
            (state.runtime, state.process === process, state.closing.contains { $0 === process })
        }
        guard isCurrent || isClosing && Self.isHeardWhileClosing(message.header.type) else { return nil }
        switch message.header.type {
        case RUNNER_ARENA_ADD: return addArena(message, descriptor, process)
        case RUNNER_ARENA_DROP:
            guard let arena: runner_arena_t = message.body() else { return "a malformed ARENA_DROP" }
            process.arenas.drop(arena.arena)
            return nil
        case RUNNER_HELLO_OK: return helloOK(message, process)
        case RUNNER_FAILED: return failedToStart(message)
        case RUNNER_OPENED: return opened(message, process)
        case RUNNER_CREATED: return created(message)
        case RUNNER_DESTROYED:
            let known = state.withLock { $0.destroying.removeValue(forKey: message.header.call) }
            if let known { runtime?.configurations.remove(known.config) }
            return nil
        case RUNNER_BYE: return nil
        default:
            guard let runtime else { return "a message of type \(message.header.type) before its library was opened" }
            return received(message, process, runtime)
        }
    }

    /// What a library may need while its instances are destroyed and it is closed; no results, whose calls have ended.
    private static func isHeardWhileClosing(_ type: UInt32) -> Bool {
        switch type {
        case RUNNER_ARENA_ADD, RUNNER_ARENA_DROP, RUNNER_DESTROYED, RUNNER_LOG, RUNNER_METRIC, RUNNER_HOST_CALL: true
        default: false
        }
    }

    /// What comes from an opened library.
    private func received(_ message: RunnerMessage, _ process: RunnerProcess, _ runtime: PluginRuntime) -> String? {
        switch message.header.type {
        case RUNNER_LOG:
            spend(process)
            return log(message, runtime)
        case RUNNER_METRIC: return metric(message, runtime)
        case RUNNER_FAULT:
            spend(process)
            guard let fault: runner_text_t = message.body() else { return "a malformed FAULT" }
            let number = String(fault.number % 1_000)
            runtime.misbehaved(
                message.text(fault.text), rule: "GF-R-" + String(repeating: "0", count: 3 - number.count) + number)
            return nil
        case RUNNER_HOST_CALL: return hostCall(message, process, runtime)
        default:
            guard let calls = runtime.calls, let handle = OpaquePointer(bitPattern: UInt(message.header.call)) else {
                return "a message of type \(message.header.type) without a call"
            }
            return receivedResult(message, process, calls, handle)
        }
    }

    /// Counts a message that only costs time; the process of a flood is ended.
    func spend(_ process: RunnerProcess) {
        guard !process.takeWord() else { return }
        state.withLock { $0.limitsHit["messages", default: 0] += 1 }
        process.end(
            "flooded the server with messages, more than \(Int(WordBudget.rate)) log lines, notices and errors a second, "
                + "and was ended")
    }

    // MARK: Opening

    private func addArena(_ message: RunnerMessage, _ descriptor: Int32?, _ process: RunnerProcess) -> String? {
        guard let arena: runner_arena_t = message.body(), let descriptor else { return "a malformed ARENA_ADD" }
        guard process.arenas.add(arena.arena, size: arena.size, descriptor: descriptor) else {
            return "an arena of \(arena.size) bytes that is too large, not sealed, or there already"
        }
        return nil
    }

    private func helloOK(_ message: RunnerMessage, _ process: RunnerProcess) -> String? {
        guard let body: runner_hello_ok_t = message.body(), body.version == RUNNER_VERSION else {
            return "another version of the protocol"
        }
        return greeted(
            RunnerFacts(
                kinds: body.kinds, abiBuilt: body.abi_built, abiNeeded: body.abi_needed, sandbox: body.sandbox,
                id: message.text(body.id), version: message.text(body.plugin_version)), by: process)
    }

    private func failedToStart(_ message: RunnerMessage) -> String? {
        guard let body: runner_text_t = message.body() else { return "a malformed FAILED" }
        let text = message.text(body.text)
        firstFacts.fulfil(.failure(RunnerFailure(number: body.number, text: text)))
        state.withLock { $0.noteLine(text) }
        return nil
    }

    private func opened(_ message: RunnerMessage, _ process: RunnerProcess) -> String? {
        guard let body: runner_opened_t = message.body(),
            let metrics = message.array(body.metrics, of: runner_metric_t.self)
        else { return "a malformed OPENED" }
        let declared = metrics.prefix(Int(GF_METRICS_MAX) + 1).map { metric in
            RunnerLibrary.Metric(
                type: metric.type, name: message.text(metric.name), help: message.text(metric.help),
                labels: message.pairs(metric.labels) ?? [],
                bounds: message.array(metric.bounds, of: Double.self).map(Array.init) ?? [])
        }
        return opened(
            RunnerLibrary(
                extensions: Set(message.lines(body.extensions)), description: message.text(body.description),
                metrics: declared), status: body.status, by: process)
    }

    private func created(_ message: RunnerMessage) -> String? {
        guard let body: runner_status_t = message.body() else { return "a malformed CREATED" }
        let (instance, calls) = state.withLock { state -> (IsolatedInstance?, [IsolatedCall]) in
            guard let instance = state.creating.removeValue(forKey: message.header.call) else { return (nil, []) }
            instance.isCreating = false
            guard body.status != GF_OK else {
                instance.serial = state.serial
                instance.isAwaited = false
                return (instance, [])
            }
            instance.isAwaited = false
            let calls = state.waiting.filter { $0.instance === instance }
            state.waiting.removeAll { $0.instance === instance }
            return (instance, calls)
        }
        guard let instance else { return "a CREATED that nobody asked for" }
        instance.firstCreation.fulfil(body.status)
        let reason = state.withLock { $0.lastOwnError }
        for call in calls {
            let code = PluginError.Code(rawValue: body.status)
            finish(
                call.handle,
                PluginError(code, "plugin '\(id)' could not make its instance again: \(reason)", source: .plugin))
        }
        advance()
        return nil
    }

    // MARK: Words

    private func log(_ message: RunnerMessage, _ runtime: PluginRuntime) -> String? {
        guard let body: runner_log_t = message.body(),
            let wire = message.array(body.fields, of: runner_log_field_t.self)
        else { return "a malformed LOG" }
        let fields = wire.prefix(64).map { field in
            var value = gf_value()
            value.type = field.type
            switch field.type {
            case GF_VALUE_STR: value.as.str = message.borrowed(field.text)
            case GF_VALUE_F64: value.as.f64 = Double(bitPattern: field.bits)
            case GF_VALUE_BYTES: value.as.bytes = gf_bytes(data: nil, length: field.bits)
            default: value.as.i64 = Int64(bitPattern: field.bits)
            }
            return gf_field(key: message.borrowed(field.key), value: value)
        }
        runtime.log(level: body.level, message.borrowed(body.message), fields, count: UInt32(fields.count))
        return nil
    }

    private func metric(_ message: RunnerMessage, _ runtime: PluginRuntime) -> String? {
        guard let body: runner_metric_change_t = message.body() else { return "a malformed METRIC" }
        let table = IsolatedServices.metrics
        switch body.change {
        case RUNNER_METRIC_ADD: _ = table.add?(runtime.host, body.index, body.value)
        case RUNNER_METRIC_SET: _ = table.set?(runtime.host, body.index, body.value)
        default: _ = table.observe?(runtime.host, body.index, body.value)
        }
        return nil
    }
}
