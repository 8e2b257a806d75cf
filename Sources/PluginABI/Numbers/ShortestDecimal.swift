// SPDX-License-Identifier: Apache-2.0

/// The shortest decimal `digits * 10^exponent` that rounds to a given binary number, and of these the closest.
///
/// Source: Raffaello Giulietti, "The Schubfach way to render doubles" (2020). The number and the borders of the
/// interval that rounds to it are scaled by a power of ten so that the interval is 2…20 wide (in quarters: the lowest
/// two bits of the scaled numbers are fraction bits, the lowest one also says "and more"). In such an interval lie
/// either one multiple of ten or at least one integer, and they are found by a division.
struct ShortestDecimal {
    var digits: UInt64
    var exponent: Int

    /// The decimal of a 64-bit number that is neither zero nor special.
    ///
    /// - Parameters:
    ///   - significand: The 52 stored bits.
    ///   - biasedExponent: The 11 stored bits, 0…2046.
    @inline(__always)
    init(significand: UInt64, biasedExponent: Int) {
        let isNormal = biasedExponent != 0
        let binary = isNormal ? significand | 1 << 52 : significand
        let power = (isNormal ? biasedExponent : 1) &- 1075
        let scale = Scale(power: power, isLowerGapHalf: significand == 0 && biasedExponent > 1)
        let entry = PowersOfTen.shared[0 &- scale.decimalExponent]
        let isExact = scale.decimalExponent <= 0 && scale.decimalExponent >= -55
        let (low, carry) = entry.low.addingReportingOverflow(isExact ? 0 : 1)
        let ceiling = (high: entry.high &+ (carry ? 1 : 0), low: low)
        self.init(
            lower: Self.scaled(scale.lower(of: binary), by: ceiling),
            middle: Self.scaled(scale.middle(of: binary), by: ceiling),
            upper: Self.scaled(scale.upper(of: binary), by: ceiling),
            isEven: binary & 1 == 0, exponent: scale.decimalExponent)
    }

    /// The decimal of a 32-bit number that is neither zero nor special.
    ///
    /// - Parameters:
    ///   - significand: The 23 stored bits.
    ///   - biasedExponent: The 8 stored bits, 0…254.
    @inline(__always)
    init(significand: UInt32, biasedExponent: Int) {
        let isNormal = biasedExponent != 0
        let binary = UInt64(isNormal ? significand | 1 << 23 : significand)
        let power = (isNormal ? biasedExponent : 1) &- 150
        let scale = Scale(power: power, isLowerGapHalf: significand == 0 && biasedExponent > 1)
        let entry = PowersOfTen.shared[0 &- scale.decimalExponent]
        let isExact = scale.decimalExponent <= 0 && scale.decimalExponent >= -27
        let ceiling = entry.high &+ (isExact ? 0 : 1)
        self.init(
            lower: Self.scaled(scale.lower(of: binary), by: ceiling),
            middle: Self.scaled(scale.middle(of: binary), by: ceiling),
            upper: Self.scaled(scale.upper(of: binary), by: ceiling),
            isEven: binary & 1 == 0, exponent: scale.decimalExponent)
    }

    /// Chooses from the scaled interval; the three numbers count quarters.
    @inline(__always)
    private init(lower: UInt64, middle: UInt64, upper: UInt64, isEven: Bool, exponent: Int) {
        // The borders themselves round to an even significand only.
        let first = lower &+ (isEven ? 0 : 1)
        let last = upper &- (isEven ? 0 : 1)
        let floor = middle >> 2
        if floor >= 10 {
            let tens = floor / 10
            let isLowerInside = first <= 40 &* tens
            let isUpperInside = 40 &* tens &+ 40 <= last
            if isLowerInside != isUpperInside {
                self.init(withoutTrailingZeros: tens &+ (isUpperInside ? 1 : 0), exponent: exponent &+ 1)
                return
            }
        }
        let isLowerInside = first <= 4 &* floor
        let isUpperInside = 4 &* floor &+ 4 <= last
        let half = 4 &* floor &+ 2
        let isCloserToUpper = middle > half || (middle == half && floor & 1 != 0)
        let isRoundedUp = isLowerInside != isUpperInside ? isUpperInside : isCloserToUpper
        self.init(digits: floor &+ (isRoundedUp ? 1 : 0), exponent: exponent)
    }

    @inline(__always)
    private init(digits: UInt64, exponent: Int) {
        self.digits = digits
        self.exponent = exponent
    }

    @inline(__always)
    private init(withoutTrailingZeros number: UInt64, exponent: Int) {
        self.init(digits: number, exponent: exponent)
        guard digits % 10 == 0 else { return }
        strip(100_000_000, 8)
        strip(10_000, 4)
        strip(100, 2)
        strip(10, 1)
        strip(10, 1)
    }

    @inline(__always)
    private mutating func strip(_ divisor: UInt64, _ zeros: Int) {
        let quotient = digits / divisor
        if quotient &* divisor == digits {
            digits = quotient
            exponent &+= zeros
        }
    }

    /// `number * ceiling / 2^128`, with the lowest bit set if anything was lost ("round to odd").
    @inline(__always)
    private static func scaled(_ number: UInt64, by ceiling: (high: UInt64, low: UInt64)) -> UInt64 {
        let lost = ceiling.low.multipliedFullWidth(by: number).high
        let kept = ceiling.high.multipliedFullWidth(by: number)
        let (rest, carry) = kept.low.addingReportingOverflow(lost)
        return (kept.high &+ (carry ? 1 : 0)) | (rest > 1 ? 1 : 0)
    }

    /// `number * ceiling / 2^64`, with the lowest bit set if anything was lost; for 32-bit numbers.
    @inline(__always)
    private static func scaled(_ number: UInt64, by ceiling: UInt64) -> UInt64 {
        let product = ceiling.multipliedFullWidth(by: number)
        return product.high | (product.low >> 32 > 1 ? 1 : 0)
    }
}

/// The power of ten that fits a power of two, and the interval of a significand in it.
private struct Scale {
    /// The k of the result `digits * 10^k`, before trailing digits go.
    let decimalExponent: Int
    private let shift: UInt64
    private let lowerGap: UInt64

    /// - Parameters:
    ///   - power: The number is `significand * 2^power`.
    ///   - isLowerGapHalf: Whether the next smaller number is half as far as the next greater one.
    @inline(__always)
    init(power: Int, isLowerGapHalf: Bool) {
        // floor(log10(2^power)), or of 3/4 of it.
        decimalExponent = (power &* 1_262_611 &- (isLowerGapHalf ? 524_031 : 0)) >> 22
        let log2 = PowersOfTen.floorLog2(ofPower: 0 &- decimalExponent)
        shift = UInt64(truncatingIfNeeded: power &+ log2 &+ 1)
        lowerGap = isLowerGapHalf ? 1 : 2
    }

    @inline(__always)
    func lower(of significand: UInt64) -> UInt64 { (4 &* significand &- lowerGap) &<< shift }

    @inline(__always)
    func middle(of significand: UInt64) -> UInt64 { (4 &* significand) &<< shift }

    @inline(__always)
    func upper(of significand: UInt64) -> UInt64 { (4 &* significand &+ 2) &<< shift }
}
