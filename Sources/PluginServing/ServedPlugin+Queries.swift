// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import GoPlugin
internal import PluginABI
internal import PluginHost

extension ServedPlugin {
    /// Answers all queries at once, each with its own status.
    ///
    /// A call that fails as a whole fails each query that has no error of its own, as it does in this server: Grafana
    /// shows its users the error of a query, and hides that of a call.
    func queryData(
        _ question: Pluginv2_QueryDataRequest, _ call: GRPCServerCall
    ) async throws -> Pluginv2_QueryDataResponse {
        var answers = QueryAnswers(try QueryList(question.queries))
        try await ask(answers.list, question.pluginContext, question.headers, call) { answers.take($0) }
        return answers.message(asJSON: question.format == .json)
    }

    /// Sends the rows as they come.
    func queryChunkedData(_ question: Pluginv2_QueryChunkedDataRequest, _ call: GRPCServerCall) async throws {
        var chunks = QueryChunks(try QueryList(question.queries), asJSON: question.format == .json)
        try await ask(chunks.list, question.pluginContext, question.headers, call) { event in
            for message in chunks.messages(for: event) { try await call.send(message) }
        }
    }

    /// Hands each step of the answer to `take`, the end included.
    ///
    /// - Throws: ``GRPCStatus`` `.cancelled`, and what `take` throws.
    private func ask(
        _ list: QueryList, _ sent: Pluginv2_PluginContext, _ headers: [String: String], _ call: GRPCServerCall,
        take: (CallEvent) async throws -> Void
    ) async throws {
        let context = RequestContext(sent)
        let facts = context.facts(headers: RequestContext.headers(headers), of: call)
        do {
            guard !list.queries.isEmpty else { return try await take(.completed(nil)) }
            let events = try await platform.queryData(list.queries, of: source(of: context), facts: facts)
            for await event in events {
                if case .completed(let error?) = event, error.code == .cancelled { throw error }
                try await take(event)
            }
        } catch let error as PluginError where error.code == .cancelled {
            throw GRPCStatus(error)
        } catch let error as PluginError {
            try await take(.completed(error))
        }
    }
}

/// The queries of a request; those that cannot be read fail alone.
struct QueryList: Sendable {
    /// What the plugin is asked.
    private(set) var queries: [DataQuery] = []
    /// All of the request, in its order.
    private(set) var refIDs: [String] = []
    /// Of those that are not asked.
    private(set) var faults: [String: PluginError] = [:]

    /// - Throws: ``GRPCStatus`` `.invalidArgument` for two queries of the same name.
    init(_ sent: [Pluginv2_DataQuery]) throws {
        for query in sent {
            guard !refIDs.contains(query.refID) else {
                throw GRPCStatus(.invalidArgument, "two queries are called '\(query.refID.prefix(100))'")
            }
            refIDs.append(query.refID)
            let text = query.json.isEmpty ? "{}" : String(decoding: query.json, as: UTF8.self)
            guard let model = try? JSONValue(parsing: text), model.object != nil else {
                faults[query.refID] = PluginError(.invalid, "the query is not a JSON object", source: .host)
                continue
            }
            queries.append(
                DataQuery(
                    refID: query.refID, queryType: query.queryType, json: JSONText(text), model: model,
                    from: Timestamp(milliseconds: query.timeRange.fromEpochMs),
                    to: Timestamp(milliseconds: query.timeRange.toEpochMs),
                    interval: .milliseconds(max(1, min(query.intervalMs, 1_000_000_000_000))),
                    maxDataPoints: query.maxDataPoints > 0 ? Int(query.maxDataPoints) : 100))
        }
    }

    /// The query that a frame or a failure belongs to; what names none belongs to the first.
    func owner(of refID: String) -> String { refIDs.contains(refID) ? refID : queries.first?.refID ?? "" }
}
