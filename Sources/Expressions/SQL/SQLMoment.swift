// SPDX-License-Identifier: Apache-2.0
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

    /// Reads `2026-11-28`, `2026-11-28 00:30:00.5` and `2026-11-28T00:30:00Z`.
    init?(_ text: String) {
        var text = text
        if text.utf8.count == 10 { text += " 00:00:00" }
        if text.hasSuffix("Z") { text.removeLast() }
        text = text.replacing("T", with: " ", maxReplacements: 1)
        guard let time = text.withUTF8({ SQLTime.nanoseconds($0) }) else { return nil }
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

    /// The moment some units later; nil when it is beyond 1677…2262.
    func adding(_ count: Int64, _ unit: String) -> SQLMoment? {
        let lengths: [String: Int64] = [
            "MICROSECOND": 1000, "SECOND": 1_000_000_000, "MINUTE": 60_000_000_000, "HOUR": 3_600_000_000_000,
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

extension SQLCall {
    func part(_ path: KeyPath<SQLMoment, Int64>) { answer(moment(0).map { $0[keyPath: path] }) }

    /// A part of the text of the moment now.
    func now(_ range: Range<Int>) {
        answer(String(decoding: Array(SQLMoment.now.text.utf8)[range], as: UTF8.self))
    }

    func unixNow() { answer(SQLMoment.now.seconds) }
    func unixTimestamp() { answer(moment(0)?.seconds) }

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
        guard let moment = moment(0), let count = double(1), let unit = text(2), count.magnitude < 9e15 else {
            return answer(nil as String?)
        }
        answer(moment.adding(sign * Int64(count), unit.uppercased())?.text)
    }

    func dateFormat() {
        guard let moment = moment(0), let format = text(1) else { return answer(nil as String?) }
        answer(SQLDateFormat.text(moment, format))
    }

    func parsedDate() {
        guard let text = text(0), let format = self.text(1) else { return answer(nil as String?) }
        answer(SQLDateFormat.moment(text, format)?.text)
    }
}

/// The formats of `date_format` and `str_to_date`.
enum SQLDateFormat {
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

    static func text(_ moment: SQLMoment, _ format: String) -> String {
        var result = ""
        var characters = format.makeIterator()
        while let character = characters.next() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            guard let letter = characters.next() else { break }
            result += part(moment, letter)
        }
        return result
    }

    private static func part(_ moment: SQLMoment, _ letter: Character) -> String {
        let hour12 = (moment.hour + 11) % 12 + 1
        func two(_ number: Int64) -> String { SQLMoment.padded(number, 2) }
        switch letter {
        case "Y": return SQLMoment.padded(moment.year, 4)
        case "y": return two(moment.year % 100)
        case "m": return two(moment.month)
        case "c": return "\(moment.month)"
        case "d": return two(moment.day)
        case "e": return "\(moment.day)"
        case "H": return two(moment.hour)
        case "k": return "\(moment.hour)"
        case "h", "I": return two(hour12)
        case "l": return "\(hour12)"
        case "i": return two(moment.minute)
        case "s", "S": return two(moment.second)
        case "f": return SQLMoment.padded(moment.microsecond, 6)
        case "p": return moment.hour < 12 ? "AM" : "PM"
        case "M": return months[Int(moment.month) - 1]
        case "b": return String(months[Int(moment.month) - 1].prefix(3))
        case "W": return weekdays[Int(moment.weekday)]
        case "a": return String(weekdays[Int(moment.weekday)].prefix(3))
        case "w": return "\((moment.weekday + 1) % 7)"
        case "T": return "\(two(moment.hour)):\(two(moment.minute)):\(two(moment.second))"
        default: return String(letter)
        }
    }

    /// Reads a text by a format; nil when it does not fit.
    static func moment(_ text: String, _ format: String) -> SQLMoment? {
        var parts: [Character: Int64] = [:]
        var rest = Substring(text)
        var characters = format.makeIterator()
        while let character = characters.next() {
            guard character == "%", let letter = characters.next() else {
                guard rest.popFirst() == character else { return nil }
                continue
            }
            if letter == "b" || letter == "M" {
                let length = letter == "b" ? 3 : 9
                guard
                    let month = months.firstIndex(where: {
                        rest.lowercased().hasPrefix($0.prefix(length).lowercased())
                    })
                else { return nil }
                rest = rest.dropFirst(months[month].prefix(length).count)
                parts["m"] = Int64(month + 1)
                continue
            }
            guard
                let width = [
                    "Y": 4, "y": 2, "m": 2, "c": 2, "d": 2, "e": 2, "H": 2, "k": 2, "i": 2, "s": 2, "S": 2, "f": 6,
                ][letter]
            else { return nil }
            let digits = rest.prefix(width).prefix { $0.isASCII && $0.isNumber }
            guard let number = Int64(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let same: [Character: Character] = ["c": "m", "e": "d", "k": "H", "S": "s"]
            parts[same[letter] ?? letter] =
                letter == "f"
                ? Int64(String(digits) + String(repeating: "0", count: 6 - digits.count)) : number
        }
        let year = parts["Y"] ?? parts["y"].map { $0 < 70 ? 2000 + $0 : 1900 + $0 } ?? 1970
        func two(_ key: Character, _ missing: Int64) -> String { SQLMoment.padded(parts[key] ?? missing, 2) }
        let fraction = parts["f"].map { ".\(SQLMoment.padded($0, 6))" } ?? ""
        return SQLMoment(
            "\(SQLMoment.padded(year, 4))-\(two("m", 1))-\(two("d", 1)) "
                + "\(two("H", 0)):\(two("i", 0)):\(two("s", 0))\(fraction)")
    }
}
