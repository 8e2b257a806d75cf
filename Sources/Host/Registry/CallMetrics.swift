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
        /// `in_memory`, or `local` for a process of its own.
        var target: String
    }

    private let times = Mutex<[Key: CallTimes]>([:])

    /// The times of one kind of call to one plugin; the same object each time.
    func times(pluginID: String, endpoint: String, level: IsolationLevel = .linked) -> CallTimes {
        times.withLock { times in
            let key = Key(pluginID: pluginID, endpoint: endpoint, target: level.target)
            if let known = times[key] { return known }
            let new = CallTimes()
            times[key] = new
            return new
        }
    }

    /// What a call tells when it has ended.
    func observer(
        pluginID: String, endpoint: String, level: IsolationLevel, size: Int
    ) -> @Sendable (PluginError?, [PluginError]) -> Void {
        let times = times(pluginID: pluginID, endpoint: endpoint, level: level)
        times.record(requestBytes: size)
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
        writeSizes(into: &text)
    }

    /// The sizes of requests in Prometheus's text format.
    private func writeSizes(into text: inout String) {
        let name = "grafana_plugin_request_size_bytes"
        text += "# HELP \(name) Plugin request size in bytes\n# TYPE \(name) histogram\n"
        for (key, times) in times.withLock({ $0 }).sorted(by: { Self.order($0.key, $1.key) }) {
            let labels =
                "source=\"grafana-backend\",plugin_id=\"\(PrometheusText.escape(key.pluginID))\","
                + "endpoint=\"\(key.endpoint)\",target=\"\(key.target)\""
            let sizes = times.requestSizes
            var total: UInt64 = 0
            for (index, count) in sizes.counts.enumerated() {
                total += count
                let bound = index < CallTimes.sizeBounds.count ? "\(CallTimes.sizeBounds[index])" : "+Inf"
                text += "\(name)_bucket{\(labels),le=\"\(bound)\"} \(total)\n"
            }
            text += "\(name)_sum{\(labels)} \(sizes.bytes)\n\(name)_count{\(labels)} \(total)\n"
        }
    }

    private static func order(_ left: Key, _ right: Key) -> Bool {
        (left.pluginID, left.endpoint, left.target) < (right.pluginID, right.endpoint, right.target)
    }

    private static func labels(_ key: Key, _ outcome: CallTimes.Outcome) -> String {
        "plugin_id=\"\(PrometheusText.escape(key.pluginID))\",endpoint=\"\(key.endpoint)\",status=\"\(outcome.status)\","
            + "target=\"\(key.target)\",status_source=\"\(outcome.source)\""
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

    /// How large requests were: by upper bound, not summed up.
    struct Sizes {
        var counts = [UInt64](repeating: 0, count: CallTimes.sizeBounds.count + 1)
        var bytes = 0
    }

    /// Upper bounds in bytes.
    static let sizeBounds = (0..<14).map { 128 << $0 }

    private let sizes = Mutex(Sizes())
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

    /// Counts a request of a size.
    func record(requestBytes: Int) {
        let bucket = Self.sizeBounds.firstIndex { requestBytes <= $0 } ?? Self.sizeBounds.count
        sizes.withLock { sizes in
            sizes.counts[bucket] += 1
            sizes.bytes += requestBytes
        }
    }

    /// The sizes so far.
    var requestSizes: Sizes { sizes.withLock { $0 } }

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
        queryCache.writeMetrics(into: &text)
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
        let causes = plugins.filter { $0.quarantine != nil }
        Self.gauge(
            "grafana_plugin_quarantined", "Plugins that are kept out of the server's process", causes, into: &text
        ) { plugin in
            ("cause=\"\(plugin.quarantine?.cause.rawValue ?? "")\"", 1)
        }
        writeProcesses(plugins, into: &text)
        for plugin in plugins { text += metricsText(pluginID: plugin.id) ?? "" }
    }

    /// Where plugins run, and how the processes of those do that have some.
    private func writeProcesses(_ plugins: [PluginInfo], into text: inout String) {
        let running = plugins.filter { $0.level != nil }
        Self.gauge("grafana_plugin_target_info", "Where plugins run", running, into: &text) {
            ("target=\"\($0.level?.target ?? "")\"", 1)
        }
        let levels = "0 linked, 1 in-process, 2 process, 3 sandbox"
        Self.gauge("grafana_plugin_isolation_level", levels, running, into: &text) { ("", $0.level?.rawValue ?? 0) }
        let processes = plugins.filter { $0.process != nil }
        for (name, help, value) in Self.processGauges {
            Self.gauge("grafana_plugin_process_\(name)", help, processes, into: &text) { plugin in
                ("", plugin.process.map(value) ?? 0)
            }
        }
        text += "# HELP grafana_plugin_process_cpu_seconds_total Processor time of plugins' processes\n"
        text += "# TYPE grafana_plugin_process_cpu_seconds_total counter\n"
        for plugin in processes {
            let seconds = plugin.process?.processorSeconds ?? 0
            text += "grafana_plugin_process_cpu_seconds_total{plugin_id=\"\(PrometheusText.escape(plugin.id))\"} "
            text += PrometheusText.number(seconds) + "\n"
        }
        text += "# HELP grafana_plugin_limits_hit_total Limits that plugins' processes hit\n"
        text += "# TYPE grafana_plugin_limits_hit_total counter\n"
        for plugin in processes {
            for (limit, count) in (plugin.process?.limitsHit ?? [:]).sorted(by: { $0.key < $1.key }) {
                text += "grafana_plugin_limits_hit_total{plugin_id=\"\(PrometheusText.escape(plugin.id))\","
                text += "limit=\"\(limit)\"} \(count)\n"
            }
        }
    }

    private static let processGauges: [(name: String, help: String, value: @Sendable (PluginProcessStatus) -> Int)] = [
        ("up", "1 while the plugin's process runs", { $0.state == .running ? 1 : 0 }),
        ("restarts", "Failures after which the plugin's process was started again", { $0.restarts }),
        ("resident_memory_bytes", "Resident memory of the plugin's process", { $0.memoryBytes }),
    ]

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
