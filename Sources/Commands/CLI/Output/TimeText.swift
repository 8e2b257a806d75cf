// SPDX-License-Identifier: Apache-2.0

/// A moment as text, always in UTC.
struct TimeText {
    private let year: Int64
    private let month: Int64
    private let day: Int64
    private let secondOfDay: Int64
    private let fraction: Int64

    /// - Parameter nanoseconds: Since 1970.
    init(nanoseconds: Int64) {
        let second = Self.floorDivide(nanoseconds, 1_000_000_000)
        let rest = nanoseconds % 1_000_000_000
        fraction = rest < 0 ? rest + 1_000_000_000 : rest
        let days = Self.floorDivide(second, 86_400)
        secondOfDay = second - days * 86_400
        // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
        let shifted = days + 719_468
        let era = Self.floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// ISO 8601 with as many digits of the second as it takes: `2025-03-01T12:00:00Z`, `2025-03-01T12:00:00.25Z`.
    var iso: String { "\(date)T\(clock)\(fractionText)Z" }
    /// The same with nine digits, so that lines stand below each other.
    var isoNanoseconds: String { "\(date)T\(clock).\(Self.digits(fraction, 9))Z" }
    /// `2025-03-01`.
    var date: String { "\(Self.digits(year, 4))-\(monthAndDay)" }
    /// `03-01`.
    var monthAndDay: String { "\(Self.digits(month, 2))-\(Self.digits(day, 2))" }
    /// `12:00:00`.
    var clock: String { "\(hourAndMinute):\(Self.digits(secondOfDay % 60, 2))" }
    /// `12:00`.
    var hourAndMinute: String { "\(Self.digits(secondOfDay / 3600, 2)):\(Self.digits(secondOfDay / 60 % 60, 2))" }

    private var fractionText: String {
        guard fraction > 0 else { return "" }
        var text = Self.digits(fraction, 9)
        while text.last == "0" { text.removeLast() }
        return ".\(text)"
    }

    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    private static func digits(_ value: Int64, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}
