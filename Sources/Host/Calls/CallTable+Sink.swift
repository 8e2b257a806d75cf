// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI

/// What comes through `gf_sink`: checked, counted against the call's limits and handed to its receiver.
extension CallTable {
    /// How a part of a result is taken: the receiver to hand it to, or the status that the plugin gets instead.
    private enum Admission {
        case take(any CallReceiver, gf_status)
        case refuse(gf_status)
    }

    func schema(
        _ handle: OpaquePointer?, frame: UInt32, refID: String, _ schema: UnsafeMutablePointer<ArrowSchema>?
    ) -> gf_status {
        guard let schema else { return GF_STATE }
        let imported: FrameSchema
        do {
            imported = try FrameSchema(importing: schema)
        } catch {
            return reject(handle, "frame \(frame) of query '\(refID)': \(error)")
        }
        let names = imported.fields.reduce(0) { $0 + $1.name.utf8.count + 128 }
        return opened(handle, frame: frame, refID: refID, imported, bytes: names)
    }

    /// A frame is open, whose schema has been read; it took about so many bytes.
    func opened(
        _ handle: OpaquePointer?, frame: UInt32, refID: String, _ imported: FrameSchema, bytes: Int
    ) -> gf_status {
        let admission = admitEvent(handle, bytes: bytes, isLate: true)
        guard case .take(let receiver, _) = admission else {
            if case .refuse(let status) = admission { return status }
            return GF_STATE
        }
        let status = withRunning(handle) { state, _ -> gf_status in
            // Also what came for a number that is used again, since that is rare.
            state.schemaBytes += bytes
            guard state.schemaBytes <= Self.maxSchemaBytes else {
                return spent(&state, "more than \(Self.maxSchemaBytes) bytes of schemas", "report it to its author")
            }
            state.frames[frame] = .init(schema: imported, refID: refID)
            guard state.cancelReason == nil else {
                state.dropped.insert(refID)
                return GF_CANCELLED
            }
            return GF_OK
        }
        guard status == GF_OK else { return status ?? ended() }
        receiver.opened(frame: frame, refID: refID, schema: imported)
        return GF_OK
    }

    func batch(_ handle: OpaquePointer?, frame: UInt32, _ array: UnsafeMutablePointer<ArrowArray>?) -> gf_status {
        guard let array else { return GF_STATE }
        let known = withRunning(handle) { state, _ -> (schema: FrameSchema?, hold: InstanceHold?) in
            (state.frames[frame]?.schema, state.instance.map(InstanceHold.init))
        }
        guard let known else {
            release(array)
            return ended()
        }
        guard let schema = known.schema else {
            release(array)
            return rejectRows(handle, ofUnknown: frame)
        }
        let rows: DataFrame
        do {
            // The plugin's memory is released before its instance is destroyed (GF-R-014), however slow the reader is.
            rows = try schema.frame(batch: array, validation: .basic, keeping: known.hold)
        } catch {
            return reject(handle, "frame \(frame): \(error)")
        }
        return received(handle, frame: frame, rows)
    }

    /// Rows came whose frame is not open, which is a fault unless it came after the call was cancelled and was dropped.
    func rejectRows(_ handle: OpaquePointer?, ofUnknown frame: UInt32) -> gf_status {
        if isCancelled(handle) { return GF_CANCELLED }
        return reject(handle, "rows came for frame \(frame), which has no schema")
    }

    /// The schema of an open frame of a running call.
    func schema(_ handle: OpaquePointer?, frame: UInt32) -> FrameSchema? {
        withRunning(handle) { state, _ in state.frames[frame]?.schema } ?? nil
    }

    /// Rows of an open frame came, which have been checked.
    func received(_ handle: OpaquePointer?, frame: UInt32, _ rows: DataFrame) -> gf_status {
        let bytes = rows.byteCount + Self.eventCost
        switch admit(handle, bytes: bytes, rows: rows.rowCount, of: frame) {
        case .take(let receiver, let status):
            receiver.received(frame: frame, rows: rows, bytes: bytes)
            return status
        case .refuse(let status):
            return status
        }
    }

    func bytes(_ handle: OpaquePointer?, _ bytes: gf_bytes) -> gf_status {
        guard bytes.length <= UInt64(Int.max) else { return reject(handle, "a length of \(bytes.length) bytes") }
        let count = bytes.data == nil ? 0 : Int(bytes.length)
        return received(handle, ByteChunk(copying: UnsafeRawBufferPointer(start: bytes.data, count: count)))
    }

    /// Bytes came in memory of the host.
    func received(_ handle: OpaquePointer?, _ chunk: ByteChunk) -> gf_status {
        switch admit(handle, bytes: chunk.count, rows: 0) {
        case .take(let receiver, let status):
            receiver.received(chunk)
            return status
        case .refuse(let status):
            return status
        }
    }

