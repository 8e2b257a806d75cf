// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CRunnerProtocol
internal import PluginABI
internal import Synchronization

/// The results of calls. A process can only name calls of its own plugin, and the table of calls judges each handle.
extension IsolatedPlugin {
    func receivedResult(
        _ message: RunnerMessage, _ process: RunnerProcess, _ calls: CallTable, _ handle: OpaquePointer
    ) -> String? {
        switch message.header.type {
        case RUNNER_COMPLETE: return completed(message, calls, handle)
        case RUNNER_WAIT:
            waits(message.header.call, process, calls, handle)
            return nil
        case RUNNER_ERROR:
            spend(process)
            return failed(message, calls, handle)
        case RUNNER_HEAD, RUNNER_NOTICE, RUNNER_PROGRESS: spend(process)
        default: break
        }
        guard let status = emitted(message, process, calls, handle) else {
            guard message.isOptional else { return "a malformed message of type \(message.header.type)" }
            spend(process)
            return nil
        }
        let isRefused = status != GF_OK && status != GF_AGAIN
        if isRefused { spend(process) }
        let tells = state.withLock { state -> Bool in
            guard let call = state.calls[message.header.call] else { return false }
            call.hasEmitted = true
            defer { call.isRefused = call.isRefused || isRefused }
            return isRefused && !call.isRefused
        }
        if tells { refuse(message.header.call, status, process) }
        return nil
    }

    /// Passes a part of a result on; nil when the message is malformed.
    private func emitted(
        _ message: RunnerMessage, _ process: RunnerProcess, _ calls: CallTable, _ handle: OpaquePointer
    ) -> gf_status? {
        switch message.header.type {
        case RUNNER_SCHEMA: return schema(message, calls, handle)
        case RUNNER_BATCH: return batch(message, process, calls, handle)
        case RUNNER_BYTES: return bytes(message, process, calls, handle)
        case RUNNER_HEAD:
            guard let body: runner_head_t = message.body(), let headers = message.pairs(body.headers) else {
                return nil
            }
            var arena = CArena()
            var head = gf_head()
            head.struct_size = UInt32(MemoryLayout<gf_head>.size)
            head.status = body.status
            head.message = message.borrowed(body.message)
            let fields = HTTPHeaders(headers.map { ($0.key, $0.value) })
            head.headers = arena.pairs(fields)
            head.header_count = UInt32(headers.count)
            return calls.head(handle, &head)
        case RUNNER_NOTICE:
            guard let body: runner_notice_t = message.body() else { return nil }
            var notice = gf_notice()
            notice.struct_size = UInt32(MemoryLayout<gf_notice>.size)
            notice.severity = body.severity
            notice.ref_id = message.borrowed(body.ref_id)
            notice.text = message.borrowed(body.text)
            notice.link = message.borrowed(body.link)
            return calls.notice(handle, &notice)
        case RUNNER_PROGRESS:
            guard let body: runner_progress_t = message.body() else { return nil }
            return calls.progress(handle, fraction: body.fraction, token: message.borrowedBytes(body.token))
        case RUNNER_REJECT:
            guard let body: runner_text_t = message.body() else { return nil }
            return calls.reject(handle, message.text(body.text))
        default:
            return nil
        }
    }

    private func completed(_ message: RunnerMessage, _ calls: CallTable, _ handle: OpaquePointer) -> String? {
        guard let body: runner_status_t = message.body() else { return "a malformed COMPLETE" }
        let isIdle = state.withLock { state in
            state.calls[message.header.call] = nil
            guard state.calls.isEmpty else { return false }
            state.lastBusy = MonotonicTime.now
            return !state.isIdleChecked
        }
        _ = calls.complete(handle, body.status)
        if isIdle { stopWhenIdle() }
        return nil
    }

    private func failed(_ message: RunnerMessage, _ calls: CallTable, _ handle: OpaquePointer) -> String? {
        guard let body: runner_error_t = message.body() else { return "a malformed ERROR" }
        // Said about an instance or a library that is made once more, which has no call of the host.
        guard message.header.call & Self.ownCall == 0 else {
            state.withLock { $0.lastOwnError = message.text(body.message) }
            return nil
        }
        var error = gf_error()
        error.struct_size = UInt32(MemoryLayout<gf_error>.size)
        error.source = body.source
        error.code = body.code
        error.http_status = body.http_status
        error.retry_after = body.retry_after
        error.ref_id = message.borrowed(body.ref_id)
        error.message = message.borrowed(body.message)
        error.hint = message.borrowed(body.hint)
        error.details = message.borrowed(body.details)
        // An error of a query is seen at once, one of the call only with its end.
        if error.ref_id.length > 0 { state.withLock { $0.calls[message.header.call]?.hasEmitted = true } }
        _ = calls.setError(handle, &error)
        return nil
    }

