// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Thins exemplars out: those of one step that lie close together are shown by one of them.
struct ExemplarSampler: Sendable {
    var step: Interval

    struct Row: Sendable {
        var exemplar: Exemplar
        /// The index of the series.
        var series: Int
    }

    /// The exemplars that are kept, sorted by time.
    ///
    /// In each step the highest is kept, then each that is more than two standard deviations (over all values) below
    /// the last kept one.
    func sample(_ series: [ExemplarSeries]) -> [Row] {
        var rows: [Row] = []
        for (index, one) in series.enumerated() {
            rows += one.exemplars.map { Row(exemplar: $0, series: index) }
        }
        let distance = 2 * Self.standardDeviation(rows.map(\.exemplar.value))
        let steps = Dictionary(grouping: rows) { floorDivide($0.exemplar.time.nanoseconds, max(1, step.nanoseconds)) }
        let kept = steps.values.flatMap { Self.spread($0, distance: distance) }
        return kept.sorted {
            ($0.exemplar.time, $0.series, $0.exemplar.value) < ($1.exemplar.time, $1.series, $1.exemplar.value)
        }
    }

    private static func spread(_ rows: [Row], distance: Double) -> [Row] {
        let ordered = rows.sorted { $0.exemplar.value > $1.exemplar.value }
        var kept: [Row] = []
        for row in ordered {
            guard let last = kept.last else {
                kept.append(row)
                continue
            }
            if distance > 0, last.exemplar.value - row.exemplar.value > distance { kept.append(row) }
        }
        return kept
    }

    /// The sample standard deviation (n - 1); 0 for fewer than two values.
    static func standardDeviation(_ values: [Double]) -> Double {
        guard values.count >= 2 else { return 0 }
        let mean = values.reduce(0, +) / Double(values.count)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (squares / Double(values.count - 1)).squareRoot()
    }
}
