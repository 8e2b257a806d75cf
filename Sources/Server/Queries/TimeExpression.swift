// SPDX-License-Identifier: Apache-2.0

/// One end of a time range as clients write it: epoch milliseconds, a date, or relative to now.
///
/// `now-6h` is an offset, `now/d` the start of today (as the end of a range: the last millisecond of today), and offsets
/// and roundings follow each other freely: `now-1d/d+8h`. Units are `s m h d w M Q y` and the fiscal `fQ fy`. Absolute
/// ends are epoch milliseconds (`1767323045678`), RFC 3339, or `YYYY-MM-DD`.
///
/// - SeeAlso: Grafana, `pkg/components/gtime` and `pkg/services/datasources/legacydata/time_range.go`.
struct TimeExpression: Sendable, Equatable {
    /// Which end of the range an expression is; a rounding goes down for the start and up for the end.
    enum End: Sendable {
        case from, to
    }

    /// A text that is not a time.
    struct Failure: Error, Equatable {
        /// What is wrong, for a person.
        var message: String
    }

    private enum Start: Equatable {
        case now
        case milliseconds(Int64)
        /// The parts of a date in the zone of the calendar.
        case local(CivilTime)
    }

    private enum Step: Equatable {
        case offset(Int64, TimeUnit)
        case rounding(TimeUnit)
    }

    private var start: Start
    private var steps: [Step] = []

    /// Reads an expression.
    ///
    /// - Throws: ``Failure`` for anything that is not an expression, an unknown unit, a number of more than 9 digits.
    init(_ text: String) throws(Failure) {
        if let number = TimeExpression.epochMilliseconds(text) {
            start = .milliseconds(number)
        } else if text.utf8.starts(with: "now".utf8) {
            start = .now
            steps = try TimeExpression.steps(of: Array(text.utf8.dropFirst(3)), in: text)
        } else if let date = CivilTime(date: text) {
            start = .local(date)
        } else if let date = RFC3339.milliseconds(text) {
            start = .milliseconds(date)
        } else {
            throw Failure(message: "invalid time '\(text.prefix(64))'; use now-6h, epoch milliseconds or RFC 3339")
        }
    }

    /// The moment that the expression names.
    ///
    /// - Parameters:
    ///   - now: Epoch milliseconds.
    ///   - end: Whether roundings go down or up.
    ///   - calendar: The zone, the first day of the week and of the fiscal year.
    /// - Returns: Epoch milliseconds.
    func milliseconds(now: Int64, as end: End, in calendar: TimeCalendar = TimeCalendar()) -> Int64 {
        var moment: Int64
        switch start {
        case .now: moment = now
        case .milliseconds(let value): return value
        case .local(let parts): moment = calendar.milliseconds(of: parts)
        }
        for step in steps {
            switch step {
            case .offset(let amount, let unit): moment = calendar.adding(amount, unit, to: moment)
            case .rounding(let unit):
                moment = end == .from ? calendar.start(of: unit, at: moment) : calendar.end(of: unit, at: moment)
            }
        }
        return moment
    }

    /// A decimal number with optional sign, of more than 4 digits or negative so that it cannot be a year.
    private static func epochMilliseconds(_ text: String) -> Int64? {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard !digits.isEmpty, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return Int64(text)
    }

    private static func steps(of bytes: [UInt8], in text: String) throws(Failure) -> [Step] {
        var steps: [Step] = []
        var index = 0
        while index < bytes.count {
            let sign = bytes[index]
            index += 1
            switch sign {
            case UInt8(ascii: "/"):
                steps.append(.rounding(try unit(bytes, &index, text)))
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                let amount = try number(bytes, &index, text)
                steps.append(.offset(sign == UInt8(ascii: "-") ? -amount : amount, try unit(bytes, &index, text)))
            default:
                throw Failure(message: "invalid time '\(text.prefix(64))'; after 'now' come steps such as -6h or /d")
            }
            guard steps.count <= 16 else { throw Failure(message: "invalid time '\(text.prefix(64))'; too many steps") }
        }
        return steps
    }

    /// Up to 9 digits.
    private static func number(_ bytes: [UInt8], _ index: inout Int, _ text: String) throws(Failure) -> Int64 {
        var value: Int64 = 0
        let first = index
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 {
            value = value * 10 + Int64(bytes[index] - 0x30)
            index += 1
            guard index - first <= 9 else {
                throw Failure(message: "invalid time '\(text.prefix(64))'; number too large")
            }
        }
        guard index > first else { throw Failure(message: "invalid time '\(text.prefix(64))'; a number is missing") }
        return value
    }

    private static func unit(_ bytes: [UInt8], _ index: inout Int, _ text: String) throws(Failure) -> TimeUnit {
        let isFiscal = index < bytes.count && bytes[index] == UInt8(ascii: "f")
        let at = isFiscal ? index + 1 : index
        guard at < bytes.count, let unit = TimeUnit(letter: bytes[at], isFiscal: isFiscal) else {
            throw Failure(message: "invalid time '\(text.prefix(64))'; the units are s, m, h, d, w, M, Q, y, fQ and fy")
        }
        index = at + 1
        return unit
    }
}

/// A unit of a relative time.
enum TimeUnit: Sendable, Equatable {
    case second, minute, hour, day, week, month, quarter, year, fiscalQuarter, fiscalYear

    init?(letter: UInt8, isFiscal: Bool) {
        switch (letter, isFiscal) {
        case (UInt8(ascii: "s"), false): self = .second
        case (UInt8(ascii: "m"), false): self = .minute
        case (UInt8(ascii: "h"), false), (UInt8(ascii: "H"), false): self = .hour
        case (UInt8(ascii: "d"), false): self = .day
        case (UInt8(ascii: "w"), false): self = .week
        case (UInt8(ascii: "M"), false): self = .month
        case (UInt8(ascii: "Q"), false): self = .quarter
        case (UInt8(ascii: "y"), false): self = .year
        case (UInt8(ascii: "Q"), true): self = .fiscalQuarter
        case (UInt8(ascii: "y"), true): self = .fiscalYear
        default: return nil
        }
    }
}
