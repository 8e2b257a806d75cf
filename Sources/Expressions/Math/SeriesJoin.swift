// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Operations between two series: on the points whose times are equal, in the order of the left.
enum SeriesJoin {
    /// Calculates `left op right`; of several points of the right at one time the last counts.
    static func apply(
        _ symbol: BinaryOperator, _ left: ExpressionValue.Points, _ right: ExpressionValue.Points
    ) -> ExpressionValue.Points {
        if left.times.isSameTimes(as: right.times), isAscending(right.times) {
            return .init(times: left.times, values: values(symbol, left.values, right.values))
        }
        let rows = matches(left.times, right.times)
        if rows.left.count == left.count, rows.isRightInOrder, let first = rows.right.first {
            // The left lies whole within the right: no rows of it need to be moved.
            let slice = right.values.slice(Int(first)..<Int(first) + rows.right.count)
            return .init(times: left.times, values: values(symbol, left.values, slice))
        }
        return .init(
            times: left.times.taking(rows.left, as: Timestamp.self, isNullable: false),
            values: values(
                symbol, left.values.taking(rows.left, as: Double.self),
                right.values.taking(rows.right, as: Double.self)))
    }

    private static func values(_ symbol: BinaryOperator, _ left: Column, _ right: Column) -> Column {
        let validity = ValidityBits(ValidityBits(of: left), ValidityBits(of: right), count: left.count)
        return left.withValues(as: Double.self) { one in
            right.withValues(as: Double.self) { other in
                Column(filling: one.count, validity: validity) { target in
                    symbol.apply(.column(one), .column(other), into: target)
                }
            }
        }
    }

    /// Whether each time is later than the one before.
    private static func isAscending(_ times: Column) -> Bool {
        times.withValues(as: Int64.self) { times in
            guard times.count > 1, let first = times.baseAddress else { return true }
            var start = 1
            while start < times.count {
                let end = min(start + 1024, times.count)
                var isDescending = false
                for index in start..<end { isDescending = isDescending || first[index] <= first[index - 1] }
                if isDescending { return false }
                start = end
            }
            return true
        }
    }

    /// The rows of both sides that have the same time, pairwise.
    private struct Matches {
        var left: [Int32] = []
        var right: [Int32] = []
        /// Whether the rows of the right follow each other without a gap.
        var isRightInOrder = true

        mutating func add(_ one: Int, _ other: Int) {
            if let last = right.last, Int(last) + 1 != other { isRightInOrder = false }
            left.append(Int32(truncatingIfNeeded: one))
            right.append(Int32(truncatingIfNeeded: other))
        }
    }

    private static func matches(_ left: Column, _ right: Column) -> Matches {
        left.withValues(as: Int64.self) { one in
            right.withValues(as: Int64.self) { other in
                isAscending(left) && isAscending(right) ? merged(one, other) : looked(one, other)
            }
        }
    }

    private static func merged(_ left: UnsafeBufferPointer<Int64>, _ right: UnsafeBufferPointer<Int64>) -> Matches {
        var matches = Matches()
        var (one, other) = (0, 0)
        while one < left.count, other < right.count {
            if left[one] == right[other] {
                matches.add(one, other)
                one += 1
                other += 1
            } else if left[one] < right[other] {
                one += 1
            } else {
                other += 1
            }
        }
        return matches
    }

    private static func looked(_ left: UnsafeBufferPointer<Int64>, _ right: UnsafeBufferPointer<Int64>) -> Matches {
        var rows = [Int64: Int](minimumCapacity: right.count)
        for (row, time) in right.enumerated() { rows[time] = row }
        var matches = Matches()
        for (row, time) in left.enumerated() {
            if let match = rows[time] { matches.add(row, match) }
        }
        return matches
    }
}

extension Column {
    /// Some rows of a column of fixed width, in the order of `rows`.
    func taking<Element: FixedWidthElement>(
        _ rows: [Int32], as type: Element.Type, isNullable: Bool = true
    ) -> Column {
        guard nullCount == 0 else {
            var builder = ColumnBuilder<Element>(isNullable: true, capacity: rows.count)
            for row in rows { builder.append(self[Int(row), as: type]) }
            return builder.finish()
        }
        return withValues(as: Element.self) { source in
            Column(filling: rows.count, isNullable: isNullable) { (target: UnsafeMutableBufferPointer<Element>) in
                for (index, row) in rows.enumerated() { target[index] = source[Int(row)] }
            }
        }
    }
}
