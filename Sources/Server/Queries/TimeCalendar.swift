// SPDX-License-Identifier: Apache-2.0

/// A date and time of day without a zone, in the proleptic Gregorian calendar.
struct CivilTime: Sendable, Equatable {
    var year: Int64
    /// 1…12; other values count on into the years around.
    var month: Int64
    /// From 1; values outside of the month count on into the months around.
    var day: Int64
    /// 0…86 399 999.
    var millisecondOfDay: Int64 = 0

    static let millisecondsPerDay: Int64 = 86_400_000

    init(year: Int64, month: Int64, day: Int64, millisecondOfDay: Int64 = 0) {
        self.year = year
        self.month = month
        self.day = day
        self.millisecondOfDay = millisecondOfDay
    }

    /// Splits milliseconds since 1970-01-01T00:00 of the same clock.
    init(milliseconds: Int64) {
        let days = Self.floorDivide(milliseconds, Self.millisecondsPerDay)
        millisecondOfDay = milliseconds - days * Self.millisecondsPerDay
        // Howard Hinnant's days-to-civil, with years that begin in March.
        let shifted = days + 719_468
        let era = Self.floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Reads `YYYY-MM-DD`; nil for other texts and for days that do not exist.
    init?(date text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") else { return nil }
        guard let year = Self.digits(bytes[0..<4]), let month = Self.digits(bytes[5..<7]),
            let day = Self.digits(bytes[8..<10])
        else { return nil }
        self.init(year: year, month: month, day: day)
        guard CivilTime(milliseconds: milliseconds) == self else { return nil }
    }

    /// Milliseconds since 1970-01-01T00:00 of the same clock.
    var milliseconds: Int64 {
        let months = year * 12 + month - 1
        let year = Self.floorDivide(months, 12)
        let month = months - year * 12 + 1
        let marchYear = month <= 2 ? year - 1 : year
        let era = Self.floorDivide(marchYear, 400)
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return (era * 146_097 + dayOfEra - 719_468) * Self.millisecondsPerDay + millisecondOfDay
    }

    /// The day of the week, 0 for Sunday.
    var weekday: Int64 {
        let days = Self.floorDivide(milliseconds, Self.millisecondsPerDay)
        return (days + 4) - Self.floorDivide(days + 4, 7) * 7
    }

    static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
        let quotient = value / by
        return value % by < 0 ? quotient - 1 : quotient
    }

    static func digits(_ bytes: ArraySlice<UInt8>) -> Int64? {
        guard !bytes.isEmpty, bytes.count <= 18 else { return nil }
        var value: Int64 = 0
        for byte in bytes {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        return value
    }
}

/// RFC 3339 texts.
enum RFC3339 {
    /// Reads `2026-01-02T03:04:05.678Z` or with `±hh:mm`; nil for other texts.
    static func milliseconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 40, bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t"),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let date = CivilTime(date: String(decoding: bytes[0..<10], as: UTF8.self)),
            let hour = CivilTime.digits(bytes[11..<13]), let minute = CivilTime.digits(bytes[14..<16]),
            let second = CivilTime.digits(bytes[17..<19]), hour < 24, minute < 60, second < 60
        else { return nil }
        var index = 19
        var fraction: Int64 = 0
        if bytes[index] == UInt8(ascii: ".") {
            let end = bytes[(index + 1)...].firstIndex { $0 < 0x30 || $0 > 0x39 } ?? bytes.count
            guard end > index + 1, let digits = CivilTime.digits(bytes[(index + 1)..<min(end, index + 4)]) else {
                return nil
            }
            fraction = [100, 10, 1][min(end - index - 1, 3) - 1] * digits
            index = end
        }
        guard let offset = zoneOffset(bytes[index...]) else { return nil }
        return date.milliseconds + ((hour * 60 + minute) * 60 + second) * 1000 + fraction - offset
    }

    /// The text in UTC with seconds, as the API writes times.
    static func text(milliseconds: Int64) -> String {
        let parts = CivilTime(milliseconds: milliseconds)
        let seconds = parts.millisecondOfDay / 1000
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let year = String(parts.year)
        let padding = String(repeating: "0", count: max(0, 4 - year.count))
        return "\(padding)\(year)-\(two(parts.month))-\(two(parts.day))T"
            + "\(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60))Z"
    }