    func buffer(_ handle: OpaquePointer?, _ buffer: UnsafeMutablePointer<gf_buffer>?, length: UInt64) -> gf_status {
        guard let buffer, let memory = runtime.buffers.take(buffer) else { return GF_STATE }
        guard length <= UInt64(memory.capacity) else {
            return reject(handle, "a buffer of \(memory.capacity) bytes was said to hold \(length)")
        }
        return received(handle, ByteChunk(start: memory.start, count: Int(length), owner: memory))
    }

    func head(_ handle: OpaquePointer?, _ head: UnsafePointer<gf_head>?) -> gf_status {
        guard let head = adopt(head) else { return GF_STATE }
        let value = CallHead(
            status: head.status, message: String(head.message),
            headers: HTTPHeaders(head.headers, count: min(head.header_count, 1_000)))
        let isFirst = withRunning(handle) { state, _ -> Bool in
            defer { state.hasHead = true }
            return !state.hasHead
        }
        guard let isFirst else { return ended() }
        guard isFirst else { return reject(handle, "the head of the answer came twice") }
        let bytes = value.headers.reduce(value.message.utf8.count) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        switch admitEvent(handle, bytes: bytes) {
        case .refuse(let status): return status
        case .take(let receiver, _): receiver.received(value)
        }
        return GF_OK
    }

    func notice(_ handle: OpaquePointer?, _ notice: UnsafePointer<gf_notice>?) -> gf_status {
        guard let notice = adopt(notice) else { return GF_STATE }
        let bytes = Int(clamping: notice.text.length) + Int(clamping: notice.link.length)
        let receiver: any CallReceiver
        switch admitEvent(handle, bytes: bytes) {
        case .refuse(let status):
            if status == GF_CANCELLED {
                _ = withRunning(handle) { state, _ in state.dropped.insert(String(notice.ref_id)) }
            }
            return status
        case .take(let taker, _): receiver = taker
        }
        let severity: Notice.Severity =
            switch notice.severity {
            case GF_SEVERITY_INFO: .info
            case GF_SEVERITY_WARNING: .warning
            default: .error
            }
        let link = String(notice.link)
        receiver.received(
            Notice(severity: severity, text: String(notice.text), link: link.isEmpty ? nil : link),
            refID: String(notice.ref_id))
        return GF_OK
    }

    func progress(_ handle: OpaquePointer?, fraction: Double, token: gf_bytes) -> gf_status {
        switch admitEvent(handle, bytes: Int(clamping: token.length)) {
        case .refuse(let status): return status
        case .take(let receiver, _): receiver.progressed(fraction, token: [UInt8](token))
        }
        return GF_OK
    }

    func waitReady(_ handle: OpaquePointer?, timeout: gf_time) -> gf_status {
        let isBlocking = runtime.isBlocking
        let deadline = timeout > 0 ? MonotonicTime.now.addingReportingOverflow(timeout).partialValue : 0
        while true {
            let status = withRunning(handle) { state, _ -> gf_status in
                if state.cancelReason != nil { return GF_CANCELLED }
                if state.outstanding < state.limits.window { return GF_OK }
                state.wantsCredit = true
                return GF_AGAIN
            }
            guard let status else { return ended() }
            guard status == GF_AGAIN, timeout > 0, isBlocking else { return status }
            if deadline > 0, MonotonicTime.now >= deadline { return GF_TIMEOUT }
            runtime.creditGate.wait { [self] in
                withRunning(handle) { state, _ in state.outstanding < state.limits.window } ?? true
            }
        }
    }

    func setError(_ handle: OpaquePointer?, _ error: UnsafePointer<gf_error>?) -> gf_status {
        guard let raw = adopt(error), raw.code != GF_OK else { return GF_STATE }
        let refID = String(raw.ref_id)
        let told = PluginError(raw)
        let known = withRunning(handle) { state, _ -> (receiver: (any CallReceiver)?, failure: PluginError) in
            // "Cancelled" is what the plugin sees; why the call was cancelled is what its user needs to know. It is also why
            // a part of the answer is missing, whatever the plugin says then.
            let isLate = [.cancelled, .timeout].contains(told.code) || state.dropped.contains(refID)
            let failure = isLate ? Self.verdict(on: state, runtime.id) ?? told : told
            if refID.isEmpty { state.error = failure }
            state.dropped.remove(refID)
            return (state.receiver, failure)
        }
        guard let known else { return ended() }
        guard !refID.isEmpty else { return GF_OK }
        let texts = [raw.message, raw.hint, raw.details]
        switch admitEvent(handle, bytes: texts.reduce(0) { $0 + Int(clamping: $1.length) }, isLate: true) {
        case .refuse(let status): return status
        case .take(let receiver, _): receiver.failed(known.failure, refID: refID)
        }
        return GF_OK
    }

