// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The data source that makes its data up.
///
/// - SeeAlso: Grafana, `pkg/tsdb/grafana-testdata-datasource`, for the ids and shapes of the scenarios.
struct TestDataSource: QueryHandler, CheckHealthHandler {
    let uid: String
    let host: Host
    let simulations = SimulationStore()

    init(settings: DataSourceInstanceSettings, host: Host) {
        uid = settings.uid
        self.host = host
    }

    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        let output = ScenarioOutput(
            send: { try await response.send($0) }, sleep: { try await context.sleep(for: $0) },
            simulations: simulations, dataSourceUID: uid)
        let reason = try await Scenario.answer(ScenarioQuery(query), queryType: query.queryType, into: output)
        if let reason {
            context.log(.error, "The query gets no answer", ["query.ref-id": query.refID, "reason": reason])
        }
    }

    func checkHealth(context: CallContext) async throws -> HealthResult {
        HealthResult(.ok, "Data source is working")
    }
}

extension ScenarioQuery {
    init(_ query: DataQuery) {
        let (seconds, attoseconds) = query.interval.components
        let (product, hasOverflow) = seconds.multipliedReportingOverflow(by: 1000)
        self.init(
            refID: query.refID, from: query.from, to: query.to,
            intervalMilliseconds: hasOverflow ? .max / 2 : product + attoseconds / 1_000_000_000_000_000,
            maxDataPoints: query.maxDataPoints, model: query.model)
    }
}

extension TestDataSource: CallResourceHandler {
    /// The largest body that `test` echoes.
    private static let bodyLimit = 1 << 20

    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        guard request.path != "stream" else { return try await stream(request, context: context, into: response) }
        let call = TestDataResources.Call(
            method: request.method, path: request.path, query: request.query, headers: request.headers,
            body: try await request.body(upTo: Self.bodyLimit))
        switch try TestDataResources(simulations: simulations).answer(call, now: host.now) {
        case .text(let status, let text): try await response.respond(status: status, text: text)
        case .json(let status, let json): try await response.respond(status: status, json: json)
        }
    }

    private func stream(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        let lines: ResourceLines
        do {
            lines = try ResourceLines(method: request.method, query: request.query)
        } catch {
            return try await response.respond(status: error.status, text: error.message)
        }
        var random = ScenarioRandom(seed: nil)
        try await response.head(status: 200, headers: ["Content-Type": lines.contentType])
        for index in 0..<lines.count {
            if index > 0, lines.pause > .zero { try await context.sleep(for: lines.pause) }
            try Task.checkCancellation()
            try await response.write(lines.line(index, value: random.unit(), at: host.now))
        }
    }
}

extension TestDataSource: StreamHandler {
    func subscribeStream(_ request: StreamRequest, context: CallContext) async throws -> SubscribeResult {
        guard let channel = try? TestDataChannel(path: request.path) else {
            // As in Grafana: what cannot run is accepted here and fails when it is run.
            return request.path.hasPrefix("sim/") ? .notFound : .ok()
        }
        return .ok(initial: channel.initialFrame(at: host.now, simulations: simulations))
    }

    func runStream(_ request: StreamRequest, context: CallContext, into sender: StreamSender) async throws {
        var channel = try TestDataChannel(path: request.path)
        while true {
            try await context.sleep(for: channel.period)
            if let frame = channel.next(at: host.now, simulations: simulations) { try await sender.send(frame) }
        }
    }
}
