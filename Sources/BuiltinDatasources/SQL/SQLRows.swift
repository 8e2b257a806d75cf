// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One batch of rows with the names of its columns, and what the formats make of it.
struct SQLRows {
    var names: [String]
    var batch: SQLBatch
    /// Where the time of a series is.
    private(set) var timeIndex: Int?

    init(names: [String], batch: SQLBatch) {
        self.names = names
        self.batch = batch
    }

    var fields: [Field] { zip(names, batch.columns).map { Field($0, column: $1) } }
    var frame: DataFrame { DataFrame(fields: fields) }
    var hasText: Bool { batch.columns.contains { $0.type == .string } }

    /// Makes times of the columns whose names say so.
    mutating func convertTimes(_ query: SQLQuery) throws {
        timeIndex = names.lastIndex { query.timeColumns.contains($0) }
        for index in names.indices where isTime(index, query) && batch.columns[index].type != .time {
            do {
                let (column, lost) = try TimeConversion.column(batch.columns[index])
                batch.columns[index] = column
                if lost > 0 { batch.lost[names[index], default: 0] += lost }
            } catch {
                throw PluginError(
                    .invalid, "converting time columns failed: column \"\(names[index])\": \(error)", source: .plugin)
            }
        }
    }

    private func isTime(_ index: Int, _ query: SQLQuery) -> Bool {
        if index == timeIndex { return true }
        return query.format == .table && query.endColumns.contains(names[index].lowercased())
    }

    /// Names the time column and makes numbers of the value columns.
    mutating func beSeries(_ query: SQLQuery) throws {
        guard let timeIndex else {
            guard query.format == .timeSeries else {
                throw PluginError(
                    .invalid, "can not convert to wide series, expected long format series input but got not series",
                    source: .downstream)
            }
            throw PluginError(
                .invalid,
                "db has no time column: time column is missing; make sure your data includes a time column for time "
                    + "series format or switch to a table format that doesn't require it", source: .downstream)
        }
        if query.format == .timeSeries { names[timeIndex] = "Time" }
        guard query.convertsValues else { return }
        for index in names.indices where index != timeIndex && names[index] != "metric" {
            switch batch.columns[index].type {
            case .string, .float64: continue
            // An array or another value of JSON is a label, as its text.
            case .json: batch.columns[index] = batch.columns[index].texts
            default: batch.columns[index] = batch.columns[index].doubles
            }
        }
    }
}

/// Makes a time column of numbers and texts, as Grafana guesses their unit.
enum TimeConversion {
    /// - Returns: the times, and how many values are none.
    /// - Throws: ``MacroError`` for a text that is no number.
    static func column(_ column: Column) throws -> (times: Column, lost: Int) {
        var lost = 0
        func append(_ number: Double) {
            let time = time(number)
            if time == nil { lost += 1 }
            builder.append(time)
        }
        var builder = ColumnBuilder<Timestamp>(isNullable: true, capacity: column.count)
        for index in 0..<column.count {
            if column.isNull(at: index) {
                builder.appendNull()
            } else if column.type == .string || column.type == .json {
                let text = column.string(at: index) ?? ""
                guard let number = FloatParser.parse(text) else {
                    throw MacroError("unable to convert data to a time field: \"\(text.prefix(64))\" is not a number")
                }
                append(number)
            } else if let number = column.double(at: index) {
                append(number)
            } else {
                lost += 1
                builder.appendNull()
            }
        }
        return (builder.finish(), lost)
    }

    /// A number of ten digits is seconds, one of nineteen nanoseconds, every other milliseconds.
    static func time(_ number: Double) -> Timestamp? {
        let milliseconds: Double
        switch number.magnitude {
        case 1e9..<1e10: milliseconds = number * 1e3
        case 1e18..<1e19: milliseconds = number / 1e6
        default: milliseconds = number
        }
        guard milliseconds.magnitude < 9.2e12 else { return nil }
        return Timestamp(milliseconds: Int64(milliseconds))
    }
}

extension Column {
    /// The values as nullable float64.
    var doubles: Column {
        var builder = ColumnBuilder<Double>(isNullable: true, capacity: count)
        for index in 0..<count { builder.append(double(at: index)) }
        return builder.finish()
    }

    /// The values of JSON as texts.
    var texts: Column {
        var builder = ColumnBuilder<String>(isNullable: true, capacity: count)
        for index in 0..<count { builder.append(string(at: index)) }
        return builder.finish()
    }
}
