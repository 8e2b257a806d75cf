// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization

/// The numbers behind `/metrics`.
final class ServerMetrics: Sendable {
    private struct Series: Hashable {
        var handler: String
        var method: String
        var status: Int
    }

    private struct Histogram {
        var counts = [UInt64](repeating: 0, count: ServerMetrics.bounds.count + 1)
        var sum = 0.0

        mutating func observe(_ seconds: Double) {
            let place = ServerMetrics.bounds.firstIndex { seconds <= $0 } ?? ServerMetrics.bounds.count
            counts[place] += 1
            sum += seconds
        }
    }

    /// Names of counters that dashboards know, without the prefix `grafana_`.
    enum Counter: String, CaseIterable {
        case loginPost = "api_login_post_total"
        case proxyRequests = "api_dataproxy_request_total"
        case liveClients = "live_client_connects_total"
    }

    /// Upper bounds in seconds, as Grafana's own histogram has them.
    private static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25]
    /// The most different series; requests beyond are counted under the handler `other`.
    private static let maximumSeries = 2000

    private let requests = Mutex<[Series: Histogram]>([:])
    private let counters = Mutex<[Counter: UInt64]>([:])
    private let statuses = Mutex<[String: UInt64]>([:])
    private let inFlight = Atomic<Int>(0)
    private let listeners = Atomic<Int>(0)

    func requestBegan() {
        inFlight.wrappingAdd(1, ordering: .relaxed)
    }

    /// Counts a request that was answered.
    ///
    /// - Parameter handler: The route's pattern, never the path itself.
    func requestEnded(handler: String, method: String, status: Int, duration: Duration) {
        inFlight.wrappingSubtract(1, ordering: .relaxed)
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
        requests.withLock { series in
            var key = Series(handler: handler, method: method, status: status)
            if series.count >= Self.maximumSeries, series[key] == nil { key.handler = "other" }
            series[key, default: Histogram()].observe(seconds)
        }
        let page = handler.hasPrefix("/api/datasources/proxy") ? "proxy" : handler.hasPrefix("/api") ? "api" : "page"
        statuses.withLock { $0["\(page)_response_status_total{code=\"\(status)\"}", default: 0] += 1 }
    }

    func count(_ counter: Counter) {
        counters.withLock { $0[counter, default: 0] += 1 }
    }

    var listenerCount: Int { listeners.load(ordering: .relaxed) }
    func listenerJoined() { listeners.wrappingAdd(1, ordering: .relaxed) }
    func listenerLeft() { listeners.wrappingSubtract(1, ordering: .relaxed) }

    /// Appends all numbers in Prometheus's text format.
    func write(into text: inout String) {
        writeRequests(into: &text)
        text += "# HELP grafana_http_request_in_flight Requests that are being answered.\n"
        text += "# TYPE grafana_http_request_in_flight gauge\n"
        text += "grafana_http_request_in_flight \(inFlight.load(ordering: .relaxed))\n"
        text += "# HELP grafana_live_node_num_clients Listeners of live channels.\n"
        text += "# TYPE grafana_live_node_num_clients gauge\n"
        text += "grafana_live_node_num_clients \(listeners.load(ordering: .relaxed))\n"
        for (counter, value) in counters.withLock({ $0 }).sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            text += "# TYPE grafana_\(counter.rawValue) counter\ngrafana_\(counter.rawValue) \(value)\n"
        }
        var family: Substring = ""
        for (name, value) in statuses.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            let base = name.prefix { $0 != "{" }
            if base != family {
                text += "# TYPE grafana_\(base) counter\n"
                family = base
            }
            text += "grafana_\(name) \(value)\n"
        }
    }

    private func writeRequests(into text: inout String) {
        let name = "grafana_http_request_duration_seconds"
        text += "# HELP \(name) Time to answer, in seconds.\n# TYPE \(name) histogram\n"
        let all = requests.withLock { $0 }
        for (series, histogram) in all.sorted(by: { Self.order($0.key) < Self.order($1.key) }) {
            let labels =
                "handler=\"\(PrometheusText.escaped(series.handler))\",method=\"\(PrometheusText.escaped(series.method))\","
                + "status_code=\"\(series.status)\""
            var total: UInt64 = 0
            for (bound, count) in zip(Self.bounds, histogram.counts) {
                total += count
                text += "\(name)_bucket{\(labels),le=\"\(PrometheusText.number(bound))\"} \(total)\n"
            }
            total += histogram.counts[Self.bounds.count]
            text += "\(name)_bucket{\(labels),le=\"+Inf\"} \(total)\n"
            text += "\(name)_sum{\(labels)} \(PrometheusText.number(histogram.sum))\n"
            text += "\(name)_count{\(labels)} \(total)\n"
        }
    }

    private static func order(_ series: Series) -> (String, String, Int) {
        (series.handler, series.method, series.status)
    }
}

/// Pieces of Prometheus's text format.
enum PrometheusText {
    /// A label's value with backslash, quote and line feed escaped.
    static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return value }
        var text = ""
        for character in value {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
        return text
    }

    static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }
}
