// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One line of a chart.
struct ChartSeries: Sendable {
    var name: String
    /// Nanoseconds since 1970, in the order of the rows.
    var times: [Int64]
    /// As many as times; nil for null, and not finite where the source says so.
    var values: [Double?]

    /// Every number column of every frame that has a time column.
    static func all(of frames: [DataFrame]) -> [ChartSeries] {
        frames.flatMap { frame -> [ChartSeries] in
            guard let time = frame.fields.first(where: { $0.type == .time }) else { return [] }
            return frame.fields.filter(\.type.isNumeric).map { series(of: $0, time.column, frame) }
        }
    }

    /// The values that can be drawn.
    var finiteValues: [Double] { values.compactMap { $0.flatMap { $0.isFinite ? $0 : nil } } }

    private static func series(of field: Field, _ time: Column, _ frame: DataFrame) -> ChartSeries {
        var series = ChartSeries(name: SeriesTitle.text(of: field, in: frame), times: [], values: [])
        for row in 0..<frame.rowCount {
            guard let moment = time[row, as: Timestamp.self] else { continue }
            series.times.append(moment.nanoseconds)
            series.values.append(field.column.double(at: row))
        }
        return series
    }
}
