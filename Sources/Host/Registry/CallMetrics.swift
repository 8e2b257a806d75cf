// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import Synchronization

/// Counts and times of all calls, under Grafana's names.
///
/// - SeeAlso: Grafana, `pkg/services/pluginsintegration/clientmiddleware/metrics_middleware.go`.
final class CallMetrics: Sendable {
    private struct Key: Hashable {
        var pluginID: String
        var endpoint: String
        var status: String
        var source: String
    }

    private struct Value {
        var counts = [UInt64](repeating: 0, count: CallMetrics.bounds.count + 1)
        var seconds = 0.0
    }

    /// Upper bounds in seconds.
    private static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25]
    private let values = Mutex<[Key: Value]>([:])

    /// What a call tells when it has ended.
    func observer(pluginID: String, endpoint: String, size: Int) -> @Sendable (PluginError?, [PluginError]) -> Void {
        let start = MonotonicTime.now
        return { [self] error, failures in
            let failure = error ?? failures.first { $0.source != .downstream } ?? failures.first
            let status = failure == nil ? "ok" : failure?.code == .cancelled ? "cancelled" : "error"
            let source = failure?.source == .downstream ? "downstream" : "plugin"
            let key = Key(pluginID: pluginID, endpoint: endpoint, status: status, source: source)
            let seconds = Double(MonotonicTime.now &- start) / 1e9
            values.withLock { values in
                values[key, default: Value()].counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
                values[key, default: Value()].seconds += seconds
            }
        }
    }

    /// The values in Prometheus's text format.
    func write(into text: inout String) {
        let values = self.values.withLock { $0 }.sorted { Self.order($0.key, $1.key) }
        text += "# HELP grafana_plugin_request_total The total amount of plugin requests\n"
        text += "# TYPE grafana_plugin_request_total counter\n"
        for (key, value) in values {
            text += "grafana_plugin_request_total{\(labels(key))} \(value.counts.reduce(0, +))\n"
        }
        let name = "grafana_plugin_request_duration_seconds"
        text += "# HELP \(name) Plugin request duration in seconds\n# TYPE \(name) histogram\n"
        for (key, value) in values {
            let labels = "source=\"grafana-backend\"," + labels(key)
            var total: UInt64 = 0
            for (index, count) in value.counts.enumerated() {
                total += count
                let bound = index < Self.bounds.count ? PrometheusText.number(Self.bounds[index]) : "+Inf"
                text += "\(name)_bucket{\(labels),le=\"\(bound)\"} \(total)\n"
            }
            text += "\(name)_sum{\(labels)} \(value.seconds)\n\(name)_count{\(labels)} \(total)\n"
        }
    }

    private static func order(_ left: Key, _ right: Key) -> Bool {
        (left.pluginID, left.endpoint, left.status, left.source)
            < (right.pluginID, right.endpoint, right.status, right.source)
    }

    private func labels(_ key: Key) -> String {
        "plugin_id=\"\(PrometheusText.escape(key.pluginID))\",endpoint=\"\(key.endpoint)\",status=\"\(key.status)\","
            + "target=\"in_memory\",status_source=\"\(key.source)\""
    }
}

extension PluginPlatform {
    /// Appends what the platform counts in Prometheus's text format: calls, plugins, rules broken, plugins' own metrics.
    public func writeMetrics(into text: inout String) {
        metrics.write(into: &text)
        let plugins = self.plugins
        Self.gauge("grafana_plugin_build_info", "Build information of plugins", plugins, into: &text) { plugin in
            let labels =
                "plugin_type=\"\(plugin.descriptor.type.rawValue)\",version=\"\(PrometheusText.escape(plugin.version))\","
                + "signature_status=\"\(plugin.signature.status.rawValue)\""
            return (labels, 1)
        }
        Self.gauge("grafana_plugin_calls_running", "Calls that plugins are working on", plugins, into: &text) {
            ("", $0.callsRunning)
        }
        Self.gauge("grafana_plugin_generation", "How often a plugin was loaded", plugins, into: &text) {
            ("", $0.generation)
        }
        Self.gauge("grafana_plugin_calls_abandoned", "Calls that were given up", plugins, into: &text) {
            ("", $0.callsAbandoned)
        }
        Self.gauge("grafana_plugin_rules_broken", "Broken rules of the ABI", plugins, into: &text) {
            ("", $0.rulesBroken)
        }
        for plugin in plugins { text += metricsText(pluginID: plugin.id) ?? "" }
    }

    private static func gauge(
        _ name: String, _ help: String, _ plugins: [PluginInfo], into text: inout String,
        _ value: (PluginInfo) -> (labels: String, value: Int)
    ) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n"
        for plugin in plugins {
            let (labels, number) = value(plugin)
            let all = ["plugin_id=\"\(PrometheusText.escape(plugin.id))\"", labels].filter { !$0.isEmpty }
            text += "\(name){\(all.joined(separator: ","))} \(number)\n"
        }
    }
}
