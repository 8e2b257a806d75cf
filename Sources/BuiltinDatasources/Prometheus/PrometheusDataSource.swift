// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One configured Prometheus.
struct PrometheusDataSource: QueryHandler {
    let settings: PrometheusSettings
    let host: Host
    let versionCache = VersionCache()

    init(settings: DataSourceInstanceSettings, host: Host) throws {
        self.settings = try PrometheusSettings(jsonData: settings.jsonData)
        self.host = host
    }

    /// Runs the calls of a query one after the other; a failing one does not stop the next, unless a limit is reached.
    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        let prepared = try PrometheusQuery(query, scrapeInterval: settings.scrapeInterval)
        let isForAlert = context.header("FromAlert") == "true"
        var errors: [PluginError] = []
        calls: for call in prepared.calls where call != .exemplar || !isForAlert {
            do {
                try await run(call, of: prepared, context: context, into: response)
            } catch let error as PluginError where error.code != .cancelled {
                if call == .exemplar {
                    context.log(.warn, "exemplars are missing", ["error": error.message])
                } else {
                    errors.append(error)
                    if error.code == .limit { break calls }
                }
            }
        }
        if let error = Self.joined(errors) { throw error }
    }

    /// One error for all: the texts one after the other, everything else from the first.
    static func joined(_ errors: [PluginError]) -> PluginError? {
        guard var first = errors.first else { return nil }
        first.message = errors.map(\.message).joined(separator: " ")
        return first
    }

    private func run(
        _ call: PrometheusCall, of query: PrometheusQuery, context: CallContext, into response: QueryResponder
    ) async throws {
        var frames = PrometheusFrames(query: query, call: call)
        let request = settings.request(call.path, query.parameters(of: call, timeout: settings.queryTimeout))
        let answer = try await context.http.send(request)
        frames.statistics = ServerTiming.statistics(answer.headers["server-timing"] ?? "", call: call)
        var reader = PrometheusAnswerReader(frames: frames, waitsForStatistics: settings.asksForStatistics)
        do {
            try await read(answer, with: &reader, into: response)
        } catch {
            if let frame = reader.frameForError() { try await response.send(frame) }
            throw error
        }
    }

    private func read(
        _ answer: HTTPResponse, with reader: inout PrometheusAnswerReader, into response: QueryResponder
    ) async throws {
        guard (200..<300).contains(answer.status) else {
            let body = try await answer.collectPrefix(UpstreamStatus.maximumErrorBytes)
            throw UpstreamStatus.error(status: answer.status, body: body)
        }
        for try await chunk in answer.body {
            let delivery = try chunk.withBytes { try reader.consume($0) }
            try await response.send(delivery)
        }
        try await response.send(try reader.finish())
    }
}

extension QueryResponder {
    fileprivate func send(_ delivery: PrometheusAnswerReader.Delivery) async throws {
        for remark in delivery.notices { notice(remark) }
        for frame in delivery.frames { try await send(frame) }
    }
}