    /// The plugin waits for credit: it gets it now, or when the reader has read on.
    private func waits(_ call: UInt64, _ process: RunnerProcess, _ calls: CallTable, _ handle: OpaquePointer) {
        // Said before the window is looked at, since credit may come at once from another thread.
        state.withLock { $0.calls[call]?.awaitsCredit = true }
        guard calls.waitReady(handle, timeout: 0) != GF_AGAIN else { return }
        let isOwed = state.withLock { state in
            defer { state.calls[call]?.awaitsCredit = false }
            return state.calls[call]?.awaitsCredit == true
        }
        if isOwed { send(RUNNER_CREDIT, call, to: process) }
    }

    private func refuse(_ call: UInt64, _ status: gf_status, _ process: RunnerProcess) {
        var writer = MessageWriter()
        writer.message(RUNNER_REFUSED, call: call, runner_status(struct_size: 0, status: status))
        process.send(writer)
    }

    // MARK: Frames

    private func schema(_ message: RunnerMessage, _ calls: CallTable, _ handle: OpaquePointer) -> gf_status? {
        guard let body: runner_schema_t = message.body(), let metadata = message.pairs(body.metadata),
            let wire = message.array(body.fields, of: runner_field_t.self)
        else { return nil }
        var fields: [ArrowFieldDescription] = []
        fields.reserveCapacity(wire.count)
        for field in wire {
            guard let metadata = message.pairs(field.metadata) else { return nil }
            fields.append(
                ArrowFieldDescription(
                    name: message.text(field.name), format: message.text(field.format),
                    isNullable: field.flags & Int64(ARROW_FLAG_NULLABLE) != 0, metadata: metadata))
        }
        let refID = message.text(body.ref_id)
        do {
            let schema = try FrameSchema(metadata: metadata, describing: fields)
            return calls.opened(
                handle, frame: body.frame, refID: refID, schema, bytes: Int(message.header.length))
        } catch {
            return calls.reject(handle, "frame \(body.frame) of query '\(refID)': \(error)")
        }
    }

    private func batch(
        _ message: RunnerMessage, _ process: RunnerProcess, _ calls: CallTable, _ handle: OpaquePointer
    ) -> gf_status? {
        guard let body: runner_batch_t = message.body(),
            let columns = message.array(body.columns, of: runner_column_t.self),
            let buffers = message.array(body.buffers, of: runner_buffer_t.self)
        else { return nil }
        // Copies are bounded by what the call may still send, and by all memory that the plugin can have filled.
        let bytesLeft = calls.withRunning(handle) { state, _ in state.bytesLeft } ?? 0
        let limit = Int(clamping: min(UInt64(max(0, bytesLeft)), process.arenas.limit))
        let reader = BatchReader(message: message, process: process, release: body.release)
        guard let schema = calls.schema(handle, frame: body.frame) else {
            return calls.rejectRows(handle, ofUnknown: body.frame)
        }
        guard columns.count == schema.fields.count else {
            return calls.reject(
                handle, "a batch of \(columns.count) columns for frame \(body.frame) of \(schema.fields.count) fields")
        }
        do {
            var left = limit
            guard let described = reader.columns(columns, buffers, schema, &left) else { return nil }
            guard left >= 0 else { return calls.exceeded(handle, "more than \(limit) bytes of text in one batch") }
            let rows = try schema.frame(
                rows: body.rows, offset: body.offset, columns: described, textLimit: left)
            return calls.received(handle, frame: body.frame, rows)
        } catch {
            return calls.reject(handle, "frame \(body.frame): \(error)")
        }
    }

