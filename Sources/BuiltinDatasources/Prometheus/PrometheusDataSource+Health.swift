// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension PrometheusDataSource: CheckHealthHandler {
    /// Asks for `1+1`, and for the version of the server if that went well.
    func checkHealth(context: CallContext) async throws -> HealthResult {
        do {
            if let fault = try await faultOfQuery(context) { return Self.failed(fault) }
        } catch let error as PluginError where error.code != .cancelled {
            return Self.failed(error.message)
        }
        let build = try? await buildInfo(context)
        return HealthResult(.ok, "Successfully queried the Prometheus API.", details: build.map(\.details))
    }

    private static func failed(_ fault: String) -> HealthResult {
        HealthResult(.error, "\(fault) - There was an error returned querying the Prometheus API.")
    }

    private func faultOfQuery(_ context: CallContext) async throws -> String? {
        let request = settings.request(PrometheusCall.instant.path, [("query", "1+1"), ("time", "4")])
        let answer = try await context.http.send(request)
        guard answer.status == 200 else { return UpstreamStatus.line(answer.status) }
        var parser = PrometheusAnswerParser()
        for try await chunk in answer.body { try chunk.withBytes { try parser.consume($0) } }
        try parser.finish()
        let envelope = parser.envelope
        return envelope.status == "error" ? "\(envelope.errorType): \(envelope.error)" : nil
    }

    private func buildInfo(_ context: CallContext) async throws -> BuildInfo? {
        let answer = try await context.http.send(
            HTTPRequest(url: settings.url(Self.buildInfoPath, query: ""), headers: PrometheusSettings.accepted))
        guard answer.status == 200 else { return nil }
        return BuildInfo(answer: try await answer.collect(upTo: Self.maximumBuildInfoBytes))
    }

    static let buildInfoPath = "api/v1/status/buildinfo"
    static let maximumBuildInfoBytes = 65_536
}

/// What a server says about itself.
struct BuildInfo: Sendable, Equatable {
    /// May be empty.
    var version: String
    var isMimir: Bool

    /// Nil when the bytes are no answer of the endpoint.
    init?(answer: [UInt8]) {
        guard let value = try? JSONValue(parsing: answer), value["status"]?.string == "success",
            let build = value["data"], build.object != nil
        else { return nil }
        version = build["version"]?.string ?? ""
        isMimir = build["features"]?.object?.isEmpty == false
    }

    /// The details of a health check; Grafana knows `application` and `features`, the version is ours.
    var details: JSONValue {
        var details: JSONObject = [
            "application": .string(isMimir ? "Mimir" : "Prometheus"), "features": ["rulerApiEnabled": .bool(isMimir)],
        ]
        if !version.isEmpty { details["version"] = .string(version) }
        return .object(details)
    }
}
