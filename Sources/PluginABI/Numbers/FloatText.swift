// SPDX-License-Identifier: Apache-2.0

/// The shortest decimal text of a floating-point number that reads back as the same number.
///
/// The form is that of Grafana's frame JSON in Go: plain decimals from 1e-6 up to 1e21, outside that an exponent of two
/// or more digits: `0.1`, `100`, `-0`, `1e-07`, `1.5e+21`. NaN and the infinities are `NaN`, `+Inf`, `-Inf`.
public enum FloatText {
    /// The room that ``write(_:to:)-(Double,_)`` may use; the text itself is shorter.
    public static let maximumCount = 48

    /// Writes the text and returns its length.
    ///
    /// - Parameter start: Memory of at least ``maximumCount`` bytes; what follows the text is garbage.
    public static func write(_ value: Double, to start: UnsafeMutablePointer<UInt8>) -> Int {
        let bits = value.bitPattern
        let significand = bits & (1 << 52 - 1)
        let exponent = Int(truncatingIfNeeded: bits >> 52) & 0x7FF
        let isNegative = bits >> 63 != 0
        if exponent == 0x7FF { return writeSpecial(isNaN: significand != 0, isNegative, to: start) }
        start.pointee = 0x2D
        let position = start + (isNegative ? 1 : 0)
        if exponent == 0 && significand == 0 {
            position.pointee = 0x30
            return position + 1 - start
        }
        if let whole = wholeNumber(significand | 1 << 52, exponent: exponent &- 1075, bits: 53) {
            let count = DecimalDigits.count(whole)
            DecimalDigits.write(whole, count: count, to: position)
            return position + count - start
        }
        if let thousandths = thousandths(value.magnitude) {
            return write(thousandths: thousandths, at: position) - start
        }
        let decimal = ShortestDecimal(significand: significand, biasedExponent: exponent)
        return layOut(decimal, at: position) - start
    }

    /// Writes the text of a 32-bit number and returns its length.
    public static func write(_ value: Float, to start: UnsafeMutablePointer<UInt8>) -> Int {
        let bits = value.bitPattern
        let significand = bits & (1 << 23 - 1)
        let exponent = Int(truncatingIfNeeded: bits >> 23) & 0xFF
        let isNegative = bits >> 31 != 0
        if exponent == 0xFF { return writeSpecial(isNaN: significand != 0, isNegative, to: start) }
        start.pointee = 0x2D
        let position = start + (isNegative ? 1 : 0)
        if exponent == 0 && significand == 0 {
            position.pointee = 0x30
            return position + 1 - start
        }
        if let whole = wholeNumber(UInt64(significand | 1 << 23), exponent: exponent &- 150, bits: 24) {
            let count = DecimalDigits.count(whole)
            DecimalDigits.write(whole, count: count, to: position)
            return position + count - start
        }
        let decimal = ShortestDecimal(significand: significand, biasedExponent: exponent)
        return layOut(decimal, at: position) - start
    }

    /// The value as an integer if it is one below 2^bits: all its digits are then significant.
    @inline(__always)
    private static func wholeNumber(_ significand: UInt64, exponent: Int, bits: Int) -> UInt64? {
        let shift = 0 &- exponent
        guard shift >= 0 && shift < bits else { return nil }
        let whole = significand &>> UInt64(truncatingIfNeeded: shift)
        return whole &<< UInt64(truncatingIfNeeded: shift) == significand ? whole : nil
    }

    /// The value in thousandths, if it is a decimal of at most 15 digits of which three or fewer follow the point.
    ///
    /// The quotient of two exact numbers is the closest to the decimal, so that the decimal reads back as the value; and
    /// as no two decimals of at most 15 digits are the same number, none shorter does.
    @inline(__always)
    private static func thousandths(_ value: Double) -> UInt64? {
        let scaled = value * 1000
        guard scaled < 1e15 else { return nil }
        let whole = UInt64(scaled + 0.5)
        return Double(whole) / 1000 == value ? whole : nil
    }

    /// Writes a number of thousandths, of which not all are whole, and returns the end.
    @inline(__always)
    private static func write(
        thousandths: UInt64, at start: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        let whole = thousandths / 1000
        let rest = thousandths &- whole &* 1000
        let count = DecimalDigits.count(whole)
        DecimalDigits.write(whole, count: count, to: start)
        let point = start + count
        // The last three of the eight digits, and the point in the place of the one before them.
        let text = DecimalDigits.text(ofEight: rest) &>> 32 & 0xFFFF_FF00 | 0x2E
        UnsafeMutableRawPointer(point).storeBytes(
            of: UInt32(truncatingIfNeeded: text).littleEndian, as: UInt32.self)
        let zeros = (rest % 10 == 0 ? 1 : 0) &+ (rest % 100 == 0 ? 1 : 0)
        return point + (4 &- zeros)
    }

    private static func writeSpecial(
        isNaN: Bool, _ isNegative: Bool, to start: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let text: StaticString = isNaN ? "NaN" : isNegative ? "-Inf" : "+Inf"
        start.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        return text.utf8CodeUnitCount
    }

    /// Writes digits and point, or exponent, and returns the end.
    @inline(__always)
    private static func layOut(
        _ decimal: ShortestDecimal, at start: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        let count = DecimalDigits.count(decimal.digits)
        let point = count &+ decimal.exponent  // the value is 0.DIGITS times 10^point
        if point > 21 || point < -5 {
            return layOutWithExponent(decimal.digits, count, exponent: point &- 1, at: start)
        }
        if point <= 0 {
            UnsafeMutableRawPointer(start).storeBytes(of: 0x3030_3030_3030_2E30, as: UInt64.self)  // 0.000000
            let digits = start + (2 &- point)
            DecimalDigits.write(decimal.digits, count: count, to: digits)
            return digits + count
        }
        DecimalDigits.write(decimal.digits, count: count, to: start)
        if point >= count {
            for index in count..<max(point, count) { start[index] = 0x30 }
            return start + point
        }
        moveOneUp(start + point)
        start[point] = 0x2E
        return start + count + 1
    }

    @inline(never)
    private static func layOutWithExponent(
        _ digits: UInt64, _ count: Int, exponent: Int, at start: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        DecimalDigits.write(digits, count: count, to: start + 1)
        start[0] = start[1]
        start[1] = 0x2E
        var end = start + (count == 1 ? 1 : count &+ 1)
        end[0] = 0x65
        end[1] = exponent < 0 ? 0x2D : 0x2B
        end += 2
        let magnitude = exponent.magnitude
        let width = magnitude < 100 ? 2 : 3
        DecimalDigits.write(UInt64(magnitude), count: width, to: end)
        return end + width
    }

    /// Moves the 16 bytes from there on one place up: no number has more digits behind its point.
    @inline(__always)
    private static func moveOneUp(_ start: UnsafeMutablePointer<UInt8>) {
        let tail = UnsafeRawPointer(start).loadUnaligned(as: SIMD16<UInt8>.self)
        UnsafeMutableRawPointer(start + 1).storeBytes(of: tail, as: SIMD16<UInt8>.self)
    }
}
