// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One query of TestData: the facts of the panel and the fields of the query, with their defaults.
///
/// Reading never fails: a field of the wrong type counts as missing, the others keep their values.
struct ScenarioQuery: Sendable {
    var refID: String
    /// Nanoseconds since 1970; the range is half-open.
    var from: Timestamp
    var to: Timestamp
    var intervalMilliseconds: Int64
    var maxDataPoints: Int
    /// The query object as received.
    var model: JSONValue

    var scenarioID: String { text("scenarioId", default: "random_walk") }
    var alias: String { text("alias") }
    var stringInput: String { text("stringInput") }
    /// At least 1 series, as asked for.
    var seriesCount: Int { max(1, integer("seriesCount") ?? 1) }
    /// Makes random scenarios repeatable.
    ///
    /// Our own addition: Grafana's are always random.
    var seed: Int64? { model["seed"]?.int.map { Int64($0) } }

    var fromMilliseconds: Int64 { ScenarioText.floorDivide(from.nanoseconds, 1_000_000) }
    var toMilliseconds: Int64 { ScenarioText.floorDivide(to.nanoseconds, 1_000_000) }

    func text(_ key: String, default fallback: String = "") -> String {
        guard let text = model[key]?.string, !text.isEmpty else { return fallback }
        return text
    }

    func integer(_ key: String) -> Int? { model[key].flatMap(Self.number).flatMap { Int(exactly: $0.rounded()) } }

    func number(_ key: String) -> Double? { model[key].flatMap(Self.number) }

    func flag(_ key: String) -> Bool { model[key]?.bool ?? false }

    /// Reads a number, also from a text: input fields of old dashboards saved texts.
    static func number(_ value: JSONValue) -> Double? {
        value.double ?? value.string.flatMap { Double(ScenarioText.trimmed($0)) }
    }

    func random(stream: Int = 0) -> ScenarioRandom { ScenarioRandom(seed: seed, stream: stream) }

    /// The times from `from` to below `to`, in milliseconds, at most `limit`.
    func times(step: Int64? = nil, limit: Int) -> [Int64] {
        let step = max(1, step ?? intervalMilliseconds)
        guard fromMilliseconds < toMilliseconds else { return [] }
        return Array(stride(from: fromMilliseconds, to: toMilliseconds, by: Int(clamping: step)).prefix(max(0, limit)))
    }

    /// The times of scenarios that answer with two rows a pixel: at most twice `maxDataPoints`, and 100 000.
    var rowTimes: [Timestamp] {
        times(limit: min(max(0, maxDataPoints), 50_000) * 2).map { Timestamp(milliseconds: $0) }
    }

    /// The alias, or `A-series`, `A-series1`, `A-series2` and so on.
    func seriesName(_ index: Int) -> String {
        switch alias {
        case "": "\(refID)-series" + (index == 0 ? "" : String(index))
        case "__server_names": Self.serverNames[index % Self.serverNames.count]
        case "__house_locations": Self.houseLocations[index % Self.houseLocations.count]
        default: alias
        }
    }

    private static let serverNames: [String] = (1...29).map { "Backend-ops-" + ScenarioText.padded($0, 2) }

    private static let houseLocations = [
        "Cellar", "Living room", "Porch", "Bedroom", "Guest room", "Kitchen", "Playroom", "Bathroom", "Outside",
        "Roof", "Terrace",
    ]

    /// The labels of series `index`, read from a text such as `{job="a", instance=b-$seriesIndex}`.
    func labels(_ index: Int) -> Labels { Self.labels(text("labels"), seriesIndex: index) }

    static func labels(_ text: String, seriesIndex: Int? = nil) -> Labels {
        let inner = text.drop { $0 == "{" }
        let pairs = inner.prefix(inner.count - inner.reversed().prefix { $0 == "}" }.count)
        guard pairs.count >= 2 else { return [:] }
        var labels: Labels = [:]
        for pair in pairs.split(separator: ",") {
            guard let equals = pair.firstIndex(of: "=") else { continue }
            var value = ScenarioText.trimmed(pair[pair.index(after: equals)...])[...]
            if value.first == "\"" { value.removeFirst() }
            if value.last == "\"" { value.removeLast() }
            labels[ScenarioText.trimmed(pair[..<equals])] = replaceSeriesIndex(in: value, by: seriesIndex)
        }
        return labels
    }

    private static func replaceSeriesIndex(in value: Substring, by index: Int?) -> String {
        guard let index else { return String(value) }
        return value.split(separator: "$seriesIndex", omittingEmptySubsequences: false).joined(separator: String(index))
    }
}
