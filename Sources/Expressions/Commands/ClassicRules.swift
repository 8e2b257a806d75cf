// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// A reduction of classic conditions: null and NaN do not count, except for `count`.
enum ClassicReducer: String, Sendable, CaseIterable {
    case avg, sum, min, max, count, last, median, diff
    case diffAbs = "diff_abs"
    case percentDiff = "percent_diff"
    case percentDiffAbs = "percent_diff_abs"
    case countNonNull = "count_non_null"

    /// The number that is tested; nil when nothing is left.
    ///
    /// Numbers are taken as they are.
    func value(of value: ExpressionValue) -> Double? {
        switch value.content {
        case .frame: nil
        case .scalar(let number), .number(let number): number
        case .series(let points): reduce(points.values)
        }
    }

    func reduce(_ column: Column) -> Double? {
        if self == .count { return column.count == 0 ? nil : Double(column.count) }
        let rows = (0..<column.count).compactMap { row -> (row: Int, value: Double)? in
            guard let value = column.float(at: row), !value.isNaN else { return nil }
            return (row, value)
        }
        guard let first = rows.first, let last = rows.last else { return nil }
        let values = rows.map(\.value)
        switch self {
        case .avg: return values.reduce(0, +) / Double(values.count)
        case .sum: return values.reduce(0, +)
        case .min: return values.min()
        case .max: return values.max()
        case .last: return last.value
        case .median: return Self.median(values)
        case .countNonNull: return Double(values.count)
        case .count: return Double(column.count)
        case .diff, .diffAbs, .percentDiff, .percentDiffAbs:
            // The newest point has to be one of at least two.
            return last.row >= 1 ? difference(first.value, last.value) : 0
        }
    }

    private func difference(_ old: Double, _ new: Double) -> Double {
        switch self {
        case .diffAbs: (new - old).magnitude
        case .percentDiff: (new - old) / old.magnitude * 100
        case .percentDiffAbs: ((new - old) / old * 100).magnitude
        default: new - old
        }
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

/// A test of classic conditions; the bounds of ranges may come in either order.
struct ClassicEvaluator: Sendable, Equatable {
    enum Kind: String, Sendable {
        case gt, lt, eq, ne, ge, le
        case withinRange = "within_range"
        case outsideRange = "outside_range"
        case withinRangeIncluded = "within_range_included"
        case outsideRangeIncluded = "outside_range_included"
        case noValue = "no_value"
    }

    let kind: Kind
    let low: Double
    let high: Double

    init(_ model: JSONValue?) throws(ExpressionError) {
        let name = model?["type"]?.string ?? ""
        guard let kind = Kind(rawValue: name) else {
            throw .parse("evaluator invalid evaluator type: \(name.prefix(40))")
        }
        self.kind = kind
        let bounds = (model?["params"]?.array ?? []).compactMap(\.double)
        switch kind {
        case .noValue:
            (low, high) = (0, 0)
        case .withinRange, .outsideRange, .withinRangeIncluded, .outsideRangeIncluded:
            guard bounds.count >= 2 else { throw .parse("ranged evaluator requires 2 parameters") }
            (low, high) = (min(bounds[0], bounds[1]), max(bounds[0], bounds[1]))
        default:
            guard let bound = bounds.first else { throw .parse("evaluator '\(name)' requires 1 parameter") }
            (low, high) = (bound, bound)
        }
    }

    /// Whether the value fires; only `no_value` knows null.
    func test(_ value: Double?) -> Bool {
        guard let value else { return kind == .noValue }
        switch kind {
        case .gt: return value > low
        case .lt: return value < low
        case .eq: return value == low
        case .ne: return value != low
        case .ge: return value >= low
        case .le: return value <= low
        case .withinRange: return value > low && value < high
        case .outsideRange: return value < low || value > high
        case .withinRangeIncluded: return value >= low && value <= high
        case .outsideRangeIncluded: return value <= low || value >= high
        case .noValue: return false
        }
    }
}