    private static func zoneOffset(_ bytes: ArraySlice<UInt8>) -> Int64? {
        let zone = Array(bytes)
        if zone == [UInt8(ascii: "Z")] || zone == [UInt8(ascii: "z")] { return 0 }
        guard zone.count == 6, zone[0] == UInt8(ascii: "+") || zone[0] == UInt8(ascii: "-"),
            zone[3] == UInt8(ascii: ":"), let hours = CivilTime.digits(zone[1..<3]),
            let minutes = CivilTime.digits(zone[4..<6]), hours < 24, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * 60_000 * (zone[0] == UInt8(ascii: "-") ? -1 : 1)
    }
}

/// The rules by which relative times count days, weeks and years.
struct TimeCalendar: Sendable {
    /// The zone: epoch seconds to the seconds that local clocks are ahead of UTC.
    var offset: @Sendable (Int64) -> Int64 = { _ in 0 }
    /// 0 for Sunday.
    var firstWeekday: Int64 = 1
    /// 1 for January.
    var firstFiscalMonth: Int64 = 1

    /// The local clock at a moment.
    func civilTime(_ milliseconds: Int64) -> CivilTime {
        CivilTime(milliseconds: milliseconds + offset(CivilTime.floorDivide(milliseconds, 1000)) * 1000)
    }

    /// The moment at which the local clock shows a time; of two such moments the one by the offset before the change,
    /// and a time that the clock leaps over counts with the offset before, as Go's `time.Date` does.
    func milliseconds(of parts: CivilTime) -> Int64 {
        let local = parts.milliseconds
        let guess = offset(CivilTime.floorDivide(local, 1000))
        guard guess != 0 else { return local }
        let corrected = offset(CivilTime.floorDivide(local, 1000) - guess)
        return local - corrected * 1000
    }

    /// A moment moved by an amount of units; days and longer keep the local time of day.
    ///
    /// What lies beyond the years 1678…2261, the range of nanosecond times, becomes the end of that range.
    func adding(_ amount: Int64, _ unit: TimeUnit, to milliseconds: Int64) -> Int64 {
        let moved = moving(milliseconds, by: max(-10_000_000_000, min(amount, 10_000_000_000)), unit)
        return max(-Self.latestMilliseconds, min(moved, Self.latestMilliseconds))
    }

    /// 2262-04-11, the last moment of nanosecond times, rounded down.
    static let latestMilliseconds: Int64 = 9_223_372_036_854

    private func moving(_ milliseconds: Int64, by amount: Int64, _ unit: TimeUnit) -> Int64 {
        switch unit {
        case .second: return milliseconds + amount * 1000
        case .minute: return milliseconds + amount * 60_000
        case .hour: return milliseconds + amount * 3_600_000
        default: break
        }
        let amount = max(-10_000_000, min(amount, 10_000_000))
        var parts = civilTime(milliseconds)
        switch unit {
        case .day: parts.day += amount
        case .week: parts.day += amount * 7
        case .month: parts.month += amount
        case .quarter, .fiscalQuarter: parts.month += amount * 3
        default: parts.year += amount
        }
        return self.milliseconds(of: parts)
    }

    /// The first millisecond of the unit that a moment is in.
    func start(of unit: TimeUnit, at milliseconds: Int64) -> Int64 {
        var parts = civilTime(milliseconds)
        switch unit {
        case .second: return milliseconds - remainder(milliseconds, 1000)
        case .minute: return milliseconds - remainder(milliseconds, 60_000)
        case .hour: return milliseconds - remainder(milliseconds, 3_600_000)
        case .day: break
        case .week: parts.day -= remainder(parts.weekday - firstWeekday + 7, 7)
        case .month: parts.day = 1
        case .quarter: parts.month -= remainder(parts.month - 1, 3)
        case .fiscalQuarter: parts.month -= remainder(parts.month - firstFiscalMonth + 12, 3)
        case .year: parts.month = 1
        case .fiscalYear: parts.month -= remainder(parts.month - firstFiscalMonth + 12, 12)
        }
        switch unit {
        case .quarter, .fiscalQuarter, .year, .fiscalYear: parts.day = 1
        default: break
        }
        parts.millisecondOfDay = 0
        return self.milliseconds(of: parts)
    }

    /// The last millisecond of the unit that a moment is in.
    func end(of unit: TimeUnit, at milliseconds: Int64) -> Int64 {
        adding(1, unit, to: start(of: unit, at: milliseconds)) - 1
    }

    private func remainder(_ value: Int64, _ by: Int64) -> Int64 {
        value - CivilTime.floorDivide(value, by) * by
    }
}
