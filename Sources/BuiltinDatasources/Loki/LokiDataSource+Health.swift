// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension LokiDataSource: CheckHealthHandler {
    /// Asks for `vector(1)+vector(1)`, which has to be 2.
    func checkHealth(context: CallContext) async throws -> HealthResult {
        do {
            guard let fault = try await faultOfQuery(context) else {
                return HealthResult(.ok, "Data source successfully connected.")
            }
            return failed(fault)
        } catch let error as PluginError where error.code != .cancelled {
            return failed([error.message, error.hint].compactMap { $0 }.joined(separator: "; "))
        }
    }

    /// More than the answer to a sum takes.
    private static let healthBytes = 64 << 10

    /// Grafana's words, which do not say why; the log does, as who may look at health need not see what the server says.
    private func failed(_ fault: String) -> HealthResult {
        host.log(.warn, "Loki is not healthy", ["error": fault])
        return HealthResult(.error, "Unable to connect with Loki. Please check the server logs for more details.")
    }

    private func faultOfQuery(_ context: CallContext) async throws -> String? {
        let query = LokiQuery(
            expression: "vector(1)+vector(1)", kind: .instant, direction: .backward, maxLines: 0, step: .seconds(1),
            legendFormat: "", source: "", from: host.now, to: host.now)
        let answer = try await send(query, context, maxBytes: Self.healthBytes)
        var parser = LokiAnswerParser()
        parser.batchBytes = Self.healthBytes
        for try await chunk in answer.body { try chunk.withBytes { try parser.consumeWhole($0) } }
        try parser.finish()
        let series = parser.takeSeries()
        guard series.count == 1, series[0].values.count == 1, series[0].values[0, as: Double.self] == 2 else {
            return "the query \(query.expression) was not answered with 2"
        }
        return nil
    }
}
