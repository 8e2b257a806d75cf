// SPDX-License-Identifier: Apache-2.0

/// The formats of `date_format`.
enum SQLDateFormat {
    static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

    static func text(_ moment: SQLMoment, _ format: String) -> String {
        var result = ""
        var characters = format.makeIterator()
        while let character = characters.next() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            guard let letter = characters.next() else { break }
            result +=
                datePart(moment, letter) ?? clockPart(moment, letter) ?? weekPart(moment, letter)
                ?? String(letter)
        }
        return result
    }

    private static func two(_ number: Int64) -> String { SQLMoment.padded(number, 2) }

    private static func datePart(_ moment: SQLMoment, _ letter: Character) -> String? {
        switch letter {
        case "Y": SQLMoment.padded(moment.year, 4)
        case "y": two(moment.year % 100)
        case "m": two(moment.month)
        case "c": "\(moment.month)"
        case "d": two(moment.day)
        case "e": "\(moment.day)"
        case "D": "\(moment.day)\(ordinal(moment.day))"
        case "j": SQLMoment.padded(moment.dayOfYear, 3)
        case "M": months[Int(moment.month) - 1]
        case "b": String(months[Int(moment.month) - 1].prefix(3))
        case "W": weekdays[Int(moment.weekday)]
        case "a": String(weekdays[Int(moment.weekday)].prefix(3))
        case "w": "\((moment.weekday + 1) % 7)"
        default: nil
        }
    }

    private static func ordinal(_ day: Int64) -> String {
        if (11...13).contains(day) { return "th" }
        switch day % 10 {
        case 1: return "st"
        case 2: return "nd"
        case 3: return "rd"
        default: return "th"
        }
    }

    private static func clockPart(_ moment: SQLMoment, _ letter: Character) -> String? {
        let hour12 = (moment.hour + 11) % 12 + 1
        let half = moment.hour < 12 ? "AM" : "PM"
        switch letter {
        case "H": return two(moment.hour)
        case "k": return "\(moment.hour)"
        case "h", "I": return two(hour12)
        case "l": return "\(hour12)"
        case "i": return two(moment.minute)
        case "s", "S": return two(moment.second)
        case "f": return SQLMoment.padded(moment.microsecond, 6)
        case "p": return half
        case "T": return "\(two(moment.hour)):\(two(moment.minute)):\(two(moment.second))"
        case "r": return "\(two(hour12)):\(two(moment.minute)):\(two(moment.second)) \(half)"
        default: return nil
        }
    }

    private static func weekPart(_ moment: SQLMoment, _ letter: Character) -> String? {
        switch letter {
        case "U": return two(moment.week(fromMonday: false, isOfYear: false).week)
        case "u": return two(moment.week(fromMonday: true, isOfYear: false).week)
        case "V": return two(moment.week(fromMonday: false, isOfYear: true).week)
        case "v": return two(moment.week(fromMonday: true, isOfYear: true).week)
        case "X": return SQLMoment.padded(moment.week(fromMonday: false, isOfYear: true).year, 4)
        case "x": return SQLMoment.padded(moment.week(fromMonday: true, isOfYear: true).year, 4)
        default: return nil
        }
    }
}

extension SQLMoment {
    /// The week, and the year that it belongs to.
    ///
    /// Weeks from Monday count from the first with four days in the year, as ISO 8601 says; weeks from Sunday from the
    /// first Sunday.
    ///
    /// - Parameter isOfYear: Whether days before the first week belong to the year before; otherwise their week is 0.
    func week(fromMonday: Bool, isOfYear: Bool) -> (year: Int64, week: Int64) {
        let start = Self.firstWeek(of: year, fromMonday)
        if days < start {
            guard isOfYear else { return (year, 0) }
            return (year - 1, (days - Self.firstWeek(of: year - 1, fromMonday)) / 7 + 1)
        }
        if isOfYear, days >= Self.firstWeek(of: year + 1, fromMonday) { return (year + 1, 1) }
        return (year, (days - start) / 7 + 1)
    }

    /// The day on which the first week of a year begins, in days since 1970.
    private static func firstWeek(of year: Int64, _ fromMonday: Bool) -> Int64 {
        let first = firstDay(of: year)
        // 0 is the day on which weeks begin; 1970 began on a Thursday.
        let weekday = ((first + (fromMonday ? 3 : 4)) % 7 + 7) % 7
        if fromMonday { return weekday <= 3 ? first - weekday : first + 7 - weekday }
        return weekday == 0 ? first : first + 7 - weekday
    }
}

