// SPDX-License-Identifier: Apache-2.0

/// Writes unsigned integers in decimal, two digits at a time.
enum DecimalDigits {
    /// The texts 00…99, one after another.
    private static let pairs: StaticString = """
        0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
        5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
        """

    /// The number of decimal digits; 1 for zero.
    @inline(__always)
    static func count(_ value: UInt64) -> Int {
        if value < 10 { return 1 }
        var count = 1
        var rest = value
        while rest >= 10_000 {
            rest /= 10_000
            count &+= 4
        }
        return count &+ (rest >= 10 ? 1 : 0) &+ (rest >= 100 ? 1 : 0) &+ (rest >= 1000 ? 1 : 0)
    }

    /// Writes exactly `count` digits, with leading zeros where the value is shorter.
    @inline(__always)
    static func write(_ value: UInt64, count: Int, to start: UnsafeMutablePointer<UInt8>) {
        var rest = value
        var left = count
        while left >= 2 {
            let quotient = rest / 100
            left &-= 2
            putPair(Int(truncatingIfNeeded: rest &- quotient &* 100), at: start + left)
            rest = quotient
        }
        if left == 1 { start.pointee = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10) }
    }

    @inline(__always)
    private static func putPair(_ value: Int, at position: UnsafeMutablePointer<UInt8>) {
        let pair = UnsafeRawPointer(pairs.utf8Start + 2 * value).loadUnaligned(as: UInt16.self)
        UnsafeMutableRawPointer(position).storeBytes(of: pair, as: UInt16.self)
    }

    /// The eight digits of a number below 1e8 as ASCII, the first in the lowest byte.
    ///
    /// The number is divided three times, each time in all its parts at once; each division is a multiplication by a
    /// rounded reciprocal that is exact in the range of the parts.
    @inline(__always)
    static func text(ofEight value: UInt64) -> UInt64 {
        let high = value / 10_000
        let fours = high | (value &- high &* 10_000) &<< 32
        let hundreds = (fours &* 10_486) &>> 20 & 0x0000_007F_0000_007F
        let twos = hundreds | (fours &- hundreds &* 100) &<< 16
        let tens = (twos &* 103) &>> 10 & 0x000F_000F_000F_000F
        return tens | (twos &- tens &* 10) &<< 8 | 0x3030_3030_3030_3030
    }
}

/// Writes integers one after another of which most have the leading digits of the one before, as times do.
struct DecimalRun {
    /// The room that ``write(_:to:)`` may touch.
    static let room = 24

    /// The digits before the last eight of the number before, as a number, as text and their count.
    private var head: UInt64 = 0
    private var text: UInt64 = 0
    private var count = 0

    /// Writes the number and returns the length of its text; what follows the text is garbage.
    @inline(__always)
    mutating func write(_ value: Int64, to start: UnsafeMutablePointer<UInt8>) -> Int {
        guard value >= 100_000_000 && value < 10_000_000_000_000_000 else { return Self.writeOther(value, to: start) }
        let magnitude = UInt64(truncatingIfNeeded: value)
        let high = magnitude / 100_000_000
        if high != head { begin(high) }
        let low = DecimalDigits.text(ofEight: magnitude &- high &* 100_000_000)
        UnsafeMutableRawPointer(start).storeBytes(of: text, as: UInt64.self)
        UnsafeMutableRawPointer(start + count).storeBytes(of: low.littleEndian, as: UInt64.self)
        return count &+ 8
    }

    @inline(never)
    private mutating func begin(_ high: UInt64) {
        head = high
        count = DecimalDigits.count(high)
        withUnsafeMutableBytes(of: &text) { [count] bytes in
            guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
            DecimalDigits.write(high, count: count, to: start)
        }
    }

    @inline(never)
    private static func writeOther(_ value: Int64, to start: UnsafeMutablePointer<UInt8>) -> Int {
        start.pointee = 0x2D
        let position = start + (value < 0 ? 1 : 0)
        let digits = DecimalDigits.count(value.magnitude)
        DecimalDigits.write(value.magnitude, count: digits, to: position)
        return position + digits - start
    }
}