    private func bytes(
        _ message: RunnerMessage, _ process: RunnerProcess, _ calls: CallTable, _ handle: OpaquePointer
    ) -> gf_status? {
        guard let body: runner_bytes_t = message.body() else { return nil }
        guard body.bytes.arena != 0 else {
            let span = runner_span(
                offset: UInt32(clamping: body.bytes.offset), length: UInt32(clamping: body.bytes.length))
            guard span.length == 0 || runner_read_span(message.start, span, 1) != nil else { return nil }
            return calls.received(handle, ByteChunk(copying: message.bytes(span)))
        }
        defer { if body.release != 0 { process.release(body.release) } }
        guard let place = process.arenas.part(body.bytes) else { return nil }
        // Bytes go to clients as they are: what was looked at must be what is sent.
        let part = UnsafeRawBufferPointer(start: place.start, count: Int(body.bytes.length))
        return calls.received(handle, ByteChunk(copying: part))
    }
}

/// Finds the buffers of one batch: in the message, or in an arena.
struct BatchReader {
    let message: RunnerMessage
    let process: RunnerProcess
    /// What the plugin gets back when the last buffer is gone.
    private let hold: BatchHold

    init(message: RunnerMessage, process: RunnerProcess, release: UInt64) {
        self.message = message
        self.process = process
        hold = BatchHold(process: process, number: release)
    }

    /// The columns with their buffers; nil when a buffer lies outside of everything.
    ///
    /// When the copies would take more than is `left`, that is negative afterwards and the columns are none.
    ///
    /// Only plain numbers stay where they are. What is used as an index or a length, and text, is copied first and judged
    /// afterwards, since the plugin can still write to its arenas.
    func columns(
        _ columns: UnsafeBufferPointer<runner_column_t>, _ buffers: UnsafeBufferPointer<runner_buffer_t>,
        _ schema: FrameSchema, _ left: inout Int
    ) -> [ArrowColumnDescription]? {
        var result: [ArrowColumnDescription] = []
        result.reserveCapacity(columns.count)
        var next = 0
        for (index, column) in columns.enumerated() {
            guard Int(column.buffer_count) <= buffers.count - next else { return nil }
            let isPlain = index < schema.fields.count && schema.fields[index].hasPlainValues
            var found: [ArrowBuffer] = []
            for place in 0..<Int(column.buffer_count) {
                let isShared = isPlain && place == 1
                guard let buffer = buffer(buffers[next + place], isShared: isShared, &left) else { return nil }
                guard left >= 0 else { return [] }
                found.append(buffer)
            }
            next += Int(column.buffer_count)
            result.append(
                ArrowColumnDescription(
                    length: column.length, offset: column.offset, nullCount: column.null_count, buffers: found))
        }
        return result
    }

    private func buffer(_ place: runner_buffer_t, isShared: Bool, _ left: inout Int) -> ArrowBuffer? {
        guard place.length > 0 else { return ArrowBuffer(pointer: nil, byteCount: 0, owner: nil) }
        guard place.arena != 0 else {
            guard place.length <= UInt64(UInt32.max), place.offset <= UInt64(UInt32.max) else { return nil }
            let span = runner_span(offset: UInt32(place.offset), length: UInt32(place.length))
            guard runner_read_span(message.start, span, 1) != nil else { return nil }
            return ArrowBuffer(copying: message.bytes(span))
        }
        guard let (start, arena) = process.arenas.part(place) else { return nil }
        guard isShared else {
            left -= Int(place.length)
            guard left >= 0 else { return ArrowBuffer(pointer: nil, byteCount: 0, owner: nil) }
            return ArrowBuffer(copying: UnsafeRawBufferPointer(start: start, count: Int(place.length)))
        }
        return ArrowBuffer(pointer: start, byteCount: Int(place.length), owner: SharedPart(arena: arena, hold: hold))
    }
}

/// Gives a batch back to the plugin with the last buffer that refers to it.
private final class BatchHold: Sendable {
    private let process: RunnerProcess
    private let number: UInt64

    init(process: RunnerProcess, number: UInt64) {
        self.process = process
        self.number = number
    }

    deinit { if number != 0 { process.release(number) } }
}

/// Keeps a buffer's arena mapped and its batch from being given back.
private final class SharedPart: Sendable {
    private let arena: Mutex<ArenaTable.Arena?>
    private let hold: BatchHold

    init(arena: ArenaTable.Arena, hold: BatchHold) {
        self.arena = Mutex(arena)
        self.hold = hold
    }

    /// Before the plugin gets its memory back, and may make a new arena in the place of this one.
    deinit { arena.withLock { $0 = nil } }
}