/// Reads a text by a format, as `str_to_date`.
struct SQLDateParser {
    private var rest: Substring
    private var parts: [Character: Int64] = [:]
    private var isAfternoon: Bool?
    /// The letter of the format that cannot be read.
    private(set) var unsupported: Character?

    init(_ text: String) {
        rest = Substring(text)
    }

    /// - Returns: A time of the day alone if the format has no date; nil when the text does not fit.
    mutating func parse(_ format: String) -> String? {
        guard read(format), let clock = clock() else { return nil }
        guard parts.keys.contains(where: { "Yymdj".contains($0) }) else { return clock }
        guard let year = parts["Y"] ?? parts["y"].map({ $0 < 70 ? 2000 + $0 : 1900 + $0 }) else { return nil }
        if let day = parts["j"] {
            guard day > 0, day <= SQLMoment.firstDay(of: year + 1) - SQLMoment.firstDay(of: year) else { return nil }
            let first = SQLMoment("\(SQLMoment.padded(year, 4))-01-01 \(clock)")
            return first?.adding(day - 1, "DAY")?.text
        }
        guard let month = parts["m"], let day = parts["d"] else { return nil }
        let date = [SQLMoment.padded(year, 4), SQLMoment.padded(month, 2), SQLMoment.padded(day, 2)]
        return SQLMoment("\(date.joined(separator: "-")) \(clock)")?.text
    }

    private func clock() -> String? {
        var hour = parts["H"] ?? 0
        if let half = parts["h"] {
            guard (1...12).contains(half) else { return nil }
            hour = half % 12 + (isAfternoon == true ? 12 : 0)
        } else if isAfternoon != nil {
            return nil
        }
        let (minute, second) = (parts["i"] ?? 0, parts["s"] ?? 0)
        guard hour < 24, minute < 60, second < 60 else { return nil }
        let clock = [hour, minute, second].map { SQLMoment.padded($0, 2) }.joined(separator: ":")
        return clock + (parts["f"].map { ".\(SQLMoment.padded($0, 6))" } ?? "")
    }

    private mutating func read(_ format: String) -> Bool {
        var characters = format.makeIterator()
        while let character = characters.next() {
            // As in MySQL, blanks may stand before every part.
            rest = rest.drop { $0.isWhitespace }
            if character.isWhitespace { continue }
            guard character == "%", let letter = characters.next() else {
                guard rest.popFirst() == character else { return false }
                continue
            }
            guard read(letter) else { return false }
        }
        return true
    }

    private static let widths: [Character: Int] = [
        "Y": 4, "y": 2, "m": 2, "c": 2, "d": 2, "e": 2, "D": 2, "j": 3, "H": 2, "k": 2, "h": 2, "I": 2, "l": 2, "i": 2,
        "s": 2, "S": 2, "f": 6,
    ]
    private static let same: [Character: Character] = [
        "c": "m", "e": "d", "D": "d", "k": "H", "I": "h", "l": "h", "S": "s",
    ]

    private mutating func read(_ letter: Character) -> Bool {
        switch letter {
        case "T": return read("%H:%i:%s")
        case "r": return read("%h:%i:%s %p")
        case "%": return rest.popFirst() == "%"
        case "p": return readHalf()
        case "M": return readMonth(SQLDateFormat.months)
        case "b": return readMonth(SQLDateFormat.months.map { String($0.prefix(3)) })
        case "W": return readName(SQLDateFormat.weekdays) != nil
        case "a": return readName(SQLDateFormat.weekdays.map { String($0.prefix(3)) }) != nil
        default: break
        }
        guard let width = Self.widths[letter] else {
            unsupported = letter
            return false
        }
        let digits = rest.prefix(width).prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits) else { return false }
        rest = rest.dropFirst(digits.count)
        // The letters of 1st, 2nd, 3rd.
        if letter == "D" { rest = rest.dropFirst(2) }
        let scale = letter == "f" ? (digits.count..<6).reduce(Int64(1)) { scale, _ in scale * 10 } : 1
        parts[Self.same[letter] ?? letter] = number * scale
        return true
    }

    private mutating func readHalf() -> Bool {
        guard let half = readName(["AM", "PM"]) else { return false }
        isAfternoon = half == 1
        return true
    }

    private mutating func readMonth(_ names: [String]) -> Bool {
        guard let month = readName(names) else { return false }
        parts["m"] = Int64(month + 1)
        return true
    }

    /// The index of the name that the text goes on with.
    private mutating func readName(_ names: [String]) -> Int? {
        let next = rest.prefix(9).lowercased()
        guard let index = names.firstIndex(where: { next.hasPrefix($0.lowercased()) }) else { return nil }
        rest = rest.dropFirst(names[index].count)
        return index
    }
}
