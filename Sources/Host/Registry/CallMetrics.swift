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
    }

    private let times = Mutex<[Key: CallTimes]>([:])

    /// The times of one kind of call to one plugin; the same object each time.
    func times(pluginID: String, endpoint: String) -> CallTimes {
        times.withLock { times in
            let key = Key(pluginID: pluginID, endpoint: endpoint)
            if let known = times[key] { return known }
            let new = CallTimes()
            times[key] = new
            return new
        }
    }

    /// What a call tells when it has ended.
    func observer(pluginID: String, endpoint: String, size: Int) -> @Sendable (PluginError?, [PluginError]) -> Void {
        let times = times(pluginID: pluginID, endpoint: endpoint)
        let began = MonotonicTime.now
        return { error, failures in
            times.record(error ?? failures.first { $0.source != .downstream } ?? failures.first, began: began)
        }
    }

    /// The values in Prometheus's text format.
    func write(into text: inout String) {
        let series = times.withLock { $0 }.sorted { Self.order($0.key, $1.key) }.flatMap { key, times in
            times.outcomes.map { (labels: Self.labels(key, $0.outcome), value: $0.value) }
        }
        text += "# HELP grafana_plugin_request_total The total amount of plugin requests\n"
        text += "# TYPE grafana_plugin_request_total counter\n"
        for (labels, value) in series {
            text += "grafana_plugin_request_total{\(labels)} \(value.counts.reduce(0, +))\n"
        }
        let name = "grafana_plugin_request_duration_seconds"
        text += "# HELP \(name) Plugin request duration in seconds\n# TYPE \(name) histogram\n"
        for (labels, value) in series {
            let labels = "source=\"grafana-backend\"," + labels
            var total: UInt64 = 0
            for (index, count) in value.counts.enumerated() {
                total += count
                let bounds = CallTimes.bounds
                let bound = index < bounds.count ? PrometheusText.number(bounds[index]) : "+Inf"
                text += "\(name)_bucket{\(labels),le=\"\(bound)\"} \(total)\n"
            }
            text += "\(name)_sum{\(labels)} \(value.seconds)\n\(name)_count{\(labels)} \(total)\n"
        }
    }

    private static func order(_ left: Key, _ right: Key) -> Bool {
        (left.pluginID, left.endpoint) < (right.pluginID, right.endpoint)
    }

    private static func labels(_ key: Key, _ outcome: CallTimes.Outcome) -> String {
        "plugin_id=\"\(PrometheusText.escape(key.pluginID))\",endpoint=\"\(key.endpoint)\",status=\"\(outcome.status)\","
            + "target=\"in_memory\",status_source=\"\(outcome.source)\""
    }
}

/// How often one kind of call to one plugin ended how, and how long it took.
final class CallTimes: Sendable {
    /// How a call ended, in the order of the metrics' text.
    enum Outcome: Int, CaseIterable {
        case cancelled
        case cancelledDownstream
        case failedDownstream
        case failed
        case ok

        var status: String {
            switch self {
            case .cancelled, .cancelledDownstream: "cancelled"
            case .failed, .failedDownstream: "error"
            case .ok: "ok"
            }
        }

        /// Whose fault it was; `plugin` when nothing was wrong.
        var source: String {
            switch self {
            case .cancelledDownstream, .failedDownstream: "downstream"
            case .cancelled, .failed, .ok: "plugin"
            }
        }

        init(_ failure: PluginError?) {
            guard let failure else {
                self = .ok
                return
            }
            let isDownstream = failure.source == .downstream
            if failure.code == .cancelled {
                self = isDownstream ? .cancelledDownstream : .cancelled
            } else {
                self = isDownstream ? .failedDownstream : .failed
            }
        }
    }

    struct Value {
        /// By upper bound, not summed up; the last one has none.
        var counts = [UInt64](repeating: 0, count: CallTimes.bounds.count + 1)
        var seconds = 0.0
    }

    /// Upper bounds in seconds.
    static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25]

    private let values = Mutex([Value](repeating: Value(), count: Outcome.allCases.count))

    /// Counts a call that began then and ends now.
    func record(_ failure: PluginError?, began: Int64) {
        let outcome = Outcome(failure).rawValue
        let seconds = Double(MonotonicTime.now &- began) / 1e9
        let bucket = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        values.withLock { values in
            values[outcome].counts[bucket] += 1
            values[outcome].seconds += seconds
        }
    }

    /// The outcomes that there were.
    var outcomes: [(outcome: Outcome, value: Value)] {
        let values = values.withLock { $0 }
        return Outcome.allCases.map { ($0, values[$0.rawValue]) }.filter { $0.value.counts.contains { $0 > 0 } }
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
