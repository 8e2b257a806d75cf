// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// A sample without white space whose time has at most three decimals.
struct UsualSample {
    var time: Timestamp
    var value: Double
    /// Behind the closing bracket.
    var end: Int

    /// Nil when the sample at `start` has another form or is not complete.
    @inline(__always)
    init?(_ bytes: Span<UInt8>, at start: Int) {
        var index = start + 1
        guard index < bytes.count, bytes[start] == UInt8(ascii: "["), bytes[index] != UInt8(ascii: "0") else {
            return nil
        }
        guard let time = Self.time(bytes, &index), index + 1 < bytes.count, bytes[index] == UInt8(ascii: ","),
            bytes[index + 1] == UInt8(ascii: "\"")
        else { return nil }
        index += 2
        guard let value = Self.value(bytes, &index), index < bytes.count, bytes[index] == UInt8(ascii: "]") else {
            return nil
        }
        self.time = time
        self.value = value
        end = index + 1
    }

    @inline(__always)
    private static func time(_ bytes: Span<UInt8>, _ index: inout Int) -> Timestamp? {
        let start = index
        var number: Int64 = 0
        while index < bytes.count, let digit = bytes.digit(at: index) {
            number = number &* 10 &+ Int64(digit)
            index += 1
        }
        let wholeDigits = index - start
        // Up to 2262: ten digits, and the nanoseconds fit 64 bits.
        guard wholeDigits > 0, wholeDigits <= 10, number < 9_223_372_036, index < bytes.count else { return nil }
        guard bytes[index] == UInt8(ascii: ".") else { return Timestamp(nanoseconds: number &* 1_000_000_000) }
        index += 1
        var unit: Int64 = 1_000_000_000
        let fraction = index
        while index < bytes.count, let digit = bytes.digit(at: index) {
            guard index - fraction < 3 else { return nil }
            number = number &* 10 &+ Int64(digit)
            unit /= 10
            index += 1
        }
        guard index > fraction else { return nil }
        return Timestamp(nanoseconds: number &* unit)
    }

    /// The number up to the closing quote, which is consumed.
    @inline(__always)
    private static func value(_ bytes: Span<UInt8>, _ index: inout Int) -> Double? {
        let start = index
        let isNegative = index < bytes.count && bytes[index] == UInt8(ascii: "-")
        if isNegative { index += 1 }
        let first = index
        var number: UInt64 = 0
        while index < bytes.count, let digit = bytes.digit(at: index) {
            number = number &* 10 &+ UInt64(digit)
            index += 1
        }
        var digits = index - first
        var decimals = 0
        if digits > 0, index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            let fraction = index
            while index < bytes.count, let digit = bytes.digit(at: index) {
                number = number &* 10 &+ UInt64(digit)
                index += 1
            }
            decimals = index - fraction
            digits += decimals
        }
        // Up to 2^53 and 10^22 both numbers are exact, and so is their quotient after rounding once (Clinger).
        if digits > 0, digits <= 19, number <= 1 << 53, decimals <= 19, index < bytes.count,
            bytes[index] == UInt8(ascii: "\"")
        {
            index += 1
            let size = Double(number) / powersOfTen[decimals]
            return isNegative ? -size : size
        }
        return unusualValue(bytes, start, &index)
    }

    /// A number with more digits or an exponent, or one of `NaN`, `+Inf`, `-Inf`.
    private static func unusualValue(_ bytes: Span<UInt8>, _ start: Int, _ index: inout Int) -> Double? {
        let limit = min(bytes.count, start + JSONTokenizer.maximumNumberBytes)
        let number = bytes.extracting(start..<limit).withUnsafeBufferPointer { FloatParser.prefix(of: $0) }
        guard let number, start + number.count < limit, bytes[start + number.count] == UInt8(ascii: "\"") else {
            return nil
        }
        index = start + number.count + 1
        return number.value
    }
}

/// 10^0 … 10^19, all exact.
private let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
]

// MARK: - Numbers

extension Span<UInt8> {
    @inline(__always)
    fileprivate func digit(at index: Int) -> UInt8? {
        let digit = self[index] &- UInt8(ascii: "0")
        return digit < 10 ? digit : nil
    }

    /// The number that a value says: a decimal, `NaN`, `+Inf` or `-Inf`.
    ///
    /// - Throws: ``PluginError`` `.badData`.
    func double(in range: Range<Int>) throws -> Double {
        guard let number = number(in: range) else {
            throw JSONTokenizer.failure("has a value that is not a number: \"\(excerpt(of: range))\"")
        }
        return number
    }

    /// A time in seconds since 1970, cut to milliseconds as Grafana does.
    ///
    /// - Throws: ``PluginError`` `.badData` for times that have no place in 64-bit nanoseconds.
    func timestamp(in range: Range<Int>) throws -> Timestamp {
        guard let seconds = number(in: range), seconds > -9_223_372_036, seconds < 9_223_372_036 else {
            throw JSONTokenizer.failure("has a time out of range: \(excerpt(of: range))")
        }
        if let milliseconds = decimalMilliseconds(in: range) { return Timestamp(milliseconds: milliseconds) }
        return Timestamp(milliseconds: Int64(seconds * 1000))
    }

    /// The exact milliseconds of a decimal without exponent, cut towards zero.
    private func decimalMilliseconds(in range: Range<Int>) -> Int64? {
        var number: Int64 = 0
        var decimals: Int?
        let isNegative = self[range.lowerBound] == UInt8(ascii: "-")
        for index in (isNegative ? range.lowerBound + 1 : range.lowerBound)..<range.upperBound {
            if self[index] == UInt8(ascii: "."), decimals == nil {
                decimals = 0
                continue
            }
            guard let digit = digit(at: index) else { return nil }
            guard decimals ?? 0 < 3 else { continue }
            number = number * 10 + Int64(digit)
            decimals = decimals.map { $0 + 1 }
        }
        for _ in (decimals ?? 0)..<3 { number *= 10 }
        return isNegative ? -number : number
    }

    private func excerpt(of range: Range<Int>) -> String {
        extracting(range.lowerBound..<Swift.min(range.upperBound, range.lowerBound + 60)).withUnsafeBufferPointer {
            String(decoding: $0, as: UTF8.self)
        }
    }

    fileprivate func number(in range: Range<Int>) -> Double? {
        extracting(range).withUnsafeBufferPointer { FloatParser.parse($0) }
    }
}
