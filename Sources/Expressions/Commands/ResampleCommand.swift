// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Puts every series on a grid of equal steps over the time range.
struct ResampleCommand: Sendable {
    /// What stands at a step without a point.
    enum Upsampler: String, Sendable {
        /// The last value before.
        case pad
        /// The next value.
        case backfilling
        /// Null.
        case fillna
    }

    let input: String
    /// More than 0.
    let windowNanoseconds: Int64
    let downsampler: Reducer
    let upsampler: Upsampler

    init(_ model: JSONValue) throws(ExpressionError) {
        input = CommandInput.refID(model["expression"])
        guard !input.isEmpty else {
            throw .parse("no expression ID to resample. Must be a reference to an existing query or expression")
        }
        guard let window = model["window"]?.string, !window.isEmpty else {
            throw .parse("no time duration specified for the window in resample command")
        }
        guard let length = GrafanaDuration.nanoseconds(window), length > 0 else {
            throw .parse(
                "failed to parse resample \"window\" duration field \"\(window.prefix(40))\": write 10s, 5m or 1h30m")
        }
        windowNanoseconds = length
        guard let down = model["downsampler"]?.string, !down.isEmpty else {
            throw .parse("no downsampler function specified in resample command")
        }
        guard let reducer = Reducer(rawValue: down), [.sum, .mean, .min, .max, .last].contains(reducer) else {
            throw .parse("downsampling \(down.prefix(40)) not implemented")
        }
        downsampler = reducer
        guard let up = model["upsampler"]?.string, !up.isEmpty else {
            throw .parse("no upsampler specified in resample command")
        }
        guard let upsampler = Upsampler(rawValue: up) else {
            throw .parse("upsampling \(up.prefix(40)) not implemented")
        }
        self.upsampler = upsampler
    }

    /// - Parameters:
    ///   - from: Where the grid starts.
    ///   - to: The last time that it may have.
    func run(
        _ values: [ExpressionValue], refID: String, from: Timestamp, to: Timestamp, budget: ExpressionBudget
    ) throws(ExpressionError) -> [ExpressionValue] {
        var results: [ExpressionValue] = []
        let times = try grid(from, to, seriesCount: values.count, budget)
        for value in values {
            try budget.checkpoint.check()
            switch value.content {
            case .frame: return [value]
            case .series(let points):
                guard times.count > 1 else {
                    throw ExpressionError(
                        .execution,
                        "the series cannot be sampled further; the time range is shorter than the interval")
                }
                results.append(
                    .series(
                        .init(times: times, values: sampled(points, times)), labels: value.labels, name: refID))
            case .scalar, .number:
                throw ExpressionError(.execution, "can only resample type series, got type \(value.typeName)")
            }
        }
        return results
    }

    private func grid(
        _ from: Timestamp, _ to: Timestamp, seriesCount: Int, _ budget: ExpressionBudget
    ) throws(ExpressionError) -> Column {
        let (range, isOverflow) = to.nanoseconds.subtractingReportingOverflow(from.nanoseconds)
        let steps = isOverflow ? Int64.max - 1 : max(0, range / windowNanoseconds)
        let series = ExpressionValue.byteCount(ofPoints: Int(min(steps + 1, Int64(Int32.max))))
        let (bytes, isOverflowing) = series.multipliedReportingOverflow(by: max(1, seriesCount))
        try budget.check(
            isOverflowing ? budget.limits.resultBytes + 1 : bytes,
            for: "resampling \(seriesCount) series to \(steps + 1) points each")
        let start = from.nanoseconds
        return Column(filling: Int(steps) + 1, isNullable: false) { (target: UnsafeMutableBufferPointer<Timestamp>) in
            for index in target.indices {
                target[index] = Timestamp(nanoseconds: start + Int64(index) * windowNanoseconds)
            }
        }
    }

    /// The values at the times of the grid; each step takes the points since the one before.
    private func sampled(_ points: ExpressionValue.Points, _ grid: Column) -> Column {
        var builder = ColumnBuilder<Double>(isNullable: true, capacity: grid.count)
        var row = 0
        points.times.withValues(as: Int64.self) { times in
            grid.withValues(as: Int64.self) { steps in
                for step in steps {
                    let first = row
                    while row < times.count, times[row] <= step { row += 1 }
                    builder.append(value(points.values, first..<row))
                }
            }
        }
        return builder.finish()
    }

    private func value(_ values: Column, _ rows: Range<Int>) -> Double? {
        switch rows.count {
        case 0:
            switch upsampler {
            case .pad: return rows.lowerBound > 0 ? values.float(at: rows.lowerBound - 1) : nil
            case .backfilling: return rows.lowerBound < values.count ? values.float(at: rows.lowerBound) : nil
            case .fillna: return nil
            }
        case 1: return values.float(at: rows.lowerBound)
        default: return downsampler.reduce(values.slice(rows))
        }
    }
}

/// Lengths of time as Grafana writes them: `10s`, `1h30m`, `500ms`, and whole days, weeks, months and years.
enum GrafanaDuration {
    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]
    private static let day = 86_400e9

    /// nil for a text that is none, or too long for 64 bits.
    static func nanoseconds(_ text: String) -> Int64? {
        let calendar: [Character: Double] = [
            "d": day, "w": 7 * day, "M": 365.25 / 12 * day, "y": 365.25 * day,
        ]
        if let last = text.last, let unit = calendar[last], let count = Int32(text.dropLast()) {
            return whole(Double(count) * unit)
        }
        var rest = Substring(text)
        var sum = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let name = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard let value = Double(number), let unit = units.first(where: { $0.name == name }) else { return nil }
            sum += value * unit.nanoseconds
        }
        return whole(sum)
    }

    private static func whole(_ nanoseconds: Double) -> Int64? {
        nanoseconds < 9e18 && nanoseconds > -9e18 ? Int64(nanoseconds) : nil
    }
}
