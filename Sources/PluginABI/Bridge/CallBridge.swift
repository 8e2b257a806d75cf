// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import Synchronization

/// The plugin's side of one call: the task that runs the handler, and the events that it waits for.
///
/// Safety: `handle` is an opaque name that may be passed from any thread; everything mutable is in `state`.
final class CallBridge: @unchecked Sendable {
    let host: HostBridge
    let handle: OpaquePointer
    /// The handle of the instance's configuration, for the host's services.
    let config: UInt64
    private let state = Mutex(State())
    /// Held while something is emitted: the queries of a call share its window.
    private let emission = Mutex(())

    /// An event of the ABI; source is the timer or the request, else 0.
    struct Event: Hashable {
        var kind: UInt32
        var source: UInt64 = 0
    }

    private enum Waiter {
        /// The event came before anybody waited.
        case pending
        case waiting([UnsafeContinuation<Void, Never>])
    }

    private struct State {
        var task: Task<Void, Never>?
        var isCancelled = false
        var nextFrame: UInt32 = 0
        var streamSchema: FrameSchema?
        var waiters: [Event: Waiter] = [:]
    }

    init(host: HostBridge, handle: OpaquePointer, config: UInt64) {
        self.host = host
        self.handle = handle
        self.config = config
    }

    // MARK: The life of the task

