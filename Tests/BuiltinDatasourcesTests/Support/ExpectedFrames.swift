// SPDX-License-Identifier: Apache-2.0
import PluginABI

@testable import BuiltinDatasources

/// What an answer has to become, computed the slow way from its JSON: the texts that ``dump(_:)`` gives.
struct ExpectedFrames {
    var stepMilliseconds: Int64 = 15_000
    var expression = "up"
    private(set) var texts: [String] = []

    init(_ body: [UInt8]) throws {
        let answer = try JSONValue(parsing: body)
        let data = answer["data"] ?? .null
        let type = data["resultType"]?.string
        if type == "scalar" || type == "string" { addSingle(data["result"] ?? .null, type: type ?? "") }
        if type == "matrix" || type == "vector" {
            for series in data["result"]?.array ?? [] { addSeries(series, type: type ?? "") }
        }
        addList(data.array ?? [])
        if texts.isEmpty {
            let hasNotices = answer["warnings"] != nil || answer["infos"] != nil
            texts.append("frame \"\(hasNotices ? "Warnings" : "")\" \(meta(nil, (0, 0), nil))")
        }
        if let stats = data["stats"] {
            var lines = texts[0].split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let type = data["resultType"]?.string ?? ""
            lines[0] = lines[0].replacing(
                "\"resultType\":\"\(type)\"}", with: "\"resultType\":\"\(type)\",\"stats\":\(stats.encoded())}")
            texts[0] = lines.joined(separator: "\n")
        }
    }

    private func meta(_ type: String?, _ version: (Int, Int), _ resultType: String?) -> String {
        let isFirst = texts.isEmpty
        var parts: [String] = []
        if let type { parts.append("\"type\":\"\(type)\"") }
        parts.append("\"typeVersion\":[\(version.0),\(version.1)]")
        var custom: [String] = []
        if isFirst { custom.append("\"calculatedMinStep\":\(stepMilliseconds)") }
        if let resultType { custom.append("\"resultType\":\"\(resultType)\"") }
        if !custom.isEmpty { parts.append("\"custom\":{\(custom.joined(separator: ","))}") }
        if isFirst { parts.append("\"executedQueryString\":\"Expr: \(expression)\\nStep: 15s\"") }
        return "{\(parts.joined(separator: ","))}"
    }

    private func config(_ labels: Labels) -> String {
        let name = SeriesName.metric(labels) == "{}" ? expression : SeriesName.metric(labels)
        return "{\"displayNameFromDS\":\(JSONValue.string(name).encoded())}"
    }

    private var time: String { "Time time.Time - {\"interval\":\(stepMilliseconds)} " }

    private func labelText(_ labels: Labels) -> String {
        "\(labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })"
    }

    private static func nanoseconds(_ seconds: JSONValue) -> Int64 {
        Int64(((seconds.double ?? .nan) * 1000).rounded(.towardZero)) * 1_000_000
    }

    private static func number(_ value: JSONValue) -> Double {
        switch value.string {
        case "NaN": .nan
        case "+Inf": .infinity
        case "-Inf": -.infinity
        case let text?: Double(text) ?? .nan
        case nil: value.double ?? .nan
        }
    }

    private mutating func addSingle(_ pair: JSONValue, type: String) {
        let value = type == "string" ? pair[1]?.string ?? "" : numberText(Self.number(pair[1] ?? .null))
        let kind = type == "string" ? "string" : "float64"
        texts.append(
            """
            frame "" \(meta(type == "string" ? "timeseries-multi" : "numeric-multi", type == "string" ? (0, 0) : (0, 1), type))
            \(time)\(Self.nanoseconds(pair[0] ?? .null))
            Value \(kind) [] \(config([:])) \(value)
            """)
    }

    private mutating func addSeries(_ series: JSONValue, type: String) {
        var labels: Labels = [:]
        for (key, value) in series["metric"]?.object ?? [:] { labels[key] = value.string }
        if let points = series["histograms"]?.array ?? series["histogram"].map({ [$0] }) {
            return addHistogram(points, labels)
        }
        let points = series["values"]?.array ?? series["value"].map { [$0] } ?? []
        let times = points.map { String(Self.nanoseconds($0[0] ?? .null)) }.joined(separator: ",")
        let values = points.map { numberText(Self.number($0[1] ?? .null)) }.joined(separator: ",")
        texts.append(
            """
            frame "" \(meta(type == "matrix" ? "timeseries-multi" : "numeric-multi", (0, 1), type))
            \(time)\(times)
            \(labels["__name__"] ?? "Value") float64 \(labelText(labels)) \(config(labels)) \(values)
            """)
    }

    private mutating func addHistogram(_ points: [JSONValue], _ labels: Labels) {
        var columns: [[String]] = [[], [], [], [], []]
        for point in points {
            for bucket in point[1]?["buckets"]?.array ?? [] {
                columns[0].append(String(Self.nanoseconds(point[0] ?? .null)))
                for (column, place) in [(1, 1), (2, 2), (3, 3), (4, 0)] {
                    columns[column].append(numberText(Self.number(bucket[place] ?? .null)))
                }
            }
        }
        let lines = columns.map { $0.joined(separator: ",") }
        texts.append(
            """
            frame "" \(meta("heatmap-cells", (0, 0), nil))
            xMax time.Time - {"interval":\(stepMilliseconds)} \(lines[0])
            yMin float64 \(labelText(labels)) \(config(labels)) \(lines[1])
            yMax float64 - - \(lines[2])
            count float64 - - \(lines[3])
            yLayout int8 - - \(lines[4])
            """)
    }

    private mutating func addList(_ elements: [JSONValue]) {
        let strings = elements.compactMap(\.string)
        if !strings.isEmpty {
            texts.append("frame \"\" \(meta(nil, (0, 0), nil))\nValue string - - \(strings.joined(separator: ","))")
        }
        let sets = elements.compactMap(\.object).filter { $0["exemplars"] == nil }
        guard !sets.isEmpty else { return }
        let keys = Set(sets.flatMap { set in set.keys.filter { set[$0]?.string != nil } }).sorted()
        let lines = keys.map { key in
            "\(key) string - - " + sets.map { $0[key]?.string ?? "" }.joined(separator: ",")
        }
        texts.append((["frame \"\" \(meta(nil, (0, 0), nil))"] + lines).joined(separator: "\n"))
    }
}
