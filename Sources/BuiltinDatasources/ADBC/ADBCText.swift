// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Texts of values that frames have no type for.
enum ADBCText {
    /// A number of up to 32 bytes, little-endian in two's complement, with its point `scale` digits from the right.
    static func decimal(_ bytes: UnsafeRawBufferPointer, scale: Int) -> String {
        let isNegative = (bytes.last ?? 0) & 0x80 != 0
        // The magnitude in digits of 32 bits, the lowest first.
        var words: [UInt32] = []
        var carry: UInt64 = isNegative ? 1 : 0
        for start in stride(from: 0, to: bytes.count, by: 4) {
            let word = bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self)
            let sum = UInt64(isNegative ? ~word : word) + carry
            words.append(UInt32(truncatingIfNeeded: sum))
            carry = sum >> 32
        }
        var groups: [UInt32] = []
        while words.contains(where: { $0 != 0 }) {
            var rest: UInt64 = 0
            for index in words.indices.reversed() {
                let part = rest << 32 | UInt64(words[index])
                words[index] = UInt32(part / 1_000_000_000)
                rest = part % 1_000_000_000
            }
            groups.append(UInt32(rest))
        }
        var digits = groups.last.map { String($0) } ?? "0"
        for group in groups.dropLast().reversed() { digits += padded(Int64(group), 9) }
        if scale < 0, digits != "0" { digits += String(repeating: "0", count: -scale) }
        if scale > 0 {
            digits = String(repeating: "0", count: max(0, scale + 1 - digits.utf8.count)) + digits
            digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -scale))
        }
        return (isNegative ? "-" : "") + digits
    }

    /// `2026-11-28`; nil before 1677 and after 2262.
    static func date(days: Int64) -> String? {
        let (nanoseconds, overflow) = days.multipliedReportingOverflow(by: 86_400_000_000_000)
        guard !overflow else { return nil }
        return String(DateTimeText.rfc3339(Timestamp(nanoseconds: nanoseconds)).prefix { $0 != "T" })
    }

    /// `12:34:56.789`.
    static func time(nanoseconds: Int64) -> String {
        let seconds = floorDivide(nanoseconds, 1_000_000_000)
        let rest = nanoseconds - seconds * 1_000_000_000
        return "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
            + fraction(rest)
    }

    /// A span as ISO 8601 writes it: `P1Y2M3DT4H5M6.5S`; each part has its own sign.
    static func interval(months: Int64, days: Int64, nanoseconds: Int64) -> String {
        var text = "P"
        func part(_ number: Int64, _ letter: String) -> String { number == 0 ? "" : "\(number)\(letter)" }
        text += part(months / 12, "Y") + part(months % 12, "M") + part(days, "D")
        let seconds = nanoseconds / 1_000_000_000
        let rest = nanoseconds % 1_000_000_000
        var clock = part(seconds / 3600, "H") + part(seconds / 60 % 60, "M")
        if seconds % 60 != 0 || rest != 0 {
            let sign = nanoseconds < 0 ? "-" : ""
            clock += "\(sign)\((seconds % 60).magnitude)\(fraction(Int64(rest.magnitude)))S"
        }
        if !clock.isEmpty { text += "T" + clock }
        return text == "P" ? "PT0S" : text
    }

    /// 16 bytes as a UUID.
    static func uuid(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        let digits = Array("0123456789abcdef")
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return digits.utf8.count >= width ? digits : String(repeating: "0", count: width - digits.utf8.count) + digits
    }

    private static func fraction(_ nanoseconds: Int64) -> String {
        guard nanoseconds != 0 else { return "" }
        var digits = padded(nanoseconds, 9)
        while digits.last == "0" { digits.removeLast() }
        return "." + digits
    }
}
