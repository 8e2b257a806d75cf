// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Reads and writes the times of databases.
enum DateTimeText {
    /// A time as databases print it: `2026-11-28`, `2026-11-28 01:02:03.456789`, with `+01`, `+05:30`, `+05:30:15` or `Z`
    /// behind it, `T` instead of the space, and ` BC` at the end.
    ///
    /// - Returns: nil for anything else, and for times before 1677 or after 2262.
    static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Timestamp? {
        var reader = Reader(text: text)
        guard let year = reader.number(digits: 4...7), reader.skip(UInt8(ascii: "-")),
            let month = reader.number(digits: 2...2), (1...12).contains(month), reader.skip(UInt8(ascii: "-")),
            let day = reader.number(digits: 2...2), (1...31).contains(day)
        else { return nil }
        var seconds: Int64 = 0
        var nanoseconds: Int64 = 0
        if reader.skip(UInt8(ascii: " ")) || reader.skip(UInt8(ascii: "T")) {
            if reader.isAt("BC") {
                // A date before the common era.
            } else {
                guard let time = reader.time() else { return nil }
                (seconds, nanoseconds) = time
            }
        }
        var era = year
        if reader.skip(UInt8(ascii: " ")) || reader.isAt("BC") {
            guard reader.isAt("BC") else { return nil }
            reader.index += 2
            era = 1 - year
        }
        guard reader.isAtEnd else { return nil }
        return timestamp(days: daysSince1970(year: era, month: month, day: day), seconds, nanoseconds)
    }

    /// A time as RFC 3339 says: with `T` or a space, and a zone.
    static func rfc3339(_ text: String) -> Timestamp? {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z") || bytes.suffix(6).contains(UInt8(ascii: ":"))
            else {
                return nil
            }
            return parse(bytes)
        }
    }

    private static func timestamp(days: Int64, _ seconds: Int64, _ nanoseconds: Int64) -> Timestamp? {
        guard days.magnitude < 107_000 else { return nil }
        // The seconds alone may be out of range where the sum is not.
        return Int64(exactly: Int128(days * 86_400 + seconds) * 1_000_000_000 + Int128(nanoseconds))
            .map { Timestamp(nanoseconds: $0) }
    }

    /// A day of the Gregorian calendar, counted in eras of 400 years that begin on 1 March.
    static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = floorDivide(shiftedYear, 400)
        let yearOfEra = shiftedYear - era * 400
        let marchMonth = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// RFC 3339 in UTC, nanoseconds as far as needed: `2020-01-02T03:04:05.123Z`.
    static func rfc3339(_ time: Timestamp) -> String {
        let seconds = floorDivide(time.nanoseconds, 1_000_000_000)
        let days = floorDivide(seconds, 86_400)
        let second = seconds - days * 86_400
        let (year, month, day) = civil(days)
        var text =
            "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(padded(second / 3600, 2)):"
            + "\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        let rest = (time.nanoseconds % 1_000_000_000 + 1_000_000_000) % 1_000_000_000
        if rest != 0 {
            var digits = padded(rest, 9)
            while digits.last == "0" { digits.removeLast() }
            text += "." + digits
        }
        return text + "Z"
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return digits.count >= width ? digits : String(repeating: "0", count: width - digits.count) + digits
    }

    /// A cursor over ASCII digits.
    private struct Reader {
        let text: UnsafeBufferPointer<UInt8>
        var index = 0

        var isAtEnd: Bool { index == text.count }

        mutating func skip(_ byte: UInt8) -> Bool {
            guard index < text.count, text[index] == byte else { return false }
            index += 1
            return true
        }

        func isAt(_ word: StaticString) -> Bool {
            guard index + word.utf8CodeUnitCount <= text.count else { return false }
            return (0..<word.utf8CodeUnitCount).allSatisfy { text[index + $0] == word.utf8Start[$0] }
        }

        mutating func number(digits: ClosedRange<Int>) -> Int64? {
            var value: Int64 = 0
            let start = index
            while index < text.count, index - start < digits.upperBound, (0x30...0x39).contains(text[index]) {
                value = value * 10 + Int64(text[index] - 0x30)
                index += 1
            }
            return index - start >= digits.lowerBound ? value : nil
        }

        /// `01:02:03.456789+05:30`, in seconds of the day in UTC and nanoseconds.
        mutating func time() -> (Int64, Int64)? {
            guard let hour = number(digits: 2...2), hour <= 24, skip(UInt8(ascii: ":")),
                let minute = number(digits: 2...2), minute < 60, skip(UInt8(ascii: ":")),
                let second = number(digits: 2...2), second <= 60
            else { return nil }
            var nanoseconds: Int64 = 0
            if skip(UInt8(ascii: ".")) {
                let start = index
                guard let fraction = number(digits: 1...9) else { return nil }
                nanoseconds = fraction
                for _ in (index - start)..<9 { nanoseconds *= 10 }
            }
            guard let offset = offset() else { return nil }
            return (hour * 3600 + minute * 60 + second - offset, nanoseconds)
        }

        private mutating func offset() -> Int64? {
            if isAtEnd || skip(UInt8(ascii: "Z")) { return 0 }
            let sign: Int64
            if skip(UInt8(ascii: "+")) { sign = 1 } else if skip(UInt8(ascii: "-")) { sign = -1 } else { return 0 }
            guard let hours = number(digits: 2...2) else { return nil }
            var seconds = hours * 3600
            if skip(UInt8(ascii: ":")) {
                guard let minutes = number(digits: 2...2) else { return nil }
                seconds += minutes * 60
                if skip(UInt8(ascii: ":")) {
                    guard let rest = number(digits: 2...2) else { return nil }
                    seconds += rest
                }
            }
            return sign * seconds
        }
    }
}
