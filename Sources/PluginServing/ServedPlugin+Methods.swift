// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import GoPlugin
internal import PluginABI
internal import PluginHost

/// Grafana's protocol in front of the platform.
///
/// What is not here, such as AdmissionControl, the server answers with Unimplemented: no plugin of ours has it.
extension ServedPlugin {
    func addMethods(to methods: inout GRPCMethods) {
        methods.unary("/pluginv2.Data/QueryData") { (question: Pluginv2_QueryDataRequest, call) in
            try await self.queryData(question, call)
        }
        methods.stream("/pluginv2.Data/QueryChunkedData") { (question: Pluginv2_QueryChunkedDataRequest, call) in
            try await self.queryChunkedData(question, call)
        }
        methods.unary("/pluginv2.Diagnostics/CheckHealth") { (question: Pluginv2_CheckHealthRequest, call) in
            try await self.checkHealth(question, call)
        }
        methods.unary("/pluginv2.Diagnostics/CollectMetrics") { (_: Pluginv2_CollectMetricsRequest, _) in
            var answer = Pluginv2_CollectMetricsResponse()
            let text = self.platform.metricsText(pluginID: self.descriptor.id) ?? ""
            answer.metrics.prometheus = Data(text.utf8)
            return answer
        }
        methods.stream("/pluginv2.Resource/CallResource") { (question: Pluginv2_CallResourceRequest, call) in
            try await self.callResource(question, call)
        }
        methods.unary("/pluginv2.Stream/SubscribeStream") { (question: Pluginv2_SubscribeStreamRequest, call) in
            try await self.subscribeStream(question, call)
        }
        methods.unary("/pluginv2.Stream/PublishStream") { (question: Pluginv2_PublishStreamRequest, call) in
            try await self.publishStream(question, call)
        }
        methods.stream("/pluginv2.Stream/RunStream") { (question: Pluginv2_RunStreamRequest, call) in
            try await self.runStream(question, call)
        }
    }

    // MARK: Diagnostics

    private func checkHealth(
        _ question: Pluginv2_CheckHealthRequest, _ call: GRPCServerCall
    ) async throws -> Pluginv2_CheckHealthResponse {
        let context = RequestContext(question.pluginContext)
        let facts = context.facts(headers: RequestContext.headers(question.headers), of: call)
        var answer = Pluginv2_CheckHealthResponse()
        do {
            let result = try await platform.checkHealth(of: source(of: context), facts: facts)
            answer.status = .init(rawValue: Int(result.status.rawValue)) ?? .unknown
            answer.message = result.message
            if let details = result.details { answer.jsonDetails = Data(details.encoded().utf8) }
        } catch let error as PluginError where [.unsupported, .cancelled, .timeout].contains(error.code) {
            throw GRPCStatus(error)
        } catch let error as PluginError {
            // Settings that cannot work are what a health check is asked for.
            answer.status = .error
            answer.message = error.message
        }
        return answer
    }

    // MARK: Resources

    private func callResource(_ question: Pluginv2_CallResourceRequest, _ call: GRPCServerCall) async throws {
        let context = RequestContext(question.pluginContext)
        var headers = HTTPHeaders()
        var first: [String: String] = [:]
        for (name, list) in question.headers.sorted(by: { $0.key < $1.key }) {
            for value in list.values { headers.add(name.lowercased(), value) }
            first[name.lowercased()] = list.values.first
        }
        let query = question.url.firstIndex(of: "?").map { question.url[question.url.index(after: $0)...] } ?? ""
        let request = ResourceCall(
            method: question.method, path: question.path, query: String(query), headers: headers,
            body: Array(question.body))
        do {
            let answer = try await platform.callResource(
                request, of: source(of: context), facts: context.facts(headers: first, of: call))
            try await pass(answer, to: call)
        } catch let error as PluginError {
            throw GRPCStatus(error)
        }
    }

    /// The first message has the head and the first part of the body; others have only a part.
    private func pass(_ answer: ResourceAnswer, to call: GRPCServerCall) async throws {
        var head: Pluginv2_CallResourceResponse? = Pluginv2_CallResourceResponse()
        head?.code = Int32(clamping: answer.status)
        for (name, value) in answer.headers { head?.headers[name, default: Pluginv2_StringList()].values.append(value) }
        try await answer.forEachChunk { chunk in
            var message = head ?? Pluginv2_CallResourceResponse()
            head = nil
            message.body = chunk.withBytes { Data($0) }
            try await call.send(message)
        }
        if let head { try await call.send(head) }
    }

    // MARK: Streams

    private func subscribeStream(
        _ question: Pluginv2_SubscribeStreamRequest, _ call: GRPCServerCall
    ) async throws -> Pluginv2_SubscribeStreamResponse {
        let subject = try stream(question.pluginContext, question.headers, question.path, question.data, call)
        var answer = Pluginv2_SubscribeStreamResponse()
        let result = try await failingAsGRPC {
            try await platform.subscribeStream(subject.request, of: subject.source, facts: subject.facts)
        }
        answer.status = .init(rawValue: Int(result.status.rawValue)) ?? .notFound
        answer.data = result.data
        return answer
    }

    private func publishStream(
        _ question: Pluginv2_PublishStreamRequest, _ call: GRPCServerCall
    ) async throws -> Pluginv2_PublishStreamResponse {
        let subject = try stream(question.pluginContext, question.headers, question.path, question.data, call)
        var answer = Pluginv2_PublishStreamResponse()
        let result = try await failingAsGRPC {
            try await platform.publishStream(subject.request, of: subject.source, facts: subject.facts)
        }
        answer.status = .init(rawValue: Int(result.status.rawValue)) ?? .notFound
        answer.data = result.data
        return answer
    }

    private func runStream(_ question: Pluginv2_RunStreamRequest, _ call: GRPCServerCall) async throws {
        let subject = try stream(question.pluginContext, question.headers, question.path, question.data, call)
        try await failingAsGRPC {
            let events = try await platform.runStream(subject.request, of: subject.source, facts: subject.facts)
            var encoder = LiveFrameEncoder()
            for await event in events {
                var packet = Pluginv2_StreamPacket()
                switch event {
                case .frame(_, let frame), .rows(_, let frame): packet.data = Data(encoder.encode(frame).message)
                case .bytes(let chunk): packet.data = chunk.withBytes { Data($0) }
                case .completed(let error):
                    if let error { throw error }
                    continue
                case .head, .notice, .failed, .checkpoint: continue
                }
                try await call.send(packet)
            }
        }
    }

    /// What a question about a channel asks, of whom, and for whom.
    private func stream(
        _ context: Pluginv2_PluginContext, _ headers: [String: String], _ path: String, _ data: Data,
        _ call: GRPCServerCall
    ) throws -> (request: StreamRequest, source: DataSourceConfiguration, facts: CallFacts) {
        let context = RequestContext(context)
        let facts = context.facts(headers: RequestContext.headers(headers), of: call)
        do {
            return (StreamRequest(path: path, data: Array(data)), try source(of: context), facts)
        } catch let error as PluginError {
            throw GRPCStatus(error)
        }
    }

    /// Throws a plugin's error as gRPC does.
    private func failingAsGRPC<R>(_ body: () async throws -> R) async throws -> R {
        do { return try await body() } catch let error as PluginError { throw GRPCStatus(error) }
    }
}

extension SubscribeAnswer {
    fileprivate var data: Data { frame.map { Data($0.json()) } ?? Data(bytes) }
}
