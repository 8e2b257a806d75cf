// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Reads columns of frames as the two columns of a series.
enum SeriesReader {
    /// The first time field of a frame.
    static func times(in frame: DataFrame, _ refID: String) throws(ExpressionError) -> Field {
        guard let time = frame.fields.first(where: { $0.type == .time }) else {
            throw .readData(refID, "a time series frame has no time field")
        }
        guard time.column.nullCount == 0 else {
            throw .readData(refID, "time series with null time stamps are not supported")
        }
        return time.isNullable ? withoutNullability(time) : time
    }

    /// A field that may have nulls and has none, as one that cannot have any.
    private static func withoutNullability(_ time: Field) -> Field {
        var time = time
        time.column = time.column.withValues(as: Timestamp.self) { source in
            Column(filling: source.count, isNullable: false) { target in
                _ = target.update(fromContentsOf: source)
            }
        }
        return time
    }

    /// One field beside the times.
    static func series(_ field: Field, times: Field, _ refID: String) throws(ExpressionError) -> ExpressionValue {
        let values = try floats(field, refID)
        var value = ExpressionValue.series(
            .init(times: times.column, values: values), labels: field.labels ?? [:], name: field.name)
        value.timeName = times.name
        value.config = field.config
        return value
    }

    /// The values as nullable `float64`; a column that is that already is taken as it lies.
    static func floats(_ field: Field, _ refID: String) throws(ExpressionError) -> Column {
        let column = field.column
        switch column.type {
        case .float64: return column.asNullable
        case .string: return try parsed(field, refID)
        case .json:
            throw .readData(refID, "field '\(field.name)' has the type json.RawMessage, which is not a number")
        case .int64: return converted(column) { (value: Int64) in Double(value) }
        case .uint64: return converted(column) { (value: UInt64) in Double(value) }
        case .int32: return converted(column) { (value: Int32) in Double(value) }
        case .uint32: return converted(column) { (value: UInt32) in Double(value) }
        case .float32: return converted(column) { (value: Float) in Double(value) }
        default:
            return Column(filling: column.count, validity: ValidityBits(of: column)) { target in
                for index in 0..<column.count { target[index] = column.double(at: index) ?? 0 }
            }
        }
    }

    private static func converted<Source: BitwiseCopyable>(
        _ column: Column, _ convert: (Source) -> Double
    ) -> Column {
        column.withValues(as: Source.self) { source in
            Column(filling: source.count, validity: ValidityBits(of: column)) { target in
                for index in 0..<source.count { target[index] = convert(source[index]) }
            }
        }
    }

    private static func parsed(_ field: Field, _ refID: String) throws(ExpressionError) -> Column {
        var builder = ColumnBuilder<Double>(isNullable: true, capacity: field.count)
        for row in 0..<field.count {
            guard let text = field.column.string(at: row) else {
                builder.appendNull()
                continue
            }
            guard let value = Double(text) else {
                throw .readData(refID, "field '\(field.name)': \"\(text.prefix(40))\" is not a number")
            }
            builder.append(value)
        }
        return builder.finish()
    }
}
