// SPDX-License-Identifier: Apache-2.0
import CArrowTable
import CSQLite
import Glibc

/// A moment in UTC as SQL functions take it apart.
struct SQLMoment: Equatable {
    var nanoseconds: Int64

    /// The moment now.
    static var now: SQLMoment {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return SQLMoment(nanoseconds: Int64(time.tv_sec) * 1_000_000_000)
    }

    init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Reads `2026-11-28`, `2026-11-28 00:30:00.5`, `2026-11-28T00:30:00Z` and `2026-11-28T01:30:00+01:00`.
    init?(_ text: String) {
        var text = text
        var time: Int64 = 0
        let isTime = text.withUTF8 { bytes in
            guard let start = bytes.baseAddress else { return Int32(0) }
            return start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
                arrow_time_read($0, bytes.count, &time)
            }
        }
        guard isTime == 1 else { return nil }
        nanoseconds = time
    }

    /// `2026-11-28 00:30:00`, with a fraction if there is one.
    var text: String { SQLTime.text(nanoseconds: nanoseconds) }

    private func digits(_ range: Range<Int>) -> Int64 {
        Int64(String(decoding: Array(text.utf8)[range], as: UTF8.self)) ?? 0
    }

    var year: Int64 { digits(0..<4) }
    var month: Int64 { digits(5..<7) }
    var day: Int64 { digits(8..<10) }
    var hour: Int64 { digits(11..<13) }
    var minute: Int64 { digits(14..<16) }
    var second: Int64 { digits(17..<19) }
    /// Whole seconds since 1970.
    var seconds: Int64 {
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return rest < 0 ? whole - 1 : whole
    }
    var microsecond: Int64 { (nanoseconds - seconds * 1_000_000_000) / 1000 }
    /// Days since 1970.
    var days: Int64 {
        let (whole, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
        return rest < 0 ? whole - 1 : whole
    }
    /// 0 is Monday.
    var weekday: Int64 { ((days + 3) % 7 + 7) % 7 }

    /// Days since the year began, from 1.
    var dayOfYear: Int64 { days - Self.firstDay(of: year) + 1 }

    /// The first of January, in days since 1970.
    static func firstDay(of year: Int64) -> Int64 {
        let before = year - 1
        return before * 365 + before / 4 - before / 100 + before / 400 - 719_162
    }

    /// With so many digits of the second; nil when it is beyond 1677…2262.
    func rounded(to places: Int) -> SQLMoment? {
        guard let rounded = Self.rounded(nanoseconds, to: places) else { return nil }
        return SQLMoment(nanoseconds: rounded)
    }

    static func rounded(_ nanoseconds: Int64, to places: Int) -> Int64? {
        let unit = (min(9, places)..<9).reduce(Int64(1)) { unit, _ in unit * 10 }
        let rest = ((nanoseconds % unit) + unit) % unit
        let (sum, isOverflow) = nanoseconds.addingReportingOverflow(rest * 2 >= unit && rest > 0 ? unit - rest : -rest)
        return isOverflow ? nil : sum
    }

    /// The moment some units later; nil when it is beyond 1677…2262.
    func adding(_ count: Int64, _ unit: String) -> SQLMoment? {
        let lengths: [String: Int64] = [
            "NANOSECOND": 1, "MICROSECOND": 1000, "SECOND": 1_000_000_000, "MINUTE": 60_000_000_000,
            "HOUR": 3_600_000_000_000,
            "DAY": 86_400_000_000_000, "WEEK": 604_800_000_000_000,
        ]
        if let length = lengths[unit] {
            let (shift, isTooFar) = count.multipliedReportingOverflow(by: length)
            let (sum, isOverflow) = nanoseconds.addingReportingOverflow(shift)
            return isTooFar || isOverflow ? nil : SQLMoment(nanoseconds: sum)
        }
        let months: [String: Int64] = ["MONTH": 1, "QUARTER": 3, "YEAR": 12]
        guard let step = months[unit], count.magnitude < 10_000 else { return nil }
        return addingMonths(count * step)
    }

    /// The same day of another month, or its last if it has fewer.
    private func addingMonths(_ count: Int64) -> SQLMoment? {
        let months = year * 12 + month - 1 + count
        guard (1678 * 12..<2262 * 12).contains(months) else { return nil }
        let (year, month) = (months / 12, months % 12 + 1)
        let rest = text.dropFirst(10)
        for day in stride(from: self.day, through: min(28, self.day), by: -1) {
            if let moment = SQLMoment("\(year)-\(Self.padded(month, 2))-\(Self.padded(day, 2))\(rest)") {
                return moment
            }
        }
        return nil
    }

    static func padded(_ number: Int64, _ width: Int) -> String {
        let text = "\(number)"
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}

/// A time of the day, or a span of at most 838 hours, as TIME has it.
struct SQLClock {
    private var isNegative = false
    /// Without the sign.
    private var nanoseconds: Int64

    /// Reads `23:59`, `23:59:58.5`, `-100:00:00`.
    init?(_ text: String) {
        isNegative = text.hasPrefix("-")
        let parts = (isNegative ? text.dropFirst() : text[...]).split(
            separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, let hours = Self.number(parts[0], 1...3), hours <= 838,
            let minutes = Self.number(parts[1], 2...2), minutes < 60
        else { return nil }
        nanoseconds = (hours * 60 + minutes) * 60_000_000_000
        guard parts.count == 3 else { return }
        let seconds = parts[2].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = Self.number(seconds[0], 2...2), whole < 60 else { return nil }
        nanoseconds += whole * 1_000_000_000
        guard seconds.count == 2 else { return }
        guard let fraction = Self.number(seconds[1], 1...9) else { return nil }
        nanoseconds += (seconds[1].utf8.count..<9).reduce(fraction) { fraction, _ in fraction * 10 }
    }

    private static func number(_ text: Substring, _ lengths: ClosedRange<Int>) -> Int64? {
        guard lengths.contains(text.utf8.count), text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return Int64(text)
    }

    var hour: Int64 { nanoseconds / 3_600_000_000_000 }
    var minute: Int64 { nanoseconds / 60_000_000_000 % 60 }
    var second: Int64 { nanoseconds / 1_000_000_000 % 60 }

    /// `23:59:58.5`, with so many digits behind the point at most.
    func text(places: Int) -> String {
        var clock = self
        clock.nanoseconds = SQLMoment.rounded(nanoseconds, to: places) ?? nanoseconds
        let parts = [clock.hour, clock.minute, clock.second].map { SQLMoment.padded($0, 2) }
        var text = (isNegative ? "-" : "") + parts.joined(separator: ":")
        let rest = clock.nanoseconds % 1_000_000_000
        if rest > 0 {
            text += "." + SQLMoment.padded(rest, 9)
            while text.hasSuffix("0") { text.removeLast() }
        }
        return text
    }
}

extension SQLCall {
    func part(_ path: KeyPath<SQLMoment, Int64>) { answer(moment(0).map { $0[keyPath: path] }) }

    /// A part that texts like `23:59:58` have too.
    func part(_ path: KeyPath<SQLMoment, Int64>, _ clockPath: KeyPath<SQLClock, Int64>) {
        if let moment = moment(0) { return answer(moment[keyPath: path]) }
        guard type(0) == SQLITE_TEXT, let clock = text(0).flatMap({ SQLClock($0) }) else {
            return answer(nil as Int64?)
        }
        answer(clock[keyPath: clockPath])
    }

    /// A part of the text of the moment now.
    func now(_ range: Range<Int>) {
        answer(String(decoding: Array(SQLMoment.now.text.utf8)[range], as: UTF8.self))
    }

    func unixNow() { answer(SQLMoment.now.seconds) }

    /// Whole seconds as a whole number.
    func unixTimestamp() {
        guard let moment = moment(0) else { return answer(nil as Int64?) }
        let rest = moment.nanoseconds - moment.seconds * 1_000_000_000
        if rest > 0 { return answer(Double(moment.nanoseconds / 1000) / 1e6) }
        answer(moment.seconds)
    }

    func fromUnixTime() {
        guard let seconds = double(0), seconds.magnitude < 9e9 else { return answer(nil as String?) }
        answer(SQLMoment(nanoseconds: Int64((seconds * 1e6).rounded()) * 1000).text)
    }

    /// Days from the second to the first.
    func dateDifference() {
        guard let later = moment(0), let earlier = moment(1) else { return answer(nil as Int64?) }
        answer(later.days - earlier.days)
    }

    /// `date_add(time, INTERVAL 5 MINUTE)`, which arrives here as three arguments.
    func shifted(by sign: Int64) {
        guard let moment = moment(0), let count = double(1), let unit = text(2)?.uppercased() else {
            return answer(nil as String?)
        }
        // Only seconds have fractions; of a text the digits at its start count.
        if unit == "SECOND" {
            let nanoseconds = (count * 1e9).rounded()
            guard nanoseconds.magnitude < 9e18 else { return answer(nil as String?) }
            return answer(moment.adding(sign * Int64(nanoseconds), "NANOSECOND")?.text)
        }
        let whole = type(1) == SQLITE_TEXT ? count.rounded(.towardZero) : count.rounded()
        guard whole.magnitude < 9e15 else { return answer(nil as String?) }
        answer(moment.adding(sign * Int64(whole), unit)?.text)
    }

    func dateFormat() {
        guard let moment = moment(0), let format = text(1) else { return answer(nil as String?) }
        answer(SQLDateFormat.text(moment, format))
    }

    func parsedDate() {
        guard let text = text(0), let format = self.text(1) else { return answer(nil as String?) }
        var parser = SQLDateParser(text)
        let result = parser.parse(format)
        if let letter = parser.unsupported { return fail("str_to_date: %\(letter) is not supported") }
        answer(result)
    }
}
