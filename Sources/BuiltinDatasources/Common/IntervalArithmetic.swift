// SPDX-License-Identifier: Apache-2.0

/// A length of time with the arithmetic that Grafana's data sources share: parsing, rounding, formatting.
///
/// Whole nanoseconds, at most 292 years, as in Go; operations that would leave the range stop at its end.
struct Interval: Hashable, Comparable, Sendable {
    var nanoseconds: Int64

    init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    init(milliseconds: Int64) {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        nanoseconds = overflow ? (milliseconds < 0 ? .min : .max) : product
    }

    static func seconds(_ seconds: Int64) -> Interval { Interval(milliseconds: seconds) * 1000 }

    static let zero = Interval(nanoseconds: 0)
    static let hour = Interval.seconds(3600)
    static let day = Interval.seconds(86_400)

    /// Whole milliseconds, rounded towards zero.
    var milliseconds: Int64 { nanoseconds / 1_000_000 }

    static func < (left: Interval, right: Interval) -> Bool { left.nanoseconds < right.nanoseconds }

    static func + (left: Interval, right: Interval) -> Interval {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
        return Interval(nanoseconds: overflow ? (left.nanoseconds < 0 ? .min : .max) : sum)
    }

    static func * (left: Interval, right: Int64) -> Interval {
        let (product, overflow) = left.nanoseconds.multipliedReportingOverflow(by: right)
        return Interval(nanoseconds: overflow ? ((left.nanoseconds < 0) == (right < 0) ? .max : .min) : product)
    }
}

/// A text that is no interval.
struct IntervalError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

// MARK: - Parsing

extension Interval {
    /// Reads `<digits><d|w|M|y>` with fixed lengths (a month is a twelfth of 365.25 days), or a Go duration (`1h30m`).
    ///
    /// - Throws: ``IntervalError``.
    init(parsing text: String) throws {
        guard !text.isEmpty else { throw IntervalError("empty input") }
        guard let (count, unit) = Self.calendarParts(of: text) else {
            self = try Self.goDuration(text)
            return
        }
        let year = Interval.hour * 8766
        let length: Interval =
            switch unit {
            case "d": .day
            case "w": .day * 7
            case "M": Interval(nanoseconds: year.nanoseconds / 12)
            default: year
            }
        self = length * count
    }

    /// Reads an interval string, the form of settings and query editors: `15s`, `<10m`, `>1d`; digits alone are seconds.
    ///
    /// - Throws: ``IntervalError``.
    init(parsingIntervalString text: String) throws {
        var text = text[...]
        if text.first == "<" { text.removeFirst() }
        if text.last == ">" { text.removeLast() }
        guard !text.isEmpty else { throw IntervalError("invalid interval") }
        let isNumber = text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        try self.init(parsing: isNumber ? text + "s" : String(text))
    }

    /// Reads an interval whose days, weeks, months and years count from a moment on, in UTC.
    ///
    /// - Parameter now: Seconds since 1970; a month is as long as the one that begins then.
    /// - Throws: ``IntervalError``.
    init(parsing text: String, from now: Int64) throws {
        guard !text.isEmpty, let (count, unit) = Self.calendarParts(of: text), unit == "M" || unit == "y" else {
            try self.init(parsing: text)
            return
        }
        guard count <= 12_000 else { throw IntervalError("interval \"\(text)\" is longer than 1000 years") }
        let today = CivilDate(daysSince1970: floorDivide(now, 86_400))
        let months = unit == "y" ? count * 12 : count
        let then = today.adding(months: months)
        self = Interval.day * (then.daysSince1970 - today.daysSince1970)
    }

    /// The count and the unit of `<digits><d|w|M|y>`.
    private static func calendarParts(of text: String) -> (Int64, Character)? {
        guard let unit = text.last, "dwMy".contains(unit) else { return nil }
        let digits = text.dropLast()
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(digits).map { ($0, unit) }
    }

    private static let goUnits: [Substring: Int64] = [
        "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
        "h": 3_600_000_000_000,
    ]

    /// Reads a Go duration: signed decimals with units, such as `1h15m30.918s`.
    private static func goDuration(_ text: String) throws -> Interval {
        let invalid = IntervalError("time: invalid duration \"\(text)\"")
        var rest = text[...]
        let isNegative = rest.first == "-"
        if rest.first == "-" || rest.first == "+" { rest.removeFirst() }
        guard !rest.isEmpty else { throw invalid }
        if rest == "0" { return .zero }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isWholeNumber || $0 == ".") }
            guard let value = decimal(number) else { throw invalid }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0 != "." && !($0.isASCII && $0.isWholeNumber) }
            guard !unit.isEmpty else { throw IntervalError("time: missing unit in duration \"\(text)\"") }
            guard let length = goUnits[unit] else {
                throw IntervalError("time: unknown unit \"\(unit)\" in duration \"\(text)\"")
            }
            rest = rest.dropFirst(unit.count)
            total += value * Double(length)
        }
        guard let nanoseconds = Int64(exactly: total.rounded(.down)) else { throw invalid }
        return Interval(nanoseconds: isNegative ? -nanoseconds : nanoseconds)
    }

    /// The value of `12`, `1.5`, `.5` or `1.`; nil for everything else.
    private static func decimal(_ text: Substring) -> Double? {
        guard text.utf8.contains(where: { $0 != 0x2E }), text.utf8.filter({ $0 == 0x2E }).count <= 1 else { return nil }
        return Double((text.first == "." ? "0" : "") + text + (text.last == "." ? "0" : ""))
    }
}

