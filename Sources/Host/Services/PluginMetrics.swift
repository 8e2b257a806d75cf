// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI
internal import Synchronization

/// The metrics that one plugin declared: a fixed number of values, so that labels can never grow at run time.
final class PluginMetrics: Sendable {
    private struct Metric: Sendable {
        var type: UInt32
        var name: String
        var help: String
        var labels: String
        var bounds: [Double]
        var value = 0.0
        var counts: [UInt64]
        var sum = 0.0
    }

    private let pluginID: String
    private let metrics = Mutex<[Metric]>([])

    init(pluginID: String) { self.pluginID = pluginID }

    /// Takes over the plugin's declaration.
    ///
    /// - Returns: what is wrong with it, or nil.
    func declare(_ table: gf_metrics_ext) -> String? {
        guard table.metric_count <= GF_METRICS_MAX else {
            return "\(table.metric_count) metrics are declared; at most \(GF_METRICS_MAX) are allowed"
        }
        guard table.metric_count > 0, let first = table.metrics else { return nil }
        let stride = Int(first.pointee.struct_size)
        var declared: [Metric] = []
        for index in 0..<Int(table.metric_count) {
            let element = UnsafeRawPointer(first) + index * stride
            guard let metric = adopt(element.assumingMemoryBound(to: gf_metric.self)) else { return "metric \(index)" }
            let name = String(metric.name)
            guard Self.isName(name), metric.bound_count <= 256 else {
                return "the metric name '\(name)' cannot be used"
            }
            guard metric.bounds != nil || metric.bound_count == 0 else { return "metric '\(name)' has no bounds" }
            let bounds = Array(UnsafeBufferPointer(start: metric.bounds, count: Int(metric.bound_count)))
            declared.append(
                Metric(
                    type: metric.type, name: name, help: String(metric.help),
                    labels: labels(metric), bounds: bounds, counts: Array(repeating: 0, count: bounds.count + 1)))
        }
        metrics.withLock { [declared] in $0 = declared }
        return nil
    }

    static func table() -> gf_metrics_host {
        var table = gf_metrics_host()
        table.struct_size = UInt32(MemoryLayout<gf_metrics_host>.size)
        table.add = { host, index, value in
            PluginMetrics.change(host, index) { metric in
                guard metric.type != GF_METRIC_HISTOGRAM, metric.type == GF_METRIC_GAUGE || value >= 0 else {
                    return false
                }
                metric.value += value
                return true
            }
        }
        table.set = { host, index, value in
            PluginMetrics.change(host, index) { metric in
                guard metric.type == GF_METRIC_GAUGE else { return false }
                metric.value = value
                return true
            }
        }
        table.observe = { host, index, value in
            PluginMetrics.change(host, index) { metric in
                guard metric.type == GF_METRIC_HISTOGRAM else { return false }
                metric.counts[metric.bounds.firstIndex { value <= $0 } ?? metric.bounds.count] += 1
                metric.sum += value
                return true
            }
        }
        return table
    }

    private static func change(
        _ host: UnsafePointer<gf_host>?, _ index: UInt32, _ body: (inout Metric) -> Bool
    ) -> gf_status {
        guard let metrics = PluginRuntime.from(host)?.metrics else { return GF_STATE }
        return metrics.metrics.withLock { all in
            guard Int(index) < all.count else { return GF_INVALID }
            return body(&all[Int(index)]) ? GF_OK : GF_INVALID
        }
    }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first == 95 || (97...122).contains(first), name.utf8.count <= 128 else {
            return false
        }
        return name.utf8.allSatisfy { $0 == 95 || (97...122).contains($0) || (48...57).contains($0) }
    }

    private func labels(_ metric: gf_metric) -> String {
        var text = "plugin_id=\"\(PrometheusText.escape(pluginID))\""
        for field in PluginABI.HTTPHeaders(metric.labels, count: min(metric.label_count, 32)) {
            let name = Self.isName(field.name) ? field.name : "invalid"
            text += ",\(name)=\"\(PrometheusText.escape(field.value))\""
        }
        return text
    }

    /// The values in Prometheus's text format; empty when the plugin declared none.
    var text: String {
        metrics.withLock { all in
            var text = ""
            var told: Set<String> = []
            for metric in all {
                let name = "grafana_plugin_\(metric.name)"
                if told.insert(name).inserted {
                    let type = ["counter", "gauge", "histogram"][Int(min(metric.type, 2))]
                    let help = metric.help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
                    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
                }
                text += metric.type == GF_METRIC_HISTOGRAM ? Self.histogram(name, metric) : Self.value(name, metric)
            }
            return text
        }
    }

    private static func value(_ name: String, _ metric: Metric) -> String {
        "\(name){\(metric.labels)} \(PrometheusText.number(metric.value))\n"
    }

    private static func histogram(_ name: String, _ metric: Metric) -> String {
        var text = ""
        var total: UInt64 = 0
        for (index, count) in metric.counts.enumerated() {
            total += count
            let bound = index < metric.bounds.count ? PrometheusText.number(metric.bounds[index]) : "+Inf"
            text += "\(name)_bucket{\(metric.labels),le=\"\(bound)\"} \(total)\n"
        }
        text += "\(name)_sum{\(metric.labels)} \(PrometheusText.number(metric.sum))\n"
        return text + "\(name)_count{\(metric.labels)} \(total)\n"
    }
}

/// Prometheus's text exposition format.
public enum PrometheusText {
    /// The value of a label, without the quotes.
    public static func escape(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    /// Writes a sample's value: integers without a fraction, others as decimals, `NaN` or `±Inf`.
    public static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}
