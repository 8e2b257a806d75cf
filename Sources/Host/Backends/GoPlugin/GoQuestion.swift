// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import FoundationEssentials
internal import GoPlugin
internal import PluginABI
internal import SwiftProtobuf
internal import Synchronization

/// What a Go plugin is asked, copied out of the host's request.
struct GoQuestion: Sendable {
    private let kind: UInt32
    private let path: String
    private let message: [UInt8]
    private let deadline: Int64
    private let limit: Int
    private let metadata: [(name: String, value: String)]
    private let isChunked: Bool

    /// Reads the request struct of a kind of call.
    ///
    /// - Returns: nil for a kind that these plugins do not know.
    init?(kind: UInt32, request: UnsafeRawPointer?, instance: GoInstance, facts: GoCallFacts) {
        let context = instance.context(of: facts.facts.principal)
        let headers = GoHeaders.map(facts.facts.headers)
        let isChunked = instance.library.backend.usesChunks.load(ordering: .relaxed)
        let question: (path: String, message: any Message)?
        switch kind {
        case GF_CALL_QUERY:
            question = Self.query(request, context, headers, isChunked: isChunked)
        case GF_CALL_HEALTH:
            var message = Pluginv2_CheckHealthRequest()
            message.pluginContext = context
            message.headers = headers
            question = ("/pluginv2.Diagnostics/CheckHealth", message)
        case GF_CALL_RESOURCE:
            question = Self.resource(request, context, facts.input)
        case GF_CALL_SUBSCRIBE, GF_CALL_PUBLISH, GF_CALL_RUN_STREAM:
            question = Self.stream(kind, request, context, headers)
        default:
            question = nil
        }
        guard let question, let message: [UInt8] = try? question.message.serializedBytes() else { return nil }
        self.kind = kind
        self.isChunked = kind == GF_CALL_QUERY && isChunked
        self.path = question.path
        self.message = message
        deadline = facts.deadline
        // An answer is a little larger than the values in it; what is over is refused before it is read.
        let slack: Int64 = 1 << 20
        limit = Int(min(Int64(GRPCRequest.largestMessage) - slack, max(0, facts.bytes)) + slack)
        metadata = facts.facts.traceParent.isEmpty ? [] : [("traceparent", facts.facts.traceParent)]
    }

    /// Whether asking twice changes nothing.
    var isIdempotent: Bool { kind == GF_CALL_QUERY || kind == GF_CALL_HEALTH }

    /// The question with the time that is left for its answer.
    func request(withChunks: Bool) -> GRPCRequest {
        let path = isChunked && !withChunks ? "/pluginv2.Data/QueryData" : path
        let timeout: Duration? =
            deadline == .max ? nil : .nanoseconds(max(1_000_000, deadline &- MonotonicTime.now))
        var request = GRPCRequest(path, message: message, metadata: metadata, timeout: timeout, limit: limit)
        // The host's watchdog ends the call.
        request.isTimed = false
        return request
    }

    /// What reads the answer.
    func reader(for call: GoCall, withChunks: Bool) -> any MessageReader {
        switch kind {
        case GF_CALL_QUERY: isChunked && withChunks ? ChunkedQueryReader(call) : QueryReader(call)
        case GF_CALL_HEALTH: HealthReader(call)
        case GF_CALL_RESOURCE: ResourceReader(call)
        case GF_CALL_RUN_STREAM: PacketReader(call)
        default: SubscriptionReader(call)
        }
    }

    // MARK: The messages

