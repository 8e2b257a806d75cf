// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import GoPlugin
internal import PluginABI
internal import Synchronization

/// One call of the host on its way to a Go plugin and back.
///
/// What comes is emitted as fast as the call's window takes it; the rest waits here, and the plugin waits with it.
///
/// Safety: `handle` is a number that is only handed back to the host.
final class GoCall: @unchecked Sendable {
    /// Something to hand to the host's sink.
    enum Part: Sendable {
        case head(status: Int32, message: String, headers: HTTPHeaders)
        case bytes([UInt8])
        case frame(ArrowBuffer, isJSON: Bool, refID: String, frame: UInt32, isContinued: Bool)
        case failed(PluginError, refID: String)
    }

    private struct State {
        var waiting: [Part] = []
        var isPumping = false
        var isHeld = false
        /// Credit that came while a part was being emitted.
        var hasCredit = false
        /// How the plugin's answer ended, once it has.
        var outcome: PluginError??
        var isOver = false
        var hasEmitted = false
        var tries = 0
        var current: SupervisedCall?
        /// The frames whose first part has been emitted.
        var schemas: [UInt32: FrameSchema] = [:]
        var isCancelled = false
        /// Whether a part of the answer came after the call was cancelled.
        var hasDropped = false
    }

    let instance: GoInstance
    let kind: UInt32
    private let handle: OpaquePointer
    private let calls: CallTable
    private let state = Mutex(State())
    private let question: GoQuestion

    private init(
        _ instance: GoInstance, _ handle: OpaquePointer, kind: UInt32, _ calls: CallTable, _ question: GoQuestion
    ) {
        self.instance = instance
        self.handle = handle
        self.kind = kind
        self.calls = calls
        self.question = question
    }

