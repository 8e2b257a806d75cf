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
}
