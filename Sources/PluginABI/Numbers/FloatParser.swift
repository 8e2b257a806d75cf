// SPDX-License-Identifier: Apache-2.0

/// Reads decimal text as the closest floating-point number, exactly.
///
/// Accepted are `[+-]digits[.digits][e[+-]digits]` with digits on at least one side of the point, and, in any case of
/// letters, `NaN`, `Inf` and `Infinity` with an optional sign: what Prometheus and Go's `strconv` write. A number too
/// large becomes an infinity, one too small a zero. White space is not skipped.
public enum FloatParser {
    /// The number that the whole text says; nil if it says none.
    public static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        guard let (value, count) = prefix(of: text), count == text.count else { return nil }
        return value
    }

    /// The number that the whole text says; nil if it says none.
    public static func parse(_ text: String) -> Double? {
        var text = text
        return text.withUTF8 { parse($0) }
    }

    /// The number at the start of the text and the number of bytes that it takes; nil if none begins there.
    public static func prefix(of text: UnsafeBufferPointer<UInt8>) -> (value: Double, count: Int)? {
        guard let start = text.baseAddress else { return nil }
        let end = start + text.count
        if let decimal = DecimalText(at: start, end: end) {
            return (value(of: decimal), decimal.end - start)
        }
        return special(text)
    }

    /// The closest number; an infinity if there is none.
    @inline(__always)
    static func value(of decimal: DecimalText) -> Double {
        let powers = PowersOfTen.shared
        if !decimal.isTruncated && decimal.mantissa <= 1 << 53 && decimal.exponent.magnitude <= 22 {
            // Source: Clinger (1990). Both operands are exact, so one operation rounds once.
            let mantissa = Double(decimal.mantissa)
            let power = powers.exact[Int(truncatingIfNeeded: decimal.exponent.magnitude)]
            let magnitude = decimal.exponent < 0 ? mantissa / power : mantissa * power
            return decimal.isNegative ? -magnitude : magnitude
        }
        let magnitude = magnitude(of: decimal, powers)
        return decimal.isNegative ? -magnitude : magnitude
    }

    private static func magnitude(of decimal: DecimalText, _ powers: PowersOfTen) -> Double {
        if decimal.mantissa == 0 { return 0 }
        if let value = closest(decimal.mantissa, decimal.exponent, powers) {
            if !decimal.isTruncated { return value }
            // The dropped digits are less than one unit of the mantissa.
            if let above = closest(decimal.mantissa + 1, decimal.exponent, powers), above == value { return value }
        }
        // The standard library reads text as strtod does, in the C locale.
        return Double(decimal.digitsForReading) ?? .nan
    }

    /// The number closest to `mantissa * 10^exponent`; nil if 128 bits of the power do not decide, or it is subnormal
    /// or infinite.
    ///
    /// Source: Lemire, "Number Parsing at a Gigabyte per Second" (2021).
    @inline(__always)
    private static func closest(_ mantissa: UInt64, _ exponent: Int, _ powers: PowersOfTen) -> Double? {
        guard exponent >= PowersOfTen.first && exponent <= PowersOfTen.last else { return nil }
        let power = powers[exponent]
        let leadingZeros = mantissa.leadingZeroBitCount
        let normalized = mantissa &<< UInt64(truncatingIfNeeded: leadingZeros)
        var (high, low) = power.high.multipliedFullWidth(by: normalized)
        if high & 0x1FF == 0x1FF && low.addingReportingOverflow(normalized).overflow {
            let more = power.low.multipliedFullWidth(by: normalized)
            let (sum, carry) = low.addingReportingOverflow(more.high)
            low = sum
            high &+= carry ? 1 : 0
            let isUndecided =
                high & 0x1FF == 0x1FF && low == .max && more.low.addingReportingOverflow(normalized).overflow
            if isUndecided { return nil }
        }
        let top = high >> 63
        var bits = high &>> (top &+ 9)
        if low == 0 && high & 0x1FF == 0 && bits & 3 == 1 { return nil }  // just between two numbers
        bits = (bits &+ (bits & 1)) >> 1
        let carried = bits >> 53
        bits &>>= carried
        let scale = PowersOfTen.floorLog2(ofPower: exponent) &+ 64 &+ 1023 &- leadingZeros
        let biased = scale &- 1 &+ Int(truncatingIfNeeded: top &+ carried)
        guard biased >= 1 && biased < 0x7FF else { return nil }
        return Double(bitPattern: UInt64(truncatingIfNeeded: biased) << 52 | bits & (1 << 52 - 1))
    }

    private static func special(_ text: UnsafeBufferPointer<UInt8>) -> (value: Double, count: Int)? {
        let isSigned = text.first == 0x2B || text.first == 0x2D
        let rest = text.dropFirst(isSigned ? 1 : 0)
        let names: [(StaticString, Double)] = [("infinity", .infinity), ("inf", .infinity), ("nan", .nan)]
        for (name, value) in names {
            let length = name.utf8CodeUnitCount
            let wanted = UnsafeBufferPointer(start: name.utf8Start, count: length)
            guard rest.prefix(length).elementsEqual(wanted, by: { $0 | 0x20 == $1 }) else { continue }
            if value.isNaN && isSigned { return nil }
            return (text.first == 0x2D ? -value : value, length + (isSigned ? 1 : 0))
        }
        return nil
    }
}
