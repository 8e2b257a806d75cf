// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI

extension InstanceBox {
    /// Begins a call: copies what it needs of the request and leaves the rest to a task.
    func start(_ handle: OpaquePointer, kind: UInt32, request: UnsafeRawPointer?) -> gf_status {
        guard let body = handler(kind: kind, request: request) else { return GF_UNSUPPORTED }
        let host = library.host
        let call = CallBridge(host: host, handle: handle, config: config)
        let state = Unmanaged.passRetained(call)
        let status = host.call.state_set?(host.pointer, handle, state.toOpaque()) ?? GF_UNSUPPORTED
        guard status == GF_OK else {
            state.release()
            return status
        }
        call.run(on: library.executor, body)
        return GF_OK
    }

    private typealias Body = @Sendable (CallBridge) async throws -> Void

    private func handler(kind: UInt32, request: UnsafeRawPointer?) -> Body? {
        switch kind {
        case GF_CALL_QUERY:
            guard let source = source as? any QueryHandler, let queries = queries(request) else { return nil }
            return { try await Self.query(source, queries, $0) }
        case GF_CALL_HEALTH:
            guard let source = source as? any CheckHealthHandler else { return nil }
            return { try await Self.checkHealth(source, $0) }
        case GF_CALL_RESOURCE:
            guard let source = source as? any CallResourceHandler,
                let request = adopt(request?.assumingMemoryBound(to: gf_resource_request.self))
            else { return nil }
            return Self.resource(source, request)
        case GF_CALL_SUBSCRIBE, GF_CALL_PUBLISH, GF_CALL_RUN_STREAM:
            guard let source = source as? any StreamHandler,
                let request = adopt(request?.assumingMemoryBound(to: gf_stream_request.self))
            else { return nil }
            return Self.stream(source, kind, StreamRequest(request))
        case GF_CALL_STATE_SAVE:
            guard let source = source as? any StateHandler else { return nil }
            return { try await $0.send(source.saveState()) }
        case GF_CALL_STATE_LOAD:
            guard let source = source as? any StateHandler else { return nil }
            return { try await source.loadState($0.readInput(upTo: Int(GF_STATE_MAX_BYTES))) }
        default:
            return nil
        }
    }

    // MARK: Queries

    private func queries(_ request: UnsafeRawPointer?) -> [BorrowedQuery]? {
        guard let request = adopt(request?.assumingMemoryBound(to: gf_query_request.self)) else { return nil }
        guard request.query_count > 0, let first = request.queries else { return [] }
        let stride = Int(first.pointee.struct_size)
        return (0..<Int(request.query_count)).compactMap { index in
            let element = UnsafeRawPointer(first) + index * stride
            return adopt(element.assumingMemoryBound(to: gf_query.self)).map(BorrowedQuery.init)
        }
    }

    private static func query(_ source: some QueryHandler, _ queries: [BorrowedQuery], _ call: CallBridge) async throws
    {
        let context = CallContext(call: call)
        await withTaskGroup(of: Void.self) { group in
            for query in queries {
                group.addTask {
                    let responder = QueryResponder(call: call, refID: query.refID)
                    do {
                        try await source.query(query.parsed(), context: context, into: responder)
                    } catch {
                        call.setError(.wrapping(error), refID: query.refID)
                    }
                }
            }
        }
    }

    // MARK: The other kinds

    private static func checkHealth(_ source: some CheckHealthHandler, _ call: CallBridge) async throws {
        let result = try await source.checkHealth(context: CallContext(call: call))
        try call.head(status: result.status.rawValue, message: result.message, headers: [:])
        if let details = result.details { try await call.send(Array(details.encoded().utf8)) }
    }

    private static func resource(_ source: some CallResourceHandler, _ request: gf_resource_request) -> Body {
        let method = String(request.method)
        let path = String(request.path)
        let query = String(request.query)
        let headers = HTTPHeaders(request.headers, count: request.header_count)
        return { call in
            let request = ResourceRequest(method: method, path: path, query: query, headers: headers, call: call)
            try await source.callResource(
                request, context: CallContext(call: call), into: ResourceResponder(call: call))
        }
    }

    private static func stream(_ source: some StreamHandler, _ kind: UInt32, _ request: StreamRequest) -> Body {
        switch kind {
        case GF_CALL_SUBSCRIBE:
            { call in
                switch try await source.subscribeStream(request, context: CallContext(call: call)) {
                case .ok(let frame):
                    try call.head(status: Int32(GF_STREAM_OK), message: "", headers: [:])
                    if let frame { try await call.send(frame, refID: "") }
                case .okBytes(let bytes):
                    try call.head(status: Int32(GF_STREAM_OK), message: "", headers: [:])
                    try await call.send(bytes)
                case .notFound: try call.head(status: Int32(GF_STREAM_NOT_FOUND), message: "", headers: [:])
                case .permissionDenied:
                    try call.head(status: Int32(GF_STREAM_PERMISSION_DENIED), message: "", headers: [:])
                }
            }
        case GF_CALL_PUBLISH:
            { call in
                switch try await source.publishStream(request, context: CallContext(call: call)) {
                case .ok(let bytes):
                    try call.head(status: Int32(GF_STREAM_OK), message: "", headers: [:])
                    if !bytes.isEmpty { try await call.send(bytes) }
                case .notFound: try call.head(status: Int32(GF_STREAM_NOT_FOUND), message: "", headers: [:])
                case .permissionDenied:
                    try call.head(status: Int32(GF_STREAM_PERMISSION_DENIED), message: "", headers: [:])
                }
            }
        default:
            { call in
                let sender = StreamSender(call: call)
                try await source.runStream(request, context: CallContext(call: call), into: sender)
            }
        }
    }
}

/// A query as it was given, copied out of borrowed memory; parsed when its own task runs.
private struct BorrowedQuery: Sendable {
    let refID: String
    let queryType: String
    let json: String
    let from: Int64
    let to: Int64
    let interval: Int64
    let maxDataPoints: Int64
    let maxRows: Int64

    init(_ query: gf_query) {
        refID = String(query.ref_id)
        queryType = String(query.query_type)
        json = String(query.json)
        from = query.from
        to = query.to
        interval = query.interval
        maxDataPoints = query.max_data_points
        maxRows = query.max_rows
    }

    func parsed() throws -> DataQuery {
        let model: JSONValue
        do {
            model = try JSONValue(parsing: Array(json.utf8))
        } catch {
            throw PluginError(.invalid, "query \(refID) is not JSON: \(error)")
        }
        return DataQuery(
            refID: refID, queryType: queryType, json: JSONText(json), model: model,
            from: Timestamp(nanoseconds: from), to: Timestamp(nanoseconds: to),
            interval: .nanoseconds(max(1, interval)), maxDataPoints: Int(clamping: maxDataPoints),
            maxRows: maxRows > 0 ? Int(clamping: maxRows) : nil)
    }
}

extension StreamRequest {
    fileprivate init(_ request: gf_stream_request) {
        self.init(
            path: String(request.path), data: [UInt8](request.data), resumeToken: [UInt8](request.resume_token))
    }
}