    static func from(_ state: UnsafeMutableRawPointer?) -> GoCall? {
        state.map { Unmanaged<GoCall>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Begins a call of any kind; `gf_call_api.start`.
    static func start(
        _ instance: GoInstance, _ handle: OpaquePointer, kind: UInt32, request: UnsafeRawPointer?
    ) -> gf_status {
        guard let calls = instance.library.runtime.calls else { return GF_STATE }
        guard
            let facts = calls.withRunning(
                handle,
                { state, _ in
                    GoCallFacts(
                        facts: state.facts, input: state.input, bytes: state.bytesLeft, deadline: state.deadline)
                })
        else { return GF_STATE }
        guard let question = GoQuestion(kind: kind, request: request, instance: instance, facts: facts) else {
            return GF_UNSUPPORTED
        }
        let call = GoCall(instance, handle, kind: kind, calls, question)
        _ = calls.setState(handle, Unmanaged.passRetained(call).toOpaque())
        instance.library.backend.callBegan(isStream: kind == GF_CALL_RUN_STREAM)
        call.begin()
        return GF_OK
    }

    private func begin() {
        let withChunks = instance.library.backend.usesChunks.load(ordering: .relaxed)
        let reader = question.reader(for: self, withChunks: withChunks)
        let call = SupervisedCall(question.request(withChunks: withChunks), reader: reader)
        // Known and counted before it begins: its answer may come, or be refused, before `begin` returns.
        let isCancelled = state.withLock { state in
            state.current = call
            state.tries += 1
            return state.isCancelled
        }
        if isCancelled { return call.cancel() }
        instance.library.backend.supervisor.begin(call)
    }

    /// Nobody wants the result any more.
    func cancel() {
        let call = state.withLock { state in
            state.isCancelled = true
            state.hasDropped = !state.waiting.isEmpty
            state.waiting = []
            return state.current
        }
        call?.cancel()
        pump()
    }

    // MARK: The plugin's answer

    /// Takes what the plugin sent.
    ///
    /// - Returns: false when the plugin has to wait.
    func take(_ parts: [Part]) -> Bool {
        state.withLock { state in
            guard !state.isCancelled else {
                state.hasDropped = state.hasDropped || !parts.isEmpty
                return
            }
            state.waiting += parts
            state.hasEmitted = true
        }
        return pump()
    }

    /// The plugin's answer has ended.
    func finished(_ failure: GRPCStatus?) {
        if let failure, retries(failure) { return begin() }
        let error = failure.map { question.error(for: $0, plugin: instance.library.backend.id) }
        state.withLock { $0.outcome = .some(error) }
        _ = pump()
    }

    /// Whether the same question is asked again: the process died before it said anything, and asking changes nothing.
    private func retries(_ failure: GRPCStatus) -> Bool {
        guard question.isIdempotent, failure.isLocal, failure.code == .unavailable, !failure.isRefusal else {
            return false
        }
        return state.withLock { state in !state.hasEmitted && !state.isCancelled && state.tries < 2 }
    }

    /// The plugin has no QueryChunkedData: the question is asked the usual way.
    func askWithoutChunks() {
        instance.library.backend.usesChunks.store(false, ordering: .relaxed)
        begin()
    }

    // MARK: To the host

    /// The window has room again.
    func credit() {
        let (pumps, call) = state.withLock { state -> (Bool, SupervisedCall?) in
            if state.isPumping { state.hasCredit = true }
            guard state.isHeld else { return (false, nil) }
            state.isHeld = false
            return (true, state.current)
        }
        if pumps, pump() { call?.resume() }
    }

    /// Emits what waits; completes the call at its end.
    ///
    /// - Returns: whether more may come.
    @discardableResult
    private func pump() -> Bool {
        while true {
            enum Step {
                case emit(Part)
                case complete(PluginError?)
                case wait(Bool)
            }
            let step = state.withLock { state -> Step in
                if state.isPumping || state.isHeld && !state.isCancelled { return .wait(!state.isHeld) }
                if state.isOver { return .wait(true) }
                if !state.waiting.isEmpty {
                    state.isPumping = true
                    state.hasCredit = false
                    return .emit(state.waiting.removeFirst())
                }
                guard let outcome = state.outcome else { return .wait(true) }
                state.isOver = true
                state.current = nil
                // An answer of which a part was dropped is not whole, however well it ended in the plugin.
                let loss = state.hasDropped ? PluginError(.cancelled, "the call was cancelled") : nil
                return .complete(outcome ?? loss)
            }
            switch step {
            case .wait(let mayCome): return mayCome
            case .complete(let error):
                complete(error)
                return true
            case .emit(let part):
                let status = emit(part)
                state.withLock { state in
                    state.isPumping = false
                    state.isHeld = status == GF_AGAIN && !state.hasCredit
                }
            }
        }
    }

    private func emit(_ part: Part) -> gf_status {
        switch part {
        case .head(let status, let message, let headers):
            var arena = CArena()
            var head = gf_head()
            head.struct_size = UInt32(MemoryLayout<gf_head>.size)
            head.status = status
            head.message = arena.text(message)
            head.headers = arena.pairs(headers)
            head.header_count = UInt32(headers.count)
            return calls.head(handle, &head)
        case .bytes(let bytes):
            return bytes.withUnsafeBufferPointer {
                calls.bytes(handle, gf_bytes(data: $0.baseAddress, length: UInt64($0.count)))
            }
        case .failed(let error, let refID):
            return error.withGF(refID: refID) { calls.setError(handle, $0) }
        case .frame(let bytes, let isJSON, let refID, let number, let isContinued):
            return emitFrame(bytes, isJSON: isJSON, refID: refID, number: number, isContinued: isContinued)
        }
    }

    private func emitFrame(
        _ bytes: ArrowBuffer, isJSON: Bool, refID: String, number: UInt32, isContinued: Bool
    ) -> gf_status {
        let frame: DataFrame
        let textLimit = Int(clamping: calls.withRunning(handle) { state, _ in state.bytesLeft } ?? 0)
        do throws(FrameError) {
            // The plugin's bytes are anybody's: also what its texts and its JSON hold is checked before they are used.
            frame =
                isJSON
                ? try DataFrame(json: Array(bytes.bytes))
                : try DataFrame(arrow: bytes, validation: .full, textLimit: textLimit)
        } catch {
            return refuse("sent a frame that cannot be read: \(error)", refID: refID)
        }
        let schema = FrameSchema(of: frame)
        if isContinued {
            guard state.withLock({ $0.schemas[number]?.hasTypes(of: schema) }) == true else {
                return refuse("continued a frame with fields of other types than it began with", refID: refID)
            }
        } else {
            state.withLock { $0.schemas[number] = schema }
            let status = calls.opened(
                handle, frame: number, refID: refID, schema, bytes: max(0, bytes.byteCount - frame.byteCount))
            guard status == GF_OK, frame.rowCount > 0 else { return status }
        }
        return calls.received(handle, frame: number, frame)
    }

    /// Fails one query.
    private func refuse(_ fault: String, refID: String) -> gf_status {
        PluginError(.badData, "plugin '\(instance.library.backend.id)' \(fault)", source: .plugin)
            .withGF(refID: refID) { calls.setError(handle, $0) }
    }

    private func complete(_ error: PluginError?) {
        let isCancelled = state.withLock { $0.isCancelled }
        instance.library.backend.callEnded(isStream: kind == GF_CALL_RUN_STREAM, isCancelled: isCancelled)
        guard let error else {
            _ = calls.complete(handle, GF_OK)
            return
        }
        _ = error.withGF(refID: "") { calls.setError(handle, $0) }
        _ = calls.complete(handle, error.code.rawValue)
    }
}

extension FrameSchema {
    /// Whether rows of the other schema fit under this one.
    fileprivate func hasTypes(of other: FrameSchema) -> Bool {
        fields.count == other.fields.count
            && zip(fields, other.fields).allSatisfy { $0.type == $1.type && $0.isNullable == $1.isNullable }
    }
}

/// What the host knows about a call, for its question.
struct GoCallFacts {
    var facts: CallFacts
    var input: CallInput?
    /// Bytes that the call may emit.
    var bytes: Int64
    /// On the monotonic clock, in nanoseconds; `max` for none.
    var deadline: Int64
}