// MARK: - Rounding

extension Interval {
    /// Values up to the first number (milliseconds, inclusive) become the second.
    private static let roundingSteps: [(limit: Int64, result: Int64)] = [
        (10, 1), (15, 10), (35, 20), (75, 50), (150, 100), (350, 200), (750, 500), (1500, 1000), (3500, 2000),
        (7500, 5000), (12_500, 10_000), (17_500, 15_000), (25_000, 20_000), (45_000, 30_000), (90_000, 60_000),
        (210_000, 120_000), (450_000, 300_000), (750_000, 600_000), (1_050_000, 900_000), (1_500_000, 1_200_000),
        (2_700_000, 1_800_000), (5_400_000, 3_600_000), (9_000_000, 7_200_000), (16_200_000, 10_800_000),
        (32_400_000, 21_600_000), (86_400_000, 43_200_000), (604_800_000, 86_400_000),
        (1_814_400_000, 604_800_000), (63_071_999_999, 2_592_000_000),
    ]

    /// The interval rounded to one that reads well: 1, 2, 5 … milliseconds to a year of 365 days.
    var rounded: Interval {
        let step = Self.roundingSteps.first { nanoseconds <= $0.limit * 1_000_000 }
        return Interval(milliseconds: step?.result ?? 31_536_000_000)
    }

    /// The least step of a query: its own interval, else the spacing the panel asks for, else that of the data source.
    ///
    /// - Parameters:
    ///   - dataSource: The interval string of the data source's settings, may be empty.
    ///   - query: The interval string of the query; empty and `0s` mean none.
    ///   - intervalMilliseconds: The panel's spacing; 0 means none.
    /// - Throws: ``IntervalError`` when the text that counts is no interval string.
    static func minimum(
        dataSource: String, query: String, intervalMilliseconds: Int64, default fallback: Interval
    ) throws -> Interval {
        let own = query == "0s" ? "" : query
        if own.isEmpty, intervalMilliseconds != 0 { return Interval(milliseconds: intervalMilliseconds) }
        let text = own.isEmpty ? dataSource : own
        return text.isEmpty ? fallback : try Interval(parsingIntervalString: text)
    }
}

// MARK: - Text

extension Interval {
    /// The value of `$__interval`: the whole number of the largest unit that fits, `1m` for 90 seconds.
    var text: String {
        let units: [(name: String, milliseconds: Int64)] = [
            ("y", 31_536_000_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
        ]
        guard let unit = units.first(where: { milliseconds >= $0.milliseconds }) else { return "1ms" }
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }

    /// The text that Go prints for the duration: `15s`, `1m0s`, `1h0m0s`, `1.5s`, `500ms`.
    var goText: String {
        guard nanoseconds != 0 else { return "0s" }
        let sign = nanoseconds < 0 ? "-" : ""
        let size = nanoseconds.magnitude
        switch size {
        case ..<1000: return "\(sign)\(size)ns"
        case ..<1_000_000: return sign + Self.decimalText(size, unit: 1000) + "µs"
        case ..<1_000_000_000: return sign + Self.decimalText(size, unit: 1_000_000) + "ms"
        default: break
        }
        let minutes = size / 60_000_000_000
        let seconds = Self.decimalText(size % 60_000_000_000, unit: 1_000_000_000) + "s"
        if minutes == 0 { return sign + seconds }
        if minutes < 60 { return "\(sign)\(minutes)m\(seconds)" }
        return "\(sign)\(minutes / 60)h\(minutes % 60)m\(seconds)"
    }

    /// The seconds as a plain decimal: `15`, `0.5`, `1641889530.123`.
    var secondsText: String {
        (nanoseconds < 0 ? "-" : "") + Self.decimalText(nanoseconds.magnitude, unit: 1_000_000_000)
    }

    /// `value / unit` as a decimal without trailing zeros; `unit` is a power of ten.
    private static func decimalText(_ value: UInt64, unit: UInt64) -> String {
        let (whole, rest) = value.quotientAndRemainder(dividingBy: unit)
        guard rest != 0 else { return String(whole) }
        var digits = String(unit + rest).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}

/// The quotient rounded towards negative infinity; `divisor` is more than 0.
func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
}

/// A day of the Gregorian calendar.
private struct CivilDate {
    var year: Int64
    /// 1 … 12.
    var month: Int64
    /// From 1; past the end of the month it names a day of the next.
    var day: Int64

    init(daysSince1970 days: Int64) {
        // Counted in eras of 400 years that begin on 1 March, so that the leap day is the last of a year.
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSince1970: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = floorDivide(shiftedYear, 400)
        let yearOfEra = shiftedYear - era * 400
        let marchMonth = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    func adding(months: Int64) -> CivilDate {
        var result = self
        let count = month - 1 + months
        result.year = year + floorDivide(count, 12)
        result.month = count - floorDivide(count, 12) * 12 + 1
        return result
    }
}
