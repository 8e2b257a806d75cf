// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Makes the frames of one call: shapes and metadata as Grafana's clients know them.
///
/// The first frame says which query ran; all others share their metadata.
struct PrometheusFrames: Sendable {
    let query: PrometheusQuery
    let call: PrometheusCall
    /// Rows of `meta.stats` for the first frame.
    var statistics: [JSONValue] = []
    private(set) var count = 0
    private let timeConfig: FieldConfig
    private var metas: [Shape: FrameMeta] = [:]

    init(query: PrometheusQuery, call: PrometheusCall) {
        self.query = query
        self.call = call
        timeConfig = FieldConfig(interval: Double(query.step.milliseconds))
    }

    /// The kinds of results that differ in their metadata.
    enum Shape: Sendable {
        case matrix, vector, scalar, string, heatmap, exemplar, nothing

        var frameType: String? {
            switch self {
            case .matrix, .string: "timeseries-multi"
            case .vector, .scalar: "numeric-multi"
            case .heatmap: "heatmap-cells"
            case .exemplar, .nothing: nil
            }
        }

        var version: FrameMeta.TypeVersion {
            switch self {
            case .matrix, .vector, .scalar: .init(0, 1)
            case .string, .heatmap, .exemplar, .nothing: .init(0, 0)
            }
        }

        var resultType: String? {
            switch self {
            case .matrix: "matrix"
            case .vector: "vector"
            case .scalar: "scalar"
            case .string: "string"
            case .exemplar: "exemplar"
            case .heatmap, .nothing: nil
            }
        }
    }

    /// - Parameter resultType: What the answer said so far; without it the shape of the series decides.
    mutating func frame(_ series: PrometheusSeries, resultType: String?) -> DataFrame {
        switch series.points {
        case .floats(let times, let values):
            let isMatrix = resultType.map { $0 == "matrix" } ?? series.isRange
            return frame(
                isMatrix ? .matrix : .vector, times: times,
                value: Field(
                    series.labels["__name__"] ?? "Value", column: values, labels: series.labels,
                    config: displayName(series.labels)))
        case .buckets(let buckets):
            let fields = [
                Field("xMax", column: buckets.xMax, config: timeConfig),
                Field("yMin", column: buckets.yMin, labels: series.labels, config: displayName(series.labels)),
                Field("yMax", column: buckets.yMax),
                Field("count", column: buckets.count),
                Field("yLayout", column: buckets.yLayout),
            ]
            return DataFrame(meta: nextMeta(.heatmap), fields: fields)
        }
    }

    mutating func frame(scalar value: Double, at time: Timestamp) -> DataFrame {
        let field = Field("Value", [value], labels: [:], config: displayName([:]))
        return frame(.scalar, times: Column([time]), value: field)
    }

    mutating func frame(text: String, at time: Timestamp) -> DataFrame {
        let field = Field("Value", [text], labels: [:], config: displayName([:]))
        return frame(.string, times: Column([time]), value: field)
    }

    mutating func frame(values: [String]) -> DataFrame {
        DataFrame(meta: nextMeta(.nothing), fields: [Field("Value", values)])
    }

    /// One string field a key, sorted; a key that a set lacks is "".
    mutating func frame(labelSets: [Labels]) -> DataFrame {
        let names = Set(labelSets.flatMap(\.keys)).sorted()
        let fields = names.map { name in Field(name, labelSets.lazy.map { $0[name] ?? "" }) }
        return DataFrame(meta: nextMeta(.nothing), fields: fields)
    }

    /// The exemplars of all series, sampled, in one frame: time, value, one field a label.
    mutating func frame(exemplars: [ExemplarSeries]) -> DataFrame {
        let rows = ExemplarSampler(step: query.step).sample(exemplars)
        var names: Set<String> = []
        for series in exemplars {
            names.formUnion(series.labels.keys)
            for exemplar in series.exemplars { names.formUnion(exemplar.labels.keys) }
        }
        let labels = names.sorted().map { name in
            Field(name, rows.lazy.map { $0.exemplar.labels[name] ?? exemplars[$0.series].labels[name] ?? "" })
        }
        let fields =
            [Field("Time", rows.lazy.map(\.exemplar.time)), Field("Value", rows.lazy.map(\.exemplar.value))] + labels
        return DataFrame(name: "exemplar", meta: nextMeta(.exemplar), fields: fields)
    }

    /// The frame without fields that stands for "no data", or that carries warnings alone.
    mutating func emptyFrame(name: String = "") -> DataFrame { DataFrame(name: name, meta: nextMeta(.nothing)) }
}

extension PrometheusFrames {
    private mutating func frame(_ shape: Shape, times: Column, value: Field) -> DataFrame {
        DataFrame(meta: nextMeta(shape), fields: [Field("Time", column: times, config: timeConfig), value])
    }

    private func displayName(_ labels: Labels) -> FieldConfig? {
        SeriesName.text(labels: labels, legendFormat: query.legendFormat, expression: query.expression)
            .map { FieldConfig(displayNameFromDS: $0) }
    }

    private mutating func nextMeta(_ shape: Shape) -> FrameMeta {
        defer { count += 1 }
        if count == 0 { return meta(shape, isFirst: true) }
        if let known = metas[shape] { return known }
        let meta = meta(shape, isFirst: false)
        metas[shape] = meta
        return meta
    }

    private func meta(_ shape: Shape, isFirst: Bool) -> FrameMeta {
        var meta = FrameMeta()
        meta.type = shape.frameType
        meta.typeVersion = shape.version
        var custom = JSONObject()
        if isFirst {
            custom["calculatedMinStep"] = .integer(query.step.milliseconds)
            meta.executedQueryString = query.executedQueryString
            meta.stats = statistics
        }
        if let resultType = shape.resultType { custom["resultType"] = .string(resultType) }
        if !custom.isEmpty { meta.custom = .object(custom) }
        return meta
    }
}
