// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CRunnerProtocol
internal import PluginABI
internal import Synchronization

extension IsolatedInstance {
    /// What the host knows of a call that a process has to know too.
    private struct Begin: Sendable {
        var facts: CallFacts
        var input: CallInput?
        var deadline: Int64
        var bytesLeft: Int64
        var rowsLeft: Int64
        var window: Int
    }

    /// The message that begins a call, with everything its request points to; nil for a handle that names no call.
    func startMessage(_ handle: OpaquePointer, kind: UInt32, request: UnsafeRawPointer?) -> IsolatedCall? {
        let runtime = plugin.state.withLock { $0.runtime }
        let begin = runtime?.calls?.withRunning(handle) { state, _ in
            Begin(
                facts: state.facts, input: state.input, deadline: state.deadline, bytesLeft: state.bytesLeft,
                rowsLeft: state.rowsLeft, window: state.limits.window)
        }
        guard let begin else { return nil }
        let call = UInt64(UInt(bitPattern: handle))
        var writer = MessageWriter()
        writer.message(RUNNER_START, call: call, runner_start_t()) { writer, body in
            body.kind = kind
            body.instance = number
            body.deadline = begin.deadline
            body.bytes_left = begin.bytesLeft
            body.rows_left = begin.rowsLeft
            body.window = Int64(begin.window)
            Self.write(begin.facts, into: &body, &writer)
            if let input = begin.input {
                body.has_input = 1
                body.input = writer.array(input.rest)
            }
            if let request { Self.write(kind, request, into: &body, &writer) }
        }
        return IsolatedCall(handle: call, kind: kind, instance: self, message: writer)
    }

    private static func write(_ facts: CallFacts, into body: inout runner_start_t, _ writer: inout MessageWriter) {
        body.is_server = facts.principal == nil ? 1 : 0
        if let principal = facts.principal {
            body.org_id = principal.orgID
            body.login = writer.text(principal.login)
            body.name = writer.text(principal.name)
            body.email = writer.text(principal.email)
            body.role = writer.text(principal.role)
        }
        body.trace_context = writer.text(facts.traceParent)
        body.locale = writer.text(facts.locale)
        body.headers = writer.pairs(facts.headers.map { (key: $0.key.lowercased(), value: $0.value) })
    }

    private static func write(
        _ kind: UInt32, _ request: UnsafeRawPointer, into body: inout runner_start_t, _ writer: inout MessageWriter
    ) {
        switch kind {
        case GF_CALL_QUERY:
            guard let request = adopt(request.assumingMemoryBound(to: gf_query_request.self)) else { return }
            body.queries = queries(request, &writer)
        case GF_CALL_HEALTH:
            body.depth = adopt(request.assumingMemoryBound(to: gf_health_request.self))?.depth ?? 0
        case GF_CALL_RESOURCE:
            guard let request = adopt(request.assumingMemoryBound(to: gf_resource_request.self)) else { return }
            body.content_length = request.content_length
            body.method = writer.text(request.method)
            body.path = writer.text(request.path)
            body.query = writer.text(request.query)
            body.request_headers = writer.pairs(request.headers, count: request.header_count)
        case GF_CALL_SUBSCRIBE, GF_CALL_PUBLISH, GF_CALL_RUN_STREAM:
            guard let request = adopt(request.assumingMemoryBound(to: gf_stream_request.self)) else { return }
            body.path = writer.text(request.path)
            body.data = writer.bytes(request.data)
            body.resume_token = writer.bytes(request.resume_token)
        default: return
        }
    }

    private static func queries(_ request: gf_query_request, _ writer: inout MessageWriter) -> runner_span {
        guard request.query_count > 0, let first = request.queries else { return runner_span() }
        let stride = Int(first.pointee.struct_size)
        var all: [runner_query_t] = []
        for index in 0..<Int(request.query_count) {
            let element = UnsafeRawPointer(first) + index * stride
            guard let query = adopt(element.assumingMemoryBound(to: gf_query.self)) else { continue }
            var wire = runner_query_t()
            wire.from = query.from
            wire.to = query.to
            wire.interval = query.interval
            wire.max_data_points = query.max_data_points
            wire.max_rows = query.max_rows
            wire.ref_id = writer.text(query.ref_id)
            wire.query_type = writer.text(query.query_type)
            wire.json = writer.text(query.json)
            all.append(wire)
        }
        return writer.array(all)
    }
}
