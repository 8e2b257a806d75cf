// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Reads frames that declare a type of the data-plane contract.
///
/// - SeeAlso: github.com/grafana/dataplane, `docs/contract`.
struct DataPlaneReader {
    let refID: String

    /// - Returns: nil when the frames break the rules of their type; they are then read by what they look like.
    /// - Throws: ``ExpressionError`` `.readData` for types without numbers.
    func values(of frames: [DataFrame], type: String) throws(ExpressionError) -> [ExpressionValue]? {
        let items: [ExpressionValue]?
        switch type {
        case "timeseries-wide": items = try wideSeries(frames)
        case "timeseries-multi", "timeseries-many": items = try multiSeries(frames, type)
        case "timeseries-long": items = try longSeries(frames)
        case "numeric-wide": items = try wideNumbers(frames)
        case "numeric-multi": items = try multiNumbers(frames, type)
        case "numeric-long": items = try longNumbers(frames)
        default:
            let kind = type.hasPrefix("log") ? "logs" : type.hasPrefix("heatmap") ? "heatmap" : "unknown"
            guard kind == "unknown" else {
                throw .readData(
                    refID, "kind \(kind) (type \(type)) not supported by server side expressions")
            }
            return nil
        }
        guard let items else { return nil }
        if items.isEmpty { return [.noData(frames[0].fields.isEmpty ? frames[0] : DataFrame(name: "no data"))] }
        return sorted(items)
    }

    private func isValue(_ field: Field) -> Bool { field.type.isNumeric || field.type == .bool }

    /// By name, then by labels, as the contract's reader hands them out.
    private func sorted(_ items: [ExpressionValue]) -> [ExpressionValue] {
        let keys = items.map { (name: $0.name, labels: $0.labels.text) }
        let order = items.indices.sorted { one, other in
            let (left, right) = (keys[one], keys[other])
            if left.name != right.name { return left.name < right.name }
            return left.labels != right.labels ? left.labels < right.labels : one < other
        }
        return order.map { items[$0] }
    }

    // MARK: Series

    private func wideSeries(_ frames: [DataFrame]) throws(ExpressionError) -> [ExpressionValue]? {
        guard let frame = frames.first, !frame.fields.isEmpty else { return [] }
        guard frame.fields.contains(where: { $0.type == .time }) else { return nil }
        let time = try SeriesReader.times(in: frame, refID)
        var items: [ExpressionValue] = []
        for field in frame.fields where isValue(field) {
            items.append(try SeriesReader.series(field, times: time, refID))
        }
        return items
    }

    private func multiSeries(_ frames: [DataFrame], _ type: String) throws(ExpressionError) -> [ExpressionValue]? {
        var items: [ExpressionValue] = []
        for frame in frames where frame.meta?.type == type && !frame.fields.isEmpty {
            guard frame.fields.contains(where: { $0.type == .time }),
                let field = frame.fields.first(where: isValue)
            else { return nil }
            items.append(
                try SeriesReader.series(field, times: try SeriesReader.times(in: frame, refID), refID))
        }
        return items
    }

    private func longSeries(_ frames: [DataFrame]) throws(ExpressionError) -> [ExpressionValue]? {
        guard let frame = frames.first, !frame.fields.isEmpty else { return [] }
        guard frame.fields.contains(where: { $0.type == .time }) else { return nil }
        let time = try SeriesReader.times(in: frame, refID)
        let groups = LongGroups(frame, times: time.column)
        var items: [ExpressionValue] = []
        for field in frame.fields where isValue(field) {
            let values = try SeriesReader.floats(field, refID)
            for group in groups.groups {
                let points = ExpressionValue.Points(
                    times: time.column.taking(group.rows, as: Timestamp.self, isNullable: false),
                    values: values.taking(group.rows, as: Double.self))
                var item = ExpressionValue.series(points, labels: group.labels, name: field.name)
                item.timeName = time.name
                item.config = field.config
                items.append(item)
            }
        }
        return items
    }

    // MARK: Numbers

    private func wideNumbers(_ frames: [DataFrame]) throws(ExpressionError) -> [ExpressionValue]? {
        guard let frame = frames.first, !frame.fields.isEmpty else { return [] }
        guard frame.rowCount <= 1 else { return nil }
        return try frame.rowCount == 0 ? [] : numbers(frame.fields.filter(isValue))
    }

    private func multiNumbers(_ frames: [DataFrame], _ type: String) throws(ExpressionError) -> [ExpressionValue]? {
        var items: [ExpressionValue] = []
        for frame in frames where frame.meta?.type == type && !frame.fields.isEmpty {
            guard frame.rowCount <= 1, let field = frame.fields.first(where: isValue) else { return nil }
            if frame.rowCount == 1 { items += try numbers([field]) }
        }
        return items
    }

    private func numbers(_ fields: [Field]) throws(ExpressionError) -> [ExpressionValue] {
        var items: [ExpressionValue] = []
        for field in fields {
            let value = try SeriesReader.floats(field, refID).float(at: 0)
            var item = ExpressionValue.number(value, labels: field.labels ?? [:], name: field.name)
            item.config = field.config
            items.append(item)
        }
        return items
    }

    private func longNumbers(_ frames: [DataFrame]) throws(ExpressionError) -> [ExpressionValue]? {
        guard let frame = frames.first, !frame.fields.isEmpty else { return [] }
        let texts = frame.fields.filter { $0.type == .string }
        var items: [ExpressionValue] = []
        for field in frame.fields where isValue(field) {
            let values = try SeriesReader.floats(field, refID)
            for row in 0..<frame.rowCount {
                var labels: Labels = [:]
                for text in texts { labels[text.name] = text.column.string(at: row) ?? "" }
                var item = ExpressionValue.number(values.float(at: row), labels: labels, name: field.name)
                item.config = field.config
                items.append(item)
            }
        }
        return items
    }
}

/// The rows of a long frame by the values of its text columns, in the order in which these first come.
///
/// Of rows in a row that have one time too the last counts.
private struct LongGroups {
    private(set) var groups: [(labels: Labels, rows: [Int32])] = []

    init(_ frame: DataFrame, times: Column) {
        let texts = frame.fields.filter { $0.type == .string }
        var places: [[String?]: Int] = [:]
        for row in 0..<frame.rowCount {
            let key = texts.map { $0.column.string(at: row) }
            let place = places[key] ?? groups.count
            if place == groups.count {
                places[key] = place
                var labels: Labels = [:]
                for (text, value) in zip(texts, key) { labels[text.name] = value ?? "" }
                groups.append((labels, []))
            }
            if let last = groups[place].rows.last,
                times[Int(last), as: Timestamp.self] == times[row, as: Timestamp.self]
            {
                groups[place].rows.removeLast()
            }
            groups[place].rows.append(Int32(truncatingIfNeeded: row))
        }
    }
}
