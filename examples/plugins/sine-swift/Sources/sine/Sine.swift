// SPDX-License-Identifier: Apache-2.0
import CPluginABI
import Glibc
import PluginABI
struct Sine: QueryHandler, CheckHealthHandler, StreamHandler {
    let settings: DataSourceInstanceSettings
    let host: Host
    func sine(_ times: [Timestamp]) -> DataFrame {
        DataFrame(fields: [Field("Time", times), Field("Value", times.map { sin(Double($0.nanoseconds) / 1e9) })])
    }
    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        let step = Int(max(1, query.interval.components.seconds)) * 1_000_000_000
        let times = stride(from: query.from.nanoseconds, to: query.to.nanoseconds, by: step).prefix(query.maxDataPoints)
        try await response.send(sine(times.map { Timestamp(nanoseconds: $0) }))
    }
    func checkHealth(context: CallContext) async throws -> HealthResult {
        host.secret("apiKey") == nil ? HealthResult(.error, "no apiKey: set it and save") : HealthResult(.ok, "ready")
    }
    func subscribeStream(_ request: StreamRequest, context: CallContext) async throws -> SubscribeResult { .ok() }
    func runStream(_ request: StreamRequest, context: CallContext, into sender: StreamSender) async throws {
        while true {
            try await sender.send(sine([host.now]))
            try await context.sleep(for: .seconds(1))
        }
    }
}
private let plugin = PluginDefinition(id: "grafana-sineswift-datasource", version: "1.0.0", dataSource: Sine.self)
/// The one symbol that the host looks for.
@c @implementation public func gf_entry_v1(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    plugin.entry(info)
}
