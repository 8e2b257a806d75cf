// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

struct NumberTextTests {
    private func text(_ value: Double) -> String {
        var writer = ByteWriter()
        writer.append(decimal: value)
        return writer.string()
    }

    private func text(_ value: Float) -> String {
        var writer = ByteWriter()
        writer.append(decimal: value)
        return writer.string()
    }

    /// The same digits in Go's form, from the text of Swift's own shortest algorithm.
    private func expected(_ description: String) -> String {
        let isNegative = description.hasPrefix("-")
        let parts = description.drop { $0 == "-" }.split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        var digits = mantissa.joined().drop { $0 == "0" }
        var point = mantissa[0].count - (mantissa.joined().count - digits.count)
        if parts.count > 1 { point += Int(parts[1]) ?? 0 }
        while digits.last == "0" { digits.removeLast() }
        let sign = isNegative ? "-" : ""
        if digits.isEmpty { return sign + "0" }
        if point > 21 || point < -5 {
            let power = String((point - 1).magnitude)
            let rest = digits.count > 1 ? "." + digits.dropFirst() : ""
            return sign + digits.prefix(1) + rest + (point > 0 ? "e+" : "e-") + (power.count < 2 ? "0" : "") + power
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if point >= digits.count { return sign + digits + String(repeating: "0", count: point - digits.count) }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }

    @Test(arguments: [
        (0, "0"), (-0.0, "-0"), (1, "1"), (-1.5, "-1.5"), (100, "100"), (0.1, "0.1"), (0.3, "0.3"),
        (1e-6, "0.000001"), (9.999e-7, "9.999e-07"), (1e-7, "1e-07"), (1.5e21, "1.5e+21"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"), (.leastNonzeroMagnitude, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),
        (1e23, "1e+23"),
        (9007199254740992, "9007199254740992"), (2.2250738585072014e-308, "2.2250738585072014e-308"),
        (123456789012345683968, "123456789012345680000"), (1.999866669333308, "1.999866669333308"),
        (0.00000123456789012345678, "0.0000012345678901234567"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
        (.nan, "NaN"),
    ])
    func doublesLookAsInGo(value: Double, expected: String) {
        #expect(text(value) == expected)
    }

    @Test(arguments: [
        (Float(0.1), "0.1"), (3.4028235e38, "3.4028235e+38"), (.leastNonzeroMagnitude, "1e-45"), (16777216, "16777216"),
        (1e-7, "1e-07"), (-2.5, "-2.5"), (.leastNormalMagnitude, "1.1754944e-38"), (33554432, "33554432"),
        (8.5e9, "8500000000"),
    ])
    func floatsLookAsInGo(value: Float, expected: String) {
        #expect(text(value) == expected)
    }

    @Test func randomDoublesAgreeWithSwift() {
        var generator = SplitMix(state: 42)
        for round in 0..<60_000 {
            let value =
                switch round % 3 {
                case 0: Double(bitPattern: generator.next())
                case 1: Double(Int64(truncatingIfNeeded: generator.next()) >> 20) / 1000
                default: Double(bitPattern: (generator.next() % 2047) << 52)  // the powers of two
                }
            guard value.isFinite else { continue }

            let text = text(value)

            #expect(text == expected(value.description))
        }
    }

    @Test func randomFloatsAgreeWithSwift() {
        var generator = SplitMix(state: 43)
        for round in 0..<60_000 {
            let random = UInt32(truncatingIfNeeded: generator.next())
            let value = Float(bitPattern: round % 3 == 0 ? (random % 255) << 23 : random)
            guard value.isFinite else { continue }

            let text = text(value)

            #expect(text == expected(value.description))
        }
    }

    @Test func integersOfAllWidths() {
        var writer = ByteWriter(capacity: 0)

        for value in [0, 1, -1, 9, 10, 99, 100, 12345, Int64.max, .min] {
            writer.append(decimal: value)
            writer.append(UInt8(ascii: " "))
        }
        writer.append(decimal: UInt64.max)
        writer.append(decimal: Int8.min)
        writer.append(decimal: UInt8.max)

        #expect(
            writer.string() == "0 1 -1 9 10 99 100 12345 9223372036854775807 -9223372036854775808 "
                + "18446744073709551615-128255")
    }

    @Test func everyDigitCountIsWritten() {
        var power: UInt64 = 1
        for _ in 0..<19 {
            for value in [power - 1, power, power + 1] {
                var writer = ByteWriter()
                writer.append(decimal: value)
                #expect(writer.string() == value.description)
            }
            power *= 10
        }
    }
}

/// A small generator with a seed, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