    private static func query(
        _ request: UnsafeRawPointer?, _ context: Pluginv2_PluginContext, _ headers: [String: String], isChunked: Bool
    ) -> (String, any Message)? {
        guard let request = adopt(request?.assumingMemoryBound(to: gf_query_request.self)) else { return nil }
        var message = Pluginv2_QueryDataRequest()
        message.pluginContext = context
        message.headers = headers
        message.format = .arrow
        for query in queries(request) {
            var question = Pluginv2_DataQuery()
            question.refID = String(query.ref_id)
            question.queryType = String(query.query_type)
            question.json = Data(UnsafeRawBufferPointer(start: query.json.data, count: Int(query.json.length)))
            question.intervalMs = query.interval / 1_000_000
            question.maxDataPoints = query.max_data_points
            question.timeRange.fromEpochMs = query.from.dividedDown(by: 1_000_000)
            question.timeRange.toEpochMs = query.to.dividedDown(by: 1_000_000)
            message.queries.append(question)
        }
        // The two requests have the same fields.
        return (isChunked ? "/pluginv2.Data/QueryChunkedData" : "/pluginv2.Data/QueryData", message)
    }

    private static func queries(_ request: gf_query_request) -> [gf_query] {
        guard let first = request.queries else { return [] }
        let stride = Int(first.pointee.struct_size)
        let base = UnsafeRawPointer(first)
        return (0..<Int(request.query_count)).compactMap { index in
            adopt((base + index * stride).assumingMemoryBound(to: gf_query.self))
        }
    }

    private static func resource(
        _ request: UnsafeRawPointer?, _ context: Pluginv2_PluginContext, _ input: CallInput?
    ) -> (String, any Message)? {
        guard let request = adopt(request?.assumingMemoryBound(to: gf_resource_request.self)) else { return nil }
        let query = String(request.query)
        var message = Pluginv2_CallResourceRequest()
        message.pluginContext = context
        message.path = String(request.path)
        message.method = String(request.method)
        message.url = query.isEmpty ? message.path : "\(message.path)?\(query)"
        message.headers = GoHeaders.lists(HTTPHeaders(request.headers, count: request.header_count))
        message.body = Data(input?.rest ?? [])
        return ("/pluginv2.Resource/CallResource", message)
    }

    private static func stream(
        _ kind: UInt32, _ request: UnsafeRawPointer?, _ context: Pluginv2_PluginContext, _ headers: [String: String]
    ) -> (String, any Message)? {
        guard let request = adopt(request?.assumingMemoryBound(to: gf_stream_request.self)) else { return nil }
        // The three requests have the same fields.
        var message = Pluginv2_RunStreamRequest()
        message.pluginContext = context
        message.path = String(request.path)
        message.data = Data(UnsafeRawBufferPointer(start: request.data.data, count: Int(request.data.length)))
        message.headers = headers
        let method =
            kind == GF_CALL_SUBSCRIBE ? "SubscribeStream" : kind == GF_CALL_PUBLISH ? "PublishStream" : "RunStream"
        return ("/pluginv2.Stream/\(method)", message)
    }

    // MARK: Failures

    /// What the caller learns about a call that failed as a whole.
    func error(for status: GRPCStatus, plugin id: String) -> PluginError {
        let source: ErrorSource = status.errorSource == "downstream" ? .downstream : .plugin
        let message = status.isLocal ? "plugin '\(id)': \(status.message)" : status.message
        switch status.code {
        case .unimplemented:
            return PluginError(.unsupported, "plugin '\(id)' does not implement \(path)", source: .plugin)
        case .unavailable where status.isLocal: return PluginError(.crashed, message, source: .host)
        case .unavailable: return PluginError(.io, message, source: source)
        case .resourceExhausted: return PluginError(.limit, message, source: status.isLocal ? .limit : source)
        case .cancelled: return PluginError(.cancelled, message, source: source)
        case .invalidArgument: return PluginError(.invalid, message, source: source)
        case .notFound: return PluginError(.notFound, message, source: source)
        case .unauthenticated: return PluginError(.unauthenticated, message, source: source)
        case .permissionDenied: return PluginError(.forbidden, message, source: source)
        case .deadlineExceeded: return PluginError(.timeout, message, source: .plugin)
        case .internal where status.isLocal: return PluginError(.badData, message, source: .plugin)
        default: return PluginError(.internal, message, source: source)
        }
    }
}

extension Int64 {
    /// Rounded down, also below zero.
    fileprivate func dividedDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