    /// Runs the handler and completes the call, whatever the handler does.
    func run(on executor: PluginExecutor, _ body: @escaping @Sendable (CallBridge) async throws -> Void) {
        let task = Task(executorPreference: executor) {
            do {
                try await body(self)
                self.complete(GF_OK)
            } catch {
                let failure = PluginError.wrapping(error)
                self.setError(failure, refID: "")
                self.complete(failure.code.rawValue)
            }
        }
        let isCancelled = state.withLock { state in
            state.task = task
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    func cancel() {
        let (task, waiters) = state.withLock { state in
            state.isCancelled = true
            let waiters = state.waiters
            state.waiters = [:]
            return (state.task, waiters)
        }
        task?.cancel()
        for case .waiting(let continuations) in waiters.values { continuations.forEach { $0.resume() } }
    }

    func resume(_ event: Event) {
        let continuations: [UnsafeContinuation<Void, Never>] = state.withLock { state in
            guard case .waiting(let continuations)? = state.waiters[event] else {
                if !state.isCancelled { state.waiters[event] = .pending }
                return []
            }
            state.waiters[event] = nil
            return continuations
        }
        continuations.forEach { $0.resume() }
    }

    /// Suspends until the event comes, or has come since the last wait for it.
    func wait(for event: Event) async throws {
        await withUnsafeContinuation { continuation in
            let isReady = state.withLock { state in
                if state.isCancelled { return true }
                switch state.waiters[event] {
                case .pending:
                    state.waiters[event] = nil
                    return true
                case .waiting(let others):
                    state.waiters[event] = .waiting(others + [continuation])
                case nil:
                    state.waiters[event] = .waiting([continuation])
                }
                return false
            }
            if isReady { continuation.resume() }
        }
        if state.withLock({ $0.isCancelled }) { throw PluginError(.cancelled, "the call was cancelled") }
    }

    private func complete(_ status: gf_status) {
        _ = host.sink.complete?(host.pointer, handle, status)
        state.withLock { $0.task = nil }
    }

    // MARK: Facts

    var isCancelled: Bool { (host.call.is_cancelled?(host.pointer, handle) ?? 0) != 0 }

    var deadline: Timestamp? {
        let time = host.call.deadline?(host.pointer, handle) ?? .max
        return time == .max ? nil : Timestamp(nanoseconds: time)
    }

    var bytesLeft: Int? {
        let bytes = host.call.budget_left?(host.pointer, handle, GF_BUDGET_BYTES) ?? .max
        return bytes == .max ? nil : Int(clamping: max(0, bytes))
    }

    var principal: Principal? {
        var principal = gf_principal()
        principal.struct_size = UInt32(MemoryLayout<gf_principal>.size)
        guard host.call.principal?(host.pointer, handle, &principal) == GF_OK, principal.is_server == 0 else {
            return nil
        }
        return Principal(
            orgID: principal.org_id, login: String(principal.login), name: String(principal.name),
            email: String(principal.email), role: String(principal.role))
    }

    var traceContext: String? { text(host.call.trace_context) }
    var locale: String? { text(host.call.locale) }

    private func text(_ function: (@convention(c) (UnsafePointer<gf_host>?, OpaquePointer?) -> gf_str)?) -> String? {
        guard let text = function?(host.pointer, handle), text.length > 0 else { return nil }
        return String(text)
    }

    func header(_ name: String) -> String? {
        var value = gf_str()
        guard let get = host.call.header_get,
            name.withGF({ get(host.pointer, handle, $0, &value) }) == GF_OK
        else { return nil }
        return String(value)
    }

    // MARK: Results

    func setError(_ error: PluginError, refID: String) {
        _ = error.withGF(refID: refID) { host.core.error_set?(host.pointer, handle, $0) }
    }

    /// Opens a frame with its rows.
    ///
    /// - Returns: The frame's number, for rows that follow.
    @discardableResult
    func send(_ frame: DataFrame, refID: String) async throws -> UInt32 {
        let number = state.withLock { state in
            state.nextFrame &+= 1
            return state.nextFrame
        }
        try await open(frame, number: number, refID: refID)
        try await append(frame, number: number)
        return number
    }

    /// A frame of a stream: a schema like that of the frame before is not repeated.
    func sendStreamed(_ frame: DataFrame) async throws {
        let schema = FrameSchema(of: frame)
        let (number, isNew) = state.withLock { state in
            let isNew = state.streamSchema != schema
            if isNew {
                state.streamSchema = schema
                state.nextFrame &+= 1
            }
            return (state.nextFrame, isNew)
        }
        if isNew { try await open(frame, number: number, refID: "") }
        try await append(frame, number: number)
    }

    private func open(_ frame: DataFrame, number: UInt32, refID: String) async throws {
        try await emit("the host refused the schema of a frame") {
            var schema = ArrowSchema()
            frame.exportSchema(into: &schema)
            return refID.withGF { host.sink.schema?(host.pointer, handle, number, $0, &schema) }
        }
    }

    func append(_ frame: DataFrame, number: UInt32) async throws {
        guard !frame.fields.isEmpty, frame.rowCount > 0 else { return }
        try await emit("the host refused rows of a frame") {
            var array = ArrowArray()
            frame.exportArray(into: &array)
            return host.sink.batch?(host.pointer, handle, number, &array)
        }
    }

    func send(_ bytes: [UInt8]) async throws {
        try await emit("the host refused bytes") { bytes.withGF { host.sink.bytes?(host.pointer, handle, $0) } }
    }

    func send(_ chunk: HTTPChunk) async throws {
        var isTaken = false
        let count = UInt64(chunk.count)
        try await emit("the host refused bytes") {
            guard var buffer = chunk.takeBuffer() else { return GF_OK }
            isTaken = true
            return host.sink.buffer?(host.pointer, handle, &buffer, count)
        }
        if !isTaken { throw PluginError(.state, "a chunk can be written once only") }
    }

    func head(status: Int32, message: String, headers: HTTPHeaders) throws {
        var arena = CArena()
        var head = gf_head()
        head.struct_size = UInt32(MemoryLayout<gf_head>.size)
        head.status = status
        head.message = arena.text(message)
        head.headers = arena.pairs(headers)
        head.header_count = UInt32(headers.count)
        try check(host.sink.head?(host.pointer, handle, &head), "the host refused the head of an answer")
    }

    func notice(_ notice: Notice, refID: String) {
        var arena = CArena()
        var value = gf_notice()
        value.struct_size = UInt32(MemoryLayout<gf_notice>.size)
        switch notice.severity {
        case .info: value.severity = GF_SEVERITY_INFO
        case .warning: value.severity = GF_SEVERITY_WARNING
        case .error: value.severity = GF_SEVERITY_ERROR
        }
        value.ref_id = arena.text(refID)
        value.text = arena.text(notice.text)
        value.link = arena.text(notice.link ?? "")
        _ = host.sink.notice?(host.pointer, handle, &value)
    }

    func progress(fraction: Double, token: [UInt8]) {
        _ = token.withGF { host.sink.progress?(host.pointer, handle, fraction, $0) }
    }

    /// Emits something when there is room for it, and waits until there is room for more.
    ///
    /// What one query sends after another has been told to wait would break GF-R-015.
    private func emit(_ message: String, _ part: () -> gf_status?) async throws {
        var status: gf_status?
        var isSent = false
        while !isSent {
            try await waitForRoom(message)
            emission.withLock { _ in
                guard readiness != GF_AGAIN else { return }
                status = part()
                isSent = true
            }
        }
        guard status == GF_AGAIN else { return try check(status, message) }
        try await waitForRoom(message)
    }

    private var readiness: gf_status { host.sink.wait_ready?(host.pointer, handle, 0) ?? GF_OK }

    /// Suspends while the reader is behind; throws when the call cannot go on.
    private func waitForRoom(_ message: String) async throws {
        while true {
            let status = readiness
            guard status == GF_AGAIN else { return try check(status, message) }
            try await wait(for: Event(kind: GF_EVENT_CREDIT))
        }
    }

    func check(_ status: gf_status?, _ message: @autoclosure () -> String) throws {
        guard let status else { throw PluginError(.unsupported, message() + ": it is too old", source: .host) }
        if status == GF_OK { return }
        let code = PluginError.Code(rawValue: status)
        throw PluginError(code, "\(message()): \(code.name)", source: code == .limit ? .limit : .host)
    }

    // MARK: Input and time

    func readInput(upTo limit: Int) async throws -> [UInt8] {
        guard let read = host.call.read else { throw PluginError(.unsupported, "the host has no input", source: .host) }
        var body: [UInt8] = []
        let capacity = 65_536
        while true {
            var length: UInt64 = 0
            var status = GF_OK
            let part = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                status = read(host.pointer, handle, buffer.baseAddress, UInt64(capacity), &length)
                count = status == GF_OK ? min(Int(clamping: length), capacity) : 0
            }
            if status == GF_AGAIN {
                try await wait(for: Event(kind: GF_EVENT_INPUT))
                continue
            }
            try check(status, "the request's body could not be read")
            if part.isEmpty { return body }
            guard body.count + part.count <= limit else {
                throw PluginError(.limit, "the request's body is larger than \(limit) bytes", source: .user)
            }
            body += part
        }
    }

    func sleep(for duration: Duration) async throws {
        guard let arm = host.timer?.arm else {
            throw PluginError(.unsupported, "the host has no \(GF_TIMER_EXT)", source: .host)
        }
        var timer: UInt64 = 0
        try check(arm(host.pointer, handle, max(0, duration.nanoseconds), &timer), "a timer could not be armed")
        try await wait(for: Event(kind: GF_EVENT_TIMER, source: timer))
    }
}
