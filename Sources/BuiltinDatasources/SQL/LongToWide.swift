// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Makes one frame of series out of rows that hold a time, texts and values.
///
/// Each text column is a label, each value column and set of labels a field. Rows come in batches.
struct LongToWide {
    private struct Series {
        var labels: [String]
        /// One a value column.
        var builders: [SQLCellBuilder]
        /// The values of the row that is being put together; nil: none yet.
        var pending: [SQLCell?]
    }

    private let names: [String]
    private let timeIndex: Int
    private let labelIndexes: [Int]
    private let valueIndexes: [Int]
    private let valueTypes: [FieldType]
    private var places: [[UInt8]: Int] = [:]
    private var series: [Series] = []
    private var times = ColumnBuilder<Timestamp>()
    private var lastTime: Timestamp?
    /// Series that have a value in the row that is being put together.
    private var touched: [Int] = []
    /// The bytes of labels.
    private var labelBytes = 0

    /// Fields times rows; with more, the labels are no labels.
    private let maximumCells: Int
    /// As many are 180 MB, and as many again while the fields are made.
    static let defaultMaximumCells = 20_000_000
    private static let prefix =
        "failed to convert long to wide series when converting from dataframe: "

    init(_ rows: SQLRows, maximumCells: Int = Self.defaultMaximumCells) {
        self.maximumCells = maximumCells
        names = rows.names
        timeIndex = rows.timeIndex ?? 0
        let types = rows.batch.columns.map(\.type)
        labelIndexes = types.indices.filter { types[$0] == .string && $0 != rows.timeIndex }
        valueIndexes = types.indices.filter { types[$0] != .string && $0 != rows.timeIndex && types[$0] != .time }
        valueTypes = valueIndexes.map { types[$0] }
    }

    /// Values, those that are missing too.
    private var cells: Int { times.count * max(1, series.count * valueIndexes.count) }

    /// About what the series take.
    var byteCount: Int { labelBytes + times.count * 8 + cells * 9 }

    mutating func add(_ rows: SQLRows) throws {
        let columns = rows.batch.columns
        var key: [UInt8] = []
        for row in 0..<rows.batch.rowCount {
            guard let time = columns[timeIndex][row, as: Timestamp.self] else {
                throw Self.failure(
                    "unable to process the data to wide series because input has null time values, make sure all time "
                        + "values are not null")
            }
            try begin(time)
            key.removeAll(keepingCapacity: true)
            for index in labelIndexes {
                columns[index].withUTF8(at: row) { key.append(contentsOf: $0) }
                key.append(0xFF)  // no byte of UTF-8
            }
            let place = try place(of: key, in: columns, row: row)
            if series[place].pending.allSatisfy({ $0 == nil }) { touched.append(place) }
            for (value, index) in valueIndexes.enumerated() {
                series[place].pending[value] = SQLCell(columns[index], at: row)
            }
        }
    }

    private mutating func begin(_ time: Timestamp) throws {
        guard time != lastTime else { return }
        if let lastTime, time < lastTime {
            throw Self.failure(
                "unable to process the data because it is not sorted in ascending order by time, please updated your "
                    + "query to sort the data by time if possible")
        }
        flush()
        lastTime = time
        times.append(time)
        try checkCells()
    }

    private func checkCells() throws {
        guard cells <= maximumCells else {
            throw PluginError(
                .limit,
                "the series have \(series.count * valueIndexes.count) fields and \(times.count) times or more, over "
                    + "\(maximumCells) cells in all; use fewer text columns or the table format", source: .limit)
        }
    }

    private mutating func place(of key: [UInt8], in columns: [Column], row: Int) throws -> Int {
        if let place = places[key] { return place }
        let labels = labelIndexes.map { columns[$0].string(at: row) ?? "" }
        let builders = valueTypes.map { SQLCellBuilder($0) }
        series.append(
            Series(labels: labels, builders: builders, pending: Array(repeating: nil, count: valueIndexes.count)))
        places[key] = series.count - 1
        labelBytes += 2 * key.count + 256
        try checkCells()
        return series.count - 1
    }

    private mutating func flush() {
        let row = times.count - 1
        for place in touched {
            for value in series[place].pending.indices {
                if let cell = series[place].pending[value] {
                    series[place].builders[value].pad(to: row)
                    series[place].builders[value].append(cell)
                    series[place].pending[value] = nil
                }
            }
        }
        touched.removeAll(keepingCapacity: true)
    }

