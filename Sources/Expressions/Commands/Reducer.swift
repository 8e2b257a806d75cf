// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Turns a column of values into one.
enum Reducer: String, Sendable, CaseIterable {
    case sum, mean, min, max, count, last, median

    /// The value of all rows: one null or NaN makes it NaN, except of `count` and `last`.
    func reduce(_ column: Column) -> Double? {
        if self == .count { return Double(column.count) }
        guard column.count > 0 else { return self == .sum ? 0 : .nan }
        if self == .last { return column.float(at: column.count - 1) }
        guard column.nullCount == 0 else { return .nan }
        return column.withValues(as: Double.self) { values in
            switch self {
            case .sum: Self.sum(values)
            case .mean: Self.sum(values) / Double(values.count)
            case .min: Self.extreme(values) { $0 < $1 }
            case .max: Self.extreme(values) { $0 > $1 }
            case .median: Self.median(values)
            case .count, .last: nil
            }
        }
    }

    private static func sum(_ values: UnsafeBufferPointer<Double>) -> Double {
        var sum = 0.0
        for value in values { sum += value }
        return sum
    }

    @inline(__always)
    private static func extreme(
        _ values: UnsafeBufferPointer<Double>, _ isBetter: (Double, Double) -> Bool
    ) -> Double {
        var best = values[0]
        for value in values {
            if value.isNaN { return .nan }
            if isBetter(value, best) { best = value }
        }
        return best
    }

    private static func median(_ values: UnsafeBufferPointer<Double>) -> Double {
        if values.contains(where: \.isNaN) { return .nan }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

/// What a reduction does with null, NaN and infinities.
enum ReduceMode: Sendable, Equatable {
    /// They spoil the result.
    case strict
    /// They are left out; a result of NaN is null.
    case drop
    /// They are that number, as is a result of NaN.
    case replace(Double)

    /// A value as it goes into the reduction, or past it when it is a number already; nil: left out.
    func mapped(_ value: Double?) -> Double?? {
        switch self {
        case .strict: .some(value)
        case .drop: value.flatMap { $0.isFinite ? .some($0) : nil }
        case .replace(let number): .some(value.flatMap { $0.isFinite ? $0 : nil } ?? number)
        }
    }

    /// The column that is reduced.
    func prepared(_ column: Column) -> Column {
        guard self != .strict, column.nullCount > 0 || Self.hasOddities(column) else { return column }
        var builder = ColumnBuilder<Double>(isNullable: true, capacity: column.count)
        for row in 0..<column.count {
            if let value = mapped(column.float(at: row)) { builder.append(value) }
        }
        return builder.finish()
    }

    private static func hasOddities(_ column: Column) -> Bool {
        column.withValues(as: Double.self) { values in values.contains { !$0.isFinite } }
    }

    /// The result as it goes out.
    func finished(_ value: Double?) -> Double? {
        guard let value, value.isNaN else { return value }
        switch self {
        case .strict: return value
        case .drop: return nil
        case .replace(let number): return number
        }
    }
}
