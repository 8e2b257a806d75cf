// SPDX-License-Identifier: Apache-2.0
internal import PluginABI

/// Compares frames bit by bit: names, metadata, types, nulls and values.
enum FrameDifference {
    /// The first thing that is not the same; nil when the frames are equal.
    static func first(_ found: DataFrame, _ expected: DataFrame) -> Mismatch? {
        let facts = [
            ("name", "'\(found.name)'", "'\(expected.name)'"), ("refID", "'\(found.refID)'", "'\(expected.refID)'"),
            ("meta", found.meta?.json.text ?? "none", expected.meta?.json.text ?? "none"),
            ("number of fields", "\(found.fields.count)", "\(expected.fields.count)"),
        ]
        if let fact = facts.first(where: { $0.1 != $0.2 }) { return Mismatch(fact.0, fact.1, fact.2) }
        for (left, right) in zip(found.fields, expected.fields) {
            if let mismatch = first(left, right) { return mismatch.within("field '\(right.name)'") }
        }
        return nil
    }

    private static func first(_ found: Field, _ expected: Field) -> Mismatch? {
        let facts = [
            ("name", "'\(found.name)'", "'\(expected.name)'"),
            ("type", type(of: found), type(of: expected)),
            ("labels", text(found.labels), text(expected.labels)),
            ("config", found.config?.json.text ?? "none", expected.config?.json.text ?? "none"),
            ("number of rows", "\(found.count)", "\(expected.count)"),
        ]
        if let fact = facts.first(where: { $0.1 != $0.2 }) { return Mismatch(fact.0, fact.1, fact.2) }
        guard let row = firstRow(found.column, expected.column) else { return nil }
        return Mismatch("row \(row)", value(found.column, row), value(expected.column, row))
    }

    private static func type(of field: Field) -> String { "\(field.isNullable ? "*" : "")\(field.type.name)" }

    private static func text(_ labels: Labels?) -> String {
        guard let labels else { return "none" }
        return "{" + labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ") + "}"
    }

    // MARK: Values

    /// The first row whose null or bits differ; the columns have one type and length.
    private static func firstRow(_ found: Column, _ expected: Column) -> Int? {
        switch found.type {
        case .string, .json:
            firstRow(found, expected) { row in
                found.withUTF8(at: row) { left in expected.withUTF8(at: row) { left.elementsEqual($0) } }
            }
        case .bool: firstRow(found, expected) { found[$0, as: Bool.self] == expected[$0, as: Bool.self] }
        default:
            switch found.type.byteWidth {
            case 1: firstRow(found, expected, as: UInt8.self)
            case 2: firstRow(found, expected, as: UInt16.self)
            case 4: firstRow(found, expected, as: UInt32.self)
            default: firstRow(found, expected, as: UInt64.self)
            }
        }
    }

    private static func firstRow(_ found: Column, _ expected: Column, isSame: (Int) -> Bool) -> Int? {
        (0..<found.count).first { row in
            let isNull = found.isNull(at: row)
            return isNull != expected.isNull(at: row) || (!isNull && !isSame(row))
        }
    }

    private static func firstRow<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ found: Column, _ expected: Column, as bits: Bits.Type
    ) -> Int? {
        found.withValues(as: bits) { left in
            expected.withValues(as: bits) { right in
                firstRow(found, expected) { left[$0] == right[$0] }
            }
        }
    }

    private static func value(_ column: Column, _ row: Int) -> String {
        if column.isNull(at: row) { return "null" }
        switch column.type {
        case .string, .json: return "'\(column.string(at: row) ?? "")'"
        case .bool: return column.double(at: row) == 1 ? "true" : "false"
        case .float64: return float(column[row, as: Double.self])
        case .float32: return float(column[row, as: Float.self].map(Double.init))
        case .time: return "\(column[row, as: Timestamp.self]?.nanoseconds ?? 0) ns"
        case .uint64: return "\(column[row, as: UInt64.self] ?? 0)"
        default: return column.integer(at: row).map { "\($0)" } ?? "\(Int64(column.double(at: row) ?? 0))"
        }
    }

    /// A NaN with its bits, which may differ.
    private static func float(_ value: Double?) -> String {
        guard let value, value.isNaN else { return value.map { "\($0)" } ?? "null" }
        return "nan(0x\(String(value.bitPattern, radix: 16)))"
    }
}
