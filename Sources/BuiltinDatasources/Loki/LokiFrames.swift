// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Makes the frames of one query: shapes and metadata as Grafana's clients know them.
struct LokiFrames: Sendable {
    let query: LokiQuery
    let usesLogsDataplane: Bool

    /// One series; only the first frame of an answer has statistics.
    func frame(_ series: LokiSeries, type: LokiEnvelope.ResultType) -> DataFrame {
        let isRange = query.kind == .range
        var meta = FrameMeta(type: type == .matrix ? "timeseries-multi" : "numeric-multi")
        meta.executedQueryString =
            "Expr: \(query.expression)" + (isRange ? "\nStep: \(query.step.goText)" : "")
        let interval = isRange ? FieldConfig(interval: Double(query.step.milliseconds)) : nil
        let name = FieldConfig(displayNameFromDS: Self.legend(series.labels, format: query.legendFormat))
        return DataFrame(
            meta: meta,
            fields: [
                Field("Time", column: series.times, config: interval),
                Field("Value", column: series.values, labels: series.labels, config: name),
            ])
    }

    /// All lines in one table.
    func frame(_ lines: LogLineBuilder.Columns, isCategorized: Bool) -> DataFrame {
        var meta = FrameMeta()
        var hidden = FieldConfig()
        hidden.custom = ["hidden": true]
        let types = isCategorized ? [Field("labelTypes", column: lines.labelTypes, config: hidden)] : []
        let labels = Field("labels", column: lines.labels)
        let id = Field("id", column: lines.ids)
        let fields: [Field]
        if usesLogsDataplane {
            meta.type = "log-lines"
            fields =
                [labels, Field("timestamp", column: lines.times), Field("body", column: lines.lines), id] + types
        } else {
            meta.custom = ["frameType": "LabeledTimeValues"]
            fields =
                [
                    labels, Field("Time", column: lines.times), Field("Line", column: lines.lines),
                    Field("tsNs", column: lines.nanoseconds),
                ] + types + [id]
        }
        meta.executedQueryString = "Expr: \(query.expression)"
        return DataFrame(meta: meta, fields: fields)
    }

    /// The frame without fields that carries warnings alone.
    static let warnings = DataFrame(name: "Warnings", meta: FrameMeta())

    /// The legend's text with the labels filled in; without one, `{a="x", b="y"}`.
    static func legend(_ labels: Labels, format: String) -> String {
        guard format.isEmpty else { return SeriesName.replacePlaceholders(in: format, labels: labels) }
        let pairs = labels.map { "\($0.key)=\(SeriesName.quoted($0.value))" }
        return "{\(pairs.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.joined(separator: ", "))}"
    }
}
