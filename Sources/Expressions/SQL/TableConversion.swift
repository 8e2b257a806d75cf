// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Makes the frames of a data source's answer one table for SQL.
///
/// Series and numbers become rows with their name and labels as columns; any other answer has to be a table already.
struct TableConversion {
    let refID: String
    /// The most cells of a table that is made of series or numbers; 0: no limit.
    let maximumCells: Int

    /// - Throws: ``ExpressionError`` `.readData` for answers that are no table.
    func table(of frames: [DataFrame]) throws(ExpressionError) -> DataFrame {
        let kind = frames.first?.meta?.type ?? ""
        var table: DataFrame
        // Frames that break the rules of their type are taken for what they look like.
        if Self.itemKinds.contains(kind), let items = try DataPlaneReader(refID: refID).values(of: frames, type: kind) {
            table = try rows(of: items)
        } else {
            table = try single(frames)
        }
        try checkNames(&table)
        table.refID = refID
        return table
    }

    private static let itemKinds: Set = [
        "numeric-multi", "numeric-wide", "timeseries-multi", "timeseries-wide", "timeseries-many",
    ]

    private func single(_ frames: [DataFrame]) throws(ExpressionError) -> DataFrame {
        let reason = "can not convert because the response is missing the data type (frame.meta.type) and has"
        guard frames.count <= 1 else {
            throw .readData(
                refID,
                "\(reason) more than one dataframe that can not be automatically mapped to a single table")
        }
        guard let frame = frames.first else { return DataFrame() }
        guard frame.fields.allSatisfy({ $0.labels?.isEmpty ?? true }) else {
            throw .readData(refID, "\(reason) labels in the response that can not be mapped to a table")
        }
        return DataFrame(name: frame.name, fields: frame.fields)
    }

    /// SQL needs a name for each column, and does not tell upper from lower case.
    private func checkNames(_ table: inout DataFrame) throws(ExpressionError) {
        var seen: Set<String> = []
        for index in table.fields.indices {
            if table.fields[index].name.isEmpty { table.fields[index].name = "column\(index + 1)" }
            let name = table.fields[index].name
            guard !name.utf8.contains(0) else { throw .readData(refID, "the name of a field has a zero byte") }
            guard seen.insert(name.lowercased()).inserted else {
                throw .readData(
                    refID, "two fields are named '\(name)', which SQL cannot tell apart; rename one in the query")
            }
        }
    }

    // MARK: Series and numbers

    private func rows(of values: [ExpressionValue]) throws(ExpressionError) -> DataFrame {
        let items = values.filter { !$0.isNoData }
        guard !items.isEmpty else { return DataFrame() }
        let keys = Set(items.flatMap(\.labels.keys)).sorted()
        let count = items.reduce(0) { $0 + $1.pointCount }
        // Three columns at least stand beside the labels.
        try SQLEngine.check(cells: count * (3 + keys.count), maximum: maximumCells)
        let rows = Self.sortedRows(items)
        var fields: [Field] = []
        if case .series = items[0].content { fields.append(times(items, rows)) }
        let value = Field("__value__", column: numbers(items, rows))
        let names = Field("__metric_name__", rows.map { items[$0.item].name })
        fields += fields.isEmpty ? [names, value] : [value, names]
        if items.contains(where: { $0.config?.displayNameFromDS?.isEmpty == false }) {
            let names = items.map { $0.config?.displayNameFromDS }
            fields.append(Field("__display_name__", rows.map { names[$0.item] }))
        }
        for key in keys { fields.append(Field(key, rows.map { items[$0.item].labels[key] })) }
        return DataFrame(fields: fields)
    }

    /// A point of an item.
    private struct Row {
        var time: Int64
        var item: Int
        var point: Int
    }

    /// By time, then by metric.
    private static func sortedRows(_ items: [ExpressionValue]) -> [Row] {
        var rows: [Row] = []
        rows.reserveCapacity(items.reduce(0) { $0 + $1.pointCount })
        for (item, value) in items.enumerated() {
            guard case .series(let points) = value.content else {
                rows.append(Row(time: 0, item: item, point: 0))
                continue
            }
            points.times.withValues(as: Int64.self) { times in
                for (point, time) in times.enumerated() { rows.append(Row(time: time, item: item, point: point)) }
            }
        }
        // The items come sorted by name and labels, so that their place stands for both.
        rows.sort { ($0.time, $0.item, $0.point) < ($1.time, $1.item, $1.point) }
        return rows
    }

    private func times(_ items: [ExpressionValue], _ rows: [Row]) -> Field {
        let column = Column(filling: rows.count, isNullable: false) { (target: UnsafeMutableBufferPointer<Timestamp>) in
            for (index, row) in rows.enumerated() { target[index] = Timestamp(nanoseconds: row.time) }
        }
        return Field("time", column: column)
    }

    private func numbers(_ items: [ExpressionValue], _ rows: [Row]) -> Column {
        var builder = ColumnBuilder<Double>(isNullable: true, capacity: rows.count)
        for row in rows {
            switch items[row.item].content {
            case .series(let points): builder.append(points.values.float(at: row.point))
            case .number(let number), .scalar(let number): builder.append(number)
            case .frame: builder.appendNull()
            }
        }
        return builder.finish()
    }
}