    /// What an event costs beside its data, so that no number of small ones is free.
    private static let eventCost = 256

    /// Counts a head, a schema, a notice, an error or a checkpoint with its texts against the bytes of the call.
    ///
    /// - Parameter isLate: whether it counts for a cancelled call, too: what is dropped belongs to a query, whose failure
    ///   is still told.
    private func admitEvent(_ handle: OpaquePointer?, bytes: Int, isLate: Bool = false) -> Admission {
        let cost = Int64(Self.eventCost) + Int64(bytes)
        let admission = withRunning(handle) { state, _ -> Admission in
            guard let receiver = state.receiver else { return .refuse(GF_STATE) }
            if state.cancelReason != nil {
                state.lateBytes += cost
                guard isLate, state.lateBytes <= Self.maxLateBytes else { return .refuse(GF_CANCELLED) }
            }
            guard state.bytesLeft >= cost, state.frames.count < Self.maxFrames else {
                return .refuse(spent(&state, "too many frames and remarks", "ask for less data"))
            }
            if state.limits.bytes != .max { state.bytesLeft -= cost }
            return .take(receiver, GF_OK)
        }
        return admission ?? .refuse(ended())
    }

    /// The frames that one call may have open.
    private static let maxFrames = 1 << 20
    /// What a cancelled call may still say of its queries.
    private static let maxLateBytes: Int64 = 1 << 20
    /// The bytes of the schemas that one call may send, a stream as well: they are kept until it ends.
    private static let maxSchemaBytes = 256 << 20

    /// Counts a part of a result, of a frame or of none, against the call's limits.
    private func admit(_ handle: OpaquePointer?, bytes: Int, rows: Int, of frame: UInt32? = nil) -> Admission {
        let admission = withRunning(handle) { state, _ -> Admission in
            guard let receiver = state.receiver else { return .refuse(GF_STATE) }
            guard state.cancelReason == nil else {
                state.dropped.insert(frame.flatMap { state.frames[$0]?.refID } ?? "")
                return .refuse(GF_CANCELLED)
            }
            guard state.bytesLeft >= Int64(bytes) else {
                return .refuse(
                    spent(&state, "more than \(state.limits.bytes) bytes", "ask for less data or raise the byte limit"))
            }
            guard state.rowsLeft >= Int64(rows) else {
                return .refuse(
                    spent(&state, "more than \(state.limits.rows) rows", "ask for less data or raise the row limit"))
            }
            guard state.outstanding <= 4 * state.limits.window else {
                return .refuse(spent(&state, "data without waiting for credit (GF-R-015)", "report it to its author"))
            }
            state.bytesLeft -= Int64(bytes)
            state.rowsLeft -= Int64(rows)
            state.outstanding += bytes
            guard state.outstanding >= state.limits.window else { return .take(receiver, GF_OK) }
            state.wantsCredit = true
            return .take(receiver, GF_AGAIN)
        }
        return admission ?? .refuse(ended())
    }

    /// More came than the call may send.
    func exceeded(_ handle: OpaquePointer?, _ what: String) -> gf_status {
        withRunning(handle) { state, _ in spent(&state, what, "ask for less data or raise the byte limit") } ?? ended()
    }

    private func spent(_ state: inout CallSlot.State, _ what: String, _ remedy: String) -> gf_status {
        state.error = PluginError(.limit, "plugin '\(runtime.id)' sent \(what); \(remedy)", source: .limit)
        return GF_LIMIT
    }

    /// What was emitted breaks a rule: the call fails with it when it completes.
    func reject(_ handle: OpaquePointer?, _ message: String) -> gf_status {
        let known: Void? = withRunning(handle) { state, _ in
            // What else cannot be used follows from the first.
            guard state.error?.code != .badData else { return }
            state.error = PluginError(
                .badData, "plugin '\(runtime.id)' sent a result that cannot be used: \(message)", source: .plugin)
        }
        if known == nil { return ended() }
        runtime.misbehaved(message, rule: "GF-R-016")
        return GF_BAD_DATA
    }

    private func ended() -> gf_status {
        runtime.misbehaved("a call was used after its end", rule: "GF-R-010")
        return GF_STATE
    }

    private func release(_ array: UnsafeMutablePointer<ArrowArray>) {
        array.pointee.release?(array)
        array.pointee.release = nil
    }
}

/// Keeps an instance from being destroyed while the host still has memory of it.
final class InstanceHold: Sendable {
    private let instance: PluginInstance

    /// The instance has a running call, which keeps it until here.
    init(_ instance: PluginInstance) {
        self.instance = instance
        instance.hold()
    }

    deinit { instance.unreserve() }
}
