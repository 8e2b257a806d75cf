// SPDX-License-Identifier: Apache-2.0

/// A decimal number in a text, taken apart: `mantissa * 10^exponent`.
struct DecimalText {
    /// The first 19 significant digits.
    var mantissa: UInt64 = 0
    /// The power of ten of the last digit of the mantissa.
    var exponent = 0
    var isNegative = false
    /// Whether digits that are not zero follow those in the mantissa.
    var isTruncated = false
    /// Whether the text has neither a point nor an exponent.
    var isWhole = true
    /// Whether the text has a form that JSON forbids: a plus sign, a needless zero, a bare point.
    var isLax = false
    /// The place after the number.
    private(set) var end: UnsafePointer<UInt8>

    private let digits: UnsafePointer<UInt8>
    private let digitsEnd: UnsafePointer<UInt8>
    private var writtenExponent = 0

    /// The digits that a mantissa holds for certain.
    private static let mantissaDigits = 19

    /// Reads the number that begins at `start`; nil if none does.
    @inline(__always)
    init?(at start: UnsafePointer<UInt8>, end limit: UnsafePointer<UInt8>) {
        var position = start
        if position < limit && (position.pointee == 0x2D || position.pointee == 0x2B) {
            isNegative = position.pointee == 0x2D
            isLax = !isNegative
            position += 1
        }
        digits = position
        Self.readDigits(&position, limit, into: &mantissa)
        let wholeDigits = position - digits
        var fractionDigits = 0
        if wholeDigits == 0 || (wholeDigits > 1 && digits.pointee == 0x30) { isLax = true }
        if position < limit && position.pointee == 0x2E {
            let fraction = position + 1
            position = fraction
            Self.readDigits(&position, limit, into: &mantissa)
            fractionDigits = position - fraction
            isWhole = false
            if fractionDigits == 0 { isLax = true }
        }
        guard wholeDigits &+ fractionDigits > 0 else { return nil }
        digitsEnd = position
        end = position
        if position < limit && position.pointee | 0x20 == 0x65 { readExponent(position + 1, limit) }
        exponent = writtenExponent &- fractionDigits
        if wholeDigits &+ fractionDigits > Self.mantissaDigits { shortenMantissa(fractionDigits) }
    }

    /// Reads digits, eight at a time; the number wraps around when there are too many.
    @inline(__always)
    private static func readDigits(
        _ position: inout UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>, into number: inout UInt64
    ) {
        while limit - position >= 8 {
            let chunk = UnsafeRawPointer(position).loadUnaligned(as: UInt64.self)
            let above = (chunk &+ 0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0
            guard chunk & 0xF0F0_F0F0_F0F0_F0F0 | above >> 4 == 0x3333_3333_3333_3333 else { break }
            number = number &* 100_000_000 &+ eightDigits(chunk)
            position += 8
        }
        while position < limit {
            let digit = position.pointee &- 0x30
            guard digit <= 9 else { break }
            number = number &* 10 &+ UInt64(digit)
            position += 1
        }
    }

    /// The number that eight digits in memory order say: pairs, then fours, then all.
    @inline(__always)
    private static func eightDigits(_ chunk: UInt64) -> UInt64 {
        let pairs = ((chunk & 0x0F0F_0F0F_0F0F_0F0F) &* 2_561) >> 8
        let fours = ((pairs & 0x00FF_00FF_00FF_00FF) &* 6_553_601) >> 16
        return ((fours & 0x0000_FFFF_0000_FFFF) &* 42_949_672_960_001) >> 32
    }

    /// Reads `[+-]digits`; without digits the `e` is not part of the number.
    @inline(__always)
    private mutating func readExponent(_ start: UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>) {
        var position = start
        var isBelow = false
        if position < limit && (position.pointee == 0x2D || position.pointee == 0x2B) {
            isBelow = position.pointee == 0x2D
            position += 1
        }
        let first = position
        var number = 0
        while position < limit {
            let digit = position.pointee &- 0x30
            guard digit <= 9 else { break }
            // More than any text has digits, and far from the largest integer.
            if number < 1_000_000_000_000_000 { number = number &* 10 &+ Int(digit) }
            position += 1
        }
        guard position > first else { return }
        isWhole = false
        end = position
        writtenExponent = isBelow ? 0 &- number : number
    }

    /// Reads the first 19 significant digits again, where the mantissa may have wrapped around.
    @inline(never)
    private mutating func shortenMantissa(_ fractionDigits: Int) {
        var position = firstSignificant
        mantissa = 0
        var taken = 0
        var left = significantCount(from: position)
        while position < digitsEnd && taken < Self.mantissaDigits {
            if position.pointee != 0x2E {
                mantissa = mantissa &* 10 &+ UInt64(position.pointee &- 0x30)
                taken &+= 1
                left &-= 1
            }
            position += 1
        }
        exponent = writtenExponent &- fractionDigits &+ left
        isTruncated = hasNonZero(from: position)
    }

    private var firstSignificant: UnsafePointer<UInt8> {
        var position = digits
        while position < digitsEnd && (position.pointee == 0x30 || position.pointee == 0x2E) { position += 1 }
        return position
    }

    private func significantCount(from start: UnsafePointer<UInt8>) -> Int {
        var count = 0
        var position = start
        while position < digitsEnd {
            if position.pointee != 0x2E { count &+= 1 }
            position += 1
        }
        return count
    }

    private func hasNonZero(from start: UnsafePointer<UInt8>) -> Bool {
        var position = start
        while position < digitsEnd {
            if position.pointee != 0x2E && position.pointee != 0x30 { return true }
            position += 1
        }
        return false
    }

    /// The number without its sign as text of bounded length that rounds the same.
    ///
    /// A number halfway between two Doubles has at most 767 significant digits; of those behind 800 it matters only
    /// whether one is not zero.
    var digitsForReading: String {
        var text: [UInt8] = []
        var position = firstSignificant
        let count = significantCount(from: position)
        while position < digitsEnd && text.count < 800 {
            if position.pointee != 0x2E { text.append(position.pointee) }
            position += 1
        }
        var power = exponentOfLastDigit &+ (count &- text.count)
        if hasNonZero(from: position) {
            text.append(0x31)
            power &-= 1
        }
        return String(decoding: text, as: UTF8.self) + "e\(power)"
    }

    private var exponentOfLastDigit: Int {
        var position = digits
        while position < digitsEnd && position.pointee != 0x2E { position += 1 }
        return writtenExponent &- (position < digitsEnd ? digitsEnd - position - 1 : 0)
    }
}
