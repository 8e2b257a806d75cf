// SPDX-License-Identifier: Apache-2.0

// Safety: the memory is written once, before the table is shared, and never freed.

/// The powers of ten from 1e-348 to 1e347, each as 128 significant bits rounded down.
///
/// Entry k is the pair high, low of `floor(10^k / 2^e)` with the exponent e that puts the highest bit at bit 127,
/// `e = floor(log2(10^k)) - 127`. It is exact for k in 0…55. Both directions of ``FloatText`` and ``FloatParser`` need
/// it; making it takes less than a tenth of a millisecond.
struct PowersOfTen: @unchecked Sendable {
    static let first = -348
    static let last = 347
    static let shared = PowersOfTen()

    /// The entry of 10^0; entries lie at `zero[2 * k]` (high) and `zero[2 * k + 1]` (low).
    private let zero: UnsafePointer<UInt64>

    /// The powers that a Double holds exactly: 1e0…1e22.
    let exact: UnsafePointer<Double>

    private init() {
        let exact = UnsafeMutablePointer<Double>.allocate(capacity: 23)
        exact[0] = 1
        for exponent in 1...22 { exact[exponent] = exact[exponent - 1] * 10 }
        self.exact = UnsafePointer(exact)
        let entries = UnsafeMutablePointer<UInt64>.allocate(capacity: 2 * (Self.last - Self.first + 1))
        let zero = entries - 2 * Self.first
        // Five is enough: the powers of two only move the exponent. 5^347 has 806 bits.
        var power = WideInteger(words: 14)
        power.setOne(at: 0)
        for exponent in 0...Self.last {
            (zero[2 * exponent], zero[2 * exponent + 1]) = power.top128()
            power.multiplyByFive()
        }
        // floor(floor(x / 5) / 5) is floor(x / 25), so dividing again and again stays exact.
        var inverse = WideInteger(words: 17)
        inverse.setOne(at: 16)
        for exponent in 1...(-Self.first) {
            inverse.divideByFive()
            (zero[-2 * exponent], zero[1 - 2 * exponent]) = inverse.top128()
        }
        self.zero = UnsafePointer(zero)
    }

    /// The entry of 10^k.
    ///
    /// - Precondition: k lies within ``first``…``last``; not checked.
    @inline(__always)
    subscript(exponent: Int) -> (high: UInt64, low: UInt64) {
        (zero[2 &* exponent], zero[2 &* exponent &+ 1])
    }

    /// `floor(log2(10^k))` for |k| up to 1233.
    @inline(__always)
    static func floorLog2(ofPower exponent: Int) -> Int {
        (exponent &* 1_741_647) >> 19
    }
}

/// An unsigned integer of a fixed number of words, the lowest first.
private struct WideInteger {
    var words: [UInt64]

    init(words count: Int) {
        words = [UInt64](repeating: 0, count: count)
    }

    mutating func setOne(at word: Int) {
        words[word] = 1
    }

    mutating func multiplyByFive() {
        var carry: UInt64 = 0
        for index in words.indices {
            let (high, low) = words[index].multipliedFullWidth(by: 5)
            let (sum, overflow) = low.addingReportingOverflow(carry)
            words[index] = sum
            carry = high + (overflow ? 1 : 0)
        }
    }

    mutating func divideByFive() {
        var remainder: UInt64 = 0
        for index in words.indices.reversed() {
            (words[index], remainder) = UInt64(5).dividingFullWidth((remainder, words[index]))
        }
    }

    /// The 128 bits from the highest set bit on; the value is not zero.
    func top128() -> (UInt64, UInt64) {
        let top = words.lastIndex { $0 != 0 } ?? 0
        let shift = UInt64(words[top].leadingZeroBitCount)
        func word(_ index: Int) -> UInt64 { index >= 0 ? words[index] : 0 }
        func shifted(_ index: Int) -> UInt64 { word(index) << shift | word(index - 1) >> (64 - shift) }
        return (shifted(top), shifted(top - 1))
    }
}
