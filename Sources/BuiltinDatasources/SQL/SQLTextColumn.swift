// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Collects the values of a column that come as text, as PostgreSQL and MySQL send them.
protocol SQLTextColumn: AnyObject {
    /// Takes a value; bytes that the type cannot hold become null and are counted.
    func append(_ bytes: UnsafeBufferPointer<UInt8>)
    func appendNull()
    /// The values since the last call.
    func finish() -> Column
    /// Values that became null since the last call of this.
    func takeLost() -> Int
}

/// A column whose values are read by a function.
final class SQLParsedColumn<Element: ColumnElement>: SQLTextColumn {
    private var builder = ColumnBuilder<Element>(isNullable: true)
    private var lost = 0
    private let parse: (UnsafeBufferPointer<UInt8>) -> Element?

    init(_ parse: @escaping (UnsafeBufferPointer<UInt8>) -> Element?) { self.parse = parse }

    func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        if let value = parse(bytes) {
            builder.append(value)
        } else {
            lost += 1
            builder.appendNull()
        }
    }

    func appendNull() { builder.appendNull() }

    func finish() -> Column { builder.finish() }

    func takeLost() -> Int {
        defer { lost = 0 }
        return lost
    }
}

/// A column of texts.
final class SQLStringColumn: SQLTextColumn {
    private var builder = ColumnBuilder<String>(isNullable: true)

    func append(_ bytes: UnsafeBufferPointer<UInt8>) { SQLBytes.append(bytes, to: &builder) }

    func appendNull() { builder.appendNull() }
    func finish() -> Column { builder.finish() }
    func takeLost() -> Int { 0 }
}

/// A column of JSON.
///
/// What is not JSON is null: the text goes into the answer byte for byte, and servers are not all friends.
final class SQLJSONColumn: SQLTextColumn {
    private var builder = ColumnBuilder<JSONText>(isNullable: true)
    private let convert: ((UnsafeBufferPointer<UInt8>) -> [UInt8]?)?
    private var lost = 0

    /// - Parameter convert: Makes JSON of what comes; nil takes the bytes as they are.
    init(_ convert: ((UnsafeBufferPointer<UInt8>) -> [UInt8]?)? = nil) { self.convert = convert }

    func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        if let convert {
            guard let json = convert(bytes) else { return lose() }
            json.withUnsafeBufferPointer { appendChecked($0) }
        } else {
            appendChecked(bytes)
        }
    }

    private func appendChecked(_ json: UnsafeBufferPointer<UInt8>) {
        guard (try? JSONSlices.value(at: [], in: json)) != nil else { return lose() }
        builder.appendUTF8(json)
    }

    private func lose() {
        lost += 1
        builder.appendNull()
    }

    func appendNull() { builder.appendNull() }
    func finish() -> Column { builder.finish() }

    func takeLost() -> Int {
        defer { lost = 0 }
        return lost
    }
}

/// Numbers out of ASCII.
enum SQLNumber {
    /// A whole number that fits the type.
    static func integer<Value: FixedWidthInteger>(_ bytes: UnsafeBufferPointer<UInt8>) -> Value? {
        var index = 0
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative || bytes.first == UInt8(ascii: "+") { index = 1 }
        guard index < bytes.count else { return nil }
        var value: Value = 0
        while index < bytes.count {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowed) =
                isNegative
                ? product.subtractingReportingOverflow(Value(truncatingIfNeeded: digit))
                : product.addingReportingOverflow(Value(truncatingIfNeeded: digit))
            guard !overflow, !overflowed else { return nil }
            value = sum
            index += 1
        }
        return value
    }

    /// A decimal, `NaN`, `Infinity`, `-Infinity`.
    static func double(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
        if let value = FloatParser.parse(bytes) { return value }
        switch String(decoding: bytes, as: UTF8.self).lowercased() {
        case "nan": return .nan
        case "infinity", "+infinity", "inf", "+inf": return .infinity
        case "-infinity", "-inf": return -.infinity
        default: return nil
        }
    }
}