    /// The frame: fields sorted by their name and then by their labels.
    private mutating func wide() throws -> DataFrame {
        flush()
        var fields: [(name: String, labels: [String], field: Field)] = []
        for place in series.indices {
            try Task.checkCancellation()
            for (value, index) in valueIndexes.enumerated() {
                series[place].builders[value].pad(to: times.count)
                let labels = Labels(
                    zip(labelIndexes.map { names[$0] }, series[place].labels), uniquingKeysWith: { $1 })
                let field = Field(
                    names[index], column: series[place].builders[value].finish(),
                    labels: labels.isEmpty ? nil : labels)
                fields.append((names[index], series[place].labels, field))
            }
        }
        fields.sort { left, right in
            if left.name != right.name { return Self.precedes(left.name, right.name) }
            let difference = zip(left.labels, right.labels).first { $0 != $1 }
            return difference.map { Self.precedes($0.0, $0.1) } ?? false
        }
        return DataFrame(fields: [Field(names[timeIndex], column: times.finish())] + fields.map(\.field))
    }

    /// Ends the rows.
    ///
    /// - Parameter namesSeries: With three columns, a series whose only label is `metric` gets its name.
    /// - Throws: `CancellationError`.
    func finish(namesSeries: Bool) throws -> DataFrame {
        var copy = self
        var frame = try copy.wide()
        if namesSeries, names.count == 3 {
            for index in frame.fields.indices {
                guard let labels = frame.fields[index].labels, labels.count == 1, let name = labels["metric"] else {
                    continue
                }
                frame.fields[index].name = name
                frame.fields[index].labels = nil
            }
        }
        return frame
    }

    private static func failure(_ text: String) -> PluginError {
        PluginError(.invalid, prefix + text, source: .downstream)
    }

    /// Compares as Go does: by bytes.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

/// A value that is kept until its row is complete.
enum SQLCell: Sendable, Equatable {
    case null
    case number(Double)
    case integer(Int64)
    case bool(Bool)

    init(_ column: Column, at row: Int) {
        if column.isNull(at: row) {
            self = .null
        } else if column.type == .bool {
            self = .bool(column[row, as: Bool.self] ?? false)
        } else if let value = column.integer(at: row) {
            self = .integer(value)
        } else {
            self = column.double(at: row).map { .number($0) } ?? .null
        }
    }
}

/// Collects the values of one series.
struct SQLCellBuilder {
    private enum Storage {
        case doubles(ColumnBuilder<Double>)
        case integers(ColumnBuilder<Int64>)
        case bools(ColumnBuilder<Bool>)
    }

    private var storage: Storage
    private var count = 0

    init(_ type: FieldType) {
        switch type {
        case .bool: storage = .bools(ColumnBuilder(isNullable: true))
        case .int8, .int16, .int32, .int64: storage = .integers(ColumnBuilder(isNullable: true))
        default: storage = .doubles(ColumnBuilder(isNullable: true))
        }
    }

    /// Puts nulls in up to a row.
    mutating func pad(to row: Int) {
        guard count < row else { return }
        let missing = count..<row
        count = row
        switch storage {
        case .doubles(var builder):
            storage = .integers(ColumnBuilder())  // so that the builder is changed in place
            for _ in missing { builder.appendNull() }
            storage = .doubles(builder)
        case .integers(var builder):
            storage = .bools(ColumnBuilder())
            for _ in missing { builder.appendNull() }
            storage = .integers(builder)
        case .bools(var builder):
            storage = .integers(ColumnBuilder())
            for _ in missing { builder.appendNull() }
            storage = .bools(builder)
        }
    }

    mutating func append(_ cell: SQLCell) {
        count += 1
        switch storage {
        case .doubles(var builder):
            storage = .integers(ColumnBuilder())  // so that the builder is changed in place
            if case .number(let value) = cell { builder.append(value) } else { builder.appendNull() }
            storage = .doubles(builder)
        case .integers(var builder):
            storage = .bools(ColumnBuilder())
            if case .integer(let value) = cell { builder.append(value) } else { builder.appendNull() }
            storage = .integers(builder)
        case .bools(var builder):
            storage = .integers(ColumnBuilder())
            if case .bool(let value) = cell { builder.append(value) } else { builder.appendNull() }
            storage = .bools(builder)
        }
    }

    mutating func finish() -> Column {
        switch storage {
        case .doubles(var builder): builder.finish()
        case .integers(var builder): builder.finish()
        case .bools(var builder): builder.finish()
        }
    }
}
