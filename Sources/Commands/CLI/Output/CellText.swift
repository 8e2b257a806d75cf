// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI

/// The text of one value.
enum CellText {
    /// Times are ISO 8601 in UTC, numbers the shortest text that reads back as the same number; NaN, +Inf and -Inf.
    static func cell(of field: Field, at row: Int) -> Cell {
        let column = field.column
        guard !column.isNull(at: row) else { return .null }
        switch column.type {
        case .string, .json: return .value(column.string(at: row) ?? "")
        case .bool: return .value(column[row, as: Bool.self] == true ? "true" : "false")
        case .time:
            return .value(TimeText(nanoseconds: column[row, as: Timestamp.self]?.nanoseconds ?? 0).iso)
        case .enum: return .value(enumText(field, Int(column[row, as: EnumIndex.self]?.value ?? 0)))
        case .int64: return .value(String(column[row, as: Int64.self] ?? 0))
        case .uint64: return .value(String(column[row, as: UInt64.self] ?? 0))
        case .float32: return .value(number(column[row, as: Float.self] ?? 0))
        default: return .value(number(column.double(at: row) ?? 0))
        }
    }

    /// `0.1`, `NaN`, `+Inf`, `1e+21`.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return special(isNaN: value.isNaN, sign: value.sign) }
        var writer = ByteWriter(capacity: FloatText.maximumCount)
        writer.append(decimal: value)
        return writer.string()
    }

    /// The number with six digits.
    static func brief(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return number(value) }
        let scale = pow(10, 5 - floor(log10(abs(value))))
        let rounded = (value * scale).rounded() / scale
        return number(rounded.isFinite ? rounded : value)
    }

    private static func number(_ value: Float) -> String {
        guard value.isFinite else { return special(isNaN: value.isNaN, sign: value.sign) }
        var writer = ByteWriter(capacity: FloatText.maximumCount)
        writer.append(decimal: value)
        return writer.string()
    }

    private static func special(isNaN: Bool, sign: FloatingPointSign) -> String {
        isNaN ? "NaN" : sign == .minus ? "-Inf" : "+Inf"
    }

    private static func enumText(_ field: Field, _ index: Int) -> String {
        let texts = field.config?.enumTexts ?? []
        return index < texts.count ? texts[index] : String(index)
    }
}
