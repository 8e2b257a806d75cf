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
    /// Values that lost digits since the last call of this.
    func takeRounded() -> Int
}

extension SQLTextColumn {
    func takeRounded() -> Int { 0 }
}

/// The columns of one answer.
enum SQLTextColumns {
    /// The values since the last batch.
    static func batch(_ columns: [any SQLTextColumn], _ names: [String], rowCount: Int, isLast: Bool) -> SQLBatch {
        var batch = SQLBatch(columns: [], rowCount: rowCount, isLast: isLast)
        for (column, name) in zip(columns, names) {
            let (lost, rounded) = (column.takeLost(), column.takeRounded())
            if lost > 0 { batch.lost[name] = lost }
            if rounded > 0 { batch.rounded[name] = rounded }
            batch.columns.append(column.finish())
        }
        return batch
    }
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

/// A column of decimals that are not known to fit an integer.
///
/// Digits behind the point are rounded to what float64 holds, as everywhere; whole numbers that lose digits are counted.
final class SQLDecimalColumn: SQLTextColumn {
    private let numbers = SQLParsedColumn<Double> { SQLNumber.double($0) }
    private var rounded = 0

    func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        // 2^53 has 16 digits: shorter numbers are exact.
        if bytes.count >= 16, SQLNumber.isInexactWhole(bytes) { rounded += 1 }
        numbers.append(bytes)
    }

    func appendNull() { numbers.appendNull() }
    func finish() -> Column { numbers.finish() }
    func takeLost() -> Int { numbers.takeLost() }

    func takeRounded() -> Int {
        defer { rounded = 0 }
        return rounded
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

    /// So many digits always fit 64 bits.
    static let wholeDigits = 18

    /// Whether a decimal is a whole number that float64 does not hold.
    static func isInexactWhole(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let digits = bytes.prefix { $0 != UInt8(ascii: ".") }
        guard bytes.dropFirst(digits.count + 1).allSatisfy({ $0 == UInt8(ascii: "0") }) else { return false }
        // Every whole number below is exact.
        guard digits.drop(while: { $0 < 0x31 || $0 > 0x39 }).count >= 16 else { return false }
        guard let whole: Int128 = integer(UnsafeBufferPointer(rebasing: digits)), let number = double(bytes) else {
            // With more digits than 128 bits have, powers of two aside, none is exact.
            return digits.count > 38
        }
        return Int128(exactly: number) != whole
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
