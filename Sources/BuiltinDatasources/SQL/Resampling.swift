// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Puts series on a grid of equal steps; the values of a point are those of the last row since the point before.
struct Resampling {
    enum Outcome {
        case resampled(DataFrame)
        case tooManyPoints
        case failed
    }

    let fill: SQLFill
    let from: Timestamp
    let to: Timestamp
    /// The most points of the grid.
    let limit: Int
    /// The most values: points times fields.
    let maximumCells: Int

    /// - Parameter frame: A time field and any number of others, of which the numbers are filled; rows ascend.
    /// - Throws: ``PluginError`` `.invalid` for a step below a second, `CancellationError`.
    func apply(to frame: DataFrame) throws -> Outcome {
        let step = fill.interval.nanoseconds
        guard step >= 1_000_000_000 else {
            throw PluginError(
                .invalid, "failed to resample dataframe: the step of a fill is less than a second", source: .plugin)
        }
        guard to >= from, let timeIndex = frame.fields.firstIndex(where: { $0.type == .time })
        else { return .failed }
        // The grid starts at whole seconds, as its step is cut to them there.
        let stepSeconds = step / 1_000_000_000
        let startSeconds = floorDivide(floorDivide(from.nanoseconds, 1_000_000_000), stepSeconds) * stepSeconds
        let (start, overflow) = startSeconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .failed }
        let (span, overflowed) = to.nanoseconds.subtractingReportingOverflow(start)
        guard !overflowed else { return .tooManyPoints }
        let count = span / step + 1
        guard count <= Int64(limit), Int(count) * frame.fields.count <= maximumCells else { return .tooManyPoints }
        guard let rows = rows(of: frame.fields[timeIndex].column, start: start, step: step, count: Int(count)) else {
            return .failed
        }
        let isNullable = frame.fields[timeIndex].isNullable
        var times = ColumnBuilder<Timestamp>(isNullable: isNullable, capacity: Int(count))
        for index in 0..<count { times.append(Timestamp(nanoseconds: start + index * step)) }
        var result = frame
        for index in frame.fields.indices {
            try Task.checkCancellation()
            result.fields[index].column =
                index == timeIndex ? times.finish() : values(of: frame.fields[index].column, rows)
        }
        return .resampled(result)
    }

    /// For each point of the grid, the row that gives its values; nil for a time that is null or goes back.
    private func rows(of times: Column, start: Int64, step: Int64, count: Int) -> [Int?]? {
        var result: [Int?] = []
        result.reserveCapacity(count)
        var row = 0
        var before = Int64.min
        for point in 0..<count {
            let end = start + Int64(point) * step
            var last: Int?
            while row < times.count {
                guard let time = times[row, as: Timestamp.self]?.nanoseconds, time >= before else { return nil }
                guard time <= end else { break }
                before = time
                let (distance, overflow) = end.subtractingReportingOverflow(time)
                if !overflow, distance < step { last = row }
                row += 1
            }
            result.append(last)
        }
        return result
    }

    private func values(of column: Column, _ rows: [Int?]) -> Column {
        guard column.type == .float64 else {
            // Only numbers are filled; what else is there keeps its values.
            var builder = ColumnBuilder<Double>(isNullable: true, capacity: rows.count)
            for row in rows { builder.append(row.flatMap { column.double(at: $0) }) }
            return builder.finish()
        }
        var builder = ColumnBuilder<Double>(isNullable: true, capacity: rows.count)
        var previous: Double?
        for row in rows {
            guard let row else {
                switch fill.mode {
                case .null: builder.appendNull()
                case .previous: builder.append(previous)
                case .value(let value): builder.append(value)
                }
                continue
            }
            previous = column[row, as: Double.self]
            builder.append(previous)
        }
        return builder.finish()
    }
}
