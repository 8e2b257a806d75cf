// SPDX-License-Identifier: Apache-2.0
import CArrowTable
import CSQLite
import PluginABI

/// One column of a statement's answer, whose type shows with its values.
struct SQLOutputColumn {
    private enum Values {
        case nulls
        case integers(ColumnBuilder<Int64>)
        case floats(ColumnBuilder<Double>)
        case texts(ColumnBuilder<String>)
    }

    private let name: String
    /// The type of the column that it passes on.
    private let declared: FieldType?
    private var values = Values.nulls
    private var count = 0

    init(_ statement: OpaquePointer, _ index: Int32) {
        name = sqlite3_column_name(statement, index).map { String(cString: $0) } ?? ""
        declared = SQLType.field(declared: sqlite3_column_decltype(statement, index).map { String(cString: $0) })
    }

    /// Takes the value of the current row.
    mutating func append(_ statement: OpaquePointer, _ index: Int32) {
        switch sqlite3_column_type(statement, index) {
        case SQLITE_INTEGER: append(sqlite3_column_int64(statement, index))
        case SQLITE_FLOAT: append(sqlite3_column_double(statement, index))
        case SQLITE_NULL: appendNull()
        default:
            let length = Int(sqlite3_column_bytes(statement, index))
            let start = UnsafePointer<UInt8>(sqlite3_column_text(statement, index))
            append(UnsafeBufferPointer(start: start, count: start == nil ? 0 : length))
        }
        count += 1
    }

    private mutating func appendNull() {
        switch values {
        case .nulls: break
        case .integers(var builder):
            values = .nulls
            builder.appendNull()
            values = .integers(builder)
        case .floats(var builder):
            values = .nulls
            builder.appendNull()
            values = .floats(builder)
        case .texts(var builder):
            values = .nulls
            builder.appendNull()
            values = .texts(builder)
        }
    }

    private mutating func append(_ value: Int64) {
        switch values {
        case .nulls: values = .integers(Self.builder(count, with: value))
        case .integers(var builder):
            values = .nulls  // so that the builder is changed in place
            builder.append(value)
            values = .integers(builder)
        case .floats: append(Double(value))
        case .texts: append(text: "\(value)")
        }
    }

    private mutating func append(_ value: Double) {
        switch values {
        case .nulls: values = .floats(Self.builder(count, with: value))
        case .integers(var builder):
            let column = builder.finish()
            var floats = ColumnBuilder<Double>(isNullable: true, capacity: count + 1)
            for row in 0..<column.count { floats.append(column[row, as: Int64.self].map { Double($0) }) }
            floats.append(value)
            values = .floats(floats)
        case .floats(var builder):
            values = .nulls
            builder.append(value)
            values = .floats(builder)
        case .texts: append(text: JSONValue.number(value).encoded())
        }
    }

    private mutating func append(text: String) {
        var text = text
        text.withUTF8 { append($0) }
    }

    private mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        if case .texts = values {} else { becomeTexts() }
        guard case .texts(var builder) = values else { return }
        values = .nulls
        builder.appendUTF8(bytes)
        values = .texts(builder)
    }

    private mutating func becomeTexts() {
        var texts = ColumnBuilder<String>(isNullable: true, capacity: count + 1)
        switch values {
        case .integers(var builder):
            let column = builder.finish()
            for row in 0..<column.count { texts.append(column[row, as: Int64.self].map { "\($0)" }) }
        case .floats(var builder):
            let column = builder.finish()
            for row in 0..<column.count { texts.append(column.float(at: row).map { JSONValue.number($0).encoded() }) }
        default:
            for _ in 0..<count { texts.appendNull() }
        }
        values = .texts(texts)
    }

    private static func builder<Element: ColumnElement>(_ nulls: Int, with value: Element) -> ColumnBuilder<Element> {
        var builder = ColumnBuilder<Element>(isNullable: true, capacity: nulls + 16)
        for _ in 0..<nulls { builder.appendNull() }
        builder.append(value)
        return builder
    }

    // MARK: The end

    /// The field of all values.
    mutating func finish() -> Field {
        switch values {
        case .nulls: return Field(name, column: nulls())
        case .integers(var builder):
            let column = builder.finish()
            return Field(name, column: declared == .bool ? Self.bools(column) ?? column : column)
        case .floats(var builder): return Field(name, column: builder.finish())
        case .texts(var builder):
            let column = builder.finish()
            if declared == .json {
                return Field(name, (0..<column.count).map { column.string(at: $0).map { JSONText($0) } })
            }
            // A calculated text whose every value is a time is one: min(time), coalesce(time, …).
            let mayBeTime = declared == nil || declared == .time
            return Field(name, column: mayBeTime ? Self.times(column) ?? column : column)
        }
    }

    private func nulls() -> Column {
        switch declared {
        case .string: Column([String?](repeating: nil, count: count))
        case .time: Column([Timestamp?](repeating: nil, count: count))
        case .bool: Column([Bool?](repeating: nil, count: count))
        case .json: Column([JSONText?](repeating: nil, count: count))
        case .int64: Column([Int64?](repeating: nil, count: count))
        default: Column([Double?](repeating: nil, count: count))
        }
    }

    private static func bools(_ column: Column) -> Column? {
        var builder = ColumnBuilder<Bool>(isNullable: true, capacity: column.count)
        for row in 0..<column.count {
            guard let value = column[row, as: Int64.self] else {
                builder.appendNull()
                continue
            }
            guard value == 0 || value == 1 else { return nil }
            builder.append(value == 1)
        }
        return builder.finish()
    }

    private static func times(_ column: Column) -> Column? {
        var builder = ColumnBuilder<Timestamp>(isNullable: true, capacity: column.count)
        for row in 0..<column.count {
            if column.isNull(at: row) {
                builder.appendNull()
                continue
            }
            guard let time = column.withUTF8(at: row, { SQLTime.nanoseconds($0) }) else { return nil }
            builder.append(Timestamp(nanoseconds: time))
        }
        return builder.finish()
    }
}

/// Times as SQL has them: `2026-11-28 00:30:00.25`, in UTC.
enum SQLTime {
    static func nanoseconds(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        guard let start = text.baseAddress else { return nil }
        var time: Int64 = 0
        let isTime = start.withMemoryRebound(to: CChar.self, capacity: text.count) {
            arrow_time_parse($0, text.count, &time)
        }
        return isTime == 1 ? time : nil
    }

    static func text(nanoseconds: Int64) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { room in
            // '!' is fine: the room is not empty
            let length = arrow_time_text(nanoseconds, room.baseAddress!)
            return String(decoding: room.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
