// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// A number in decimal digits, as a person would round it: 1.005 is no less than that.
struct SQLDecimal {
    private var isNegative: Bool
    /// 0…9, the highest first.
    private var digits: [UInt8]
    /// How many of the digits stand before the point; less than 0: zeros follow the point.
    private var whole: Int

    /// - Returns: nil for what is not finite.
    init?(_ number: Double) {
        guard number.isFinite else { return nil }
        isNegative = number < 0
        // The shortest text that stands for the number: 1.005, 1e-07.
        let parts = "\(number.magnitude)".split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        digits = mantissa.joined().utf8.map { $0 - UInt8(ascii: "0") }
        whole = mantissa[0].utf8.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    }

    /// The number with so many places behind the point, halves away from zero; before it when less than 0.
    func rounded(to places: Int) -> Double {
        let kept = whole + places
        guard kept < digits.count else { return value(digits, whole) }
        guard kept >= 0 else { return 0 }
        var result = Array(digits[..<kept])
        var isCarried = digits[kept] >= 5
        for index in result.indices.reversed() where isCarried {
            isCarried = result[index] == 9
            result[index] = isCarried ? 0 : result[index] + 1
        }
        return isCarried ? value([1] + result, whole + 1) : value(result, whole)
    }

    private func value(_ digits: [UInt8], _ whole: Int) -> Double {
        let text = String(decoding: digits.map { $0 + UInt8(ascii: "0") }, as: UTF8.self)
        return Double("\(isNegative ? "-" : "")0\(text)e\(whole - digits.count)") ?? 0
    }
}

extension SQLCall {
    // MARK: Numbers

    /// Whole numbers stay whole.
    func round() {
        let places = count > 1 ? double(1) : 0
        guard let places, let number = double(0) else { return answer(nil as Double?) }
        let bounded = Int(max(-400, min(400, places)).rounded())
        if type(0) == SQLITE_INTEGER {
            let whole = sqlite3_value_int64(values?[0])
            return answer(bounded >= 0 ? whole : Self.rounded(whole, -bounded))
        }
        answer(SQLDecimal(number)?.rounded(to: bounded) ?? number)
    }

    /// Zeros instead of the last digits.
    private static func rounded(_ number: Int64, _ zeros: Int) -> Int64? {
        guard zeros < 19 else { return 0 }
        let step = (0..<zeros).reduce(Int64(1)) { product, _ in product * 10 }
        let rest = number % step
        let cut = number - rest
        guard rest.magnitude >= step.magnitude / 2, step > 1 else { return cut }
        let (sum, isOverflow) = cut.addingReportingOverflow(number < 0 ? -step : step)
        return isOverflow ? nil : sum
    }

    // MARK: CAST

    /// `mysql_cast(value, type, length, places)`, as the dialect writes CAST.
    func cast() {
        guard count >= 2, !isNull(0), let type = text(1) else { return answer(nil as Double?) }
        switch type {
        case "SIGNED": castWhole(isSigned: true)
        case "UNSIGNED": castWhole(isSigned: false)
        case "DECIMAL": castDecimal()
        case "DOUBLE", "FLOAT":
            guard !refusesTime() else { return }
            answer(double(0))
        case "CHAR", "NCHAR": castText()
        case "DATE": castTime { $0.text.prefix(10) }
        case "DATETIME": castTime { $0.rounded(to: argument(2, 0))?.text[...] }
        case "TIME": castClock()
        case "JSON", "TEXT", "INTEGER", "INT", "BIGINT", "REAL", "NUMERIC", "BLOB", "VARCHAR":
            // SQLite's own.
            sqlite3_result_value(context, values?[0])
        default: fail("CAST(… AS \(type.prefix(40))) is not supported")
        }
    }

    private func argument(_ index: Int, _ missing: Int) -> Int {
        guard Int(count) > index, let number = double(index) else { return missing }
        return Int(max(0, min(1e6, number)))
    }

    /// MySQL makes numbers like 20260101123000 of times, which here would be the year.
    private func refusesTime() -> Bool {
        guard type(0) == SQLITE_TEXT, let text = text(0), text.utf8.count > 10, SQLMoment(text) != nil else {
            return false
        }
        fail("CAST of a time to a number is not supported; use unix_timestamp or date_format")
        return true
    }

    private func castWhole(isSigned: Bool) {
        guard !refusesTime(), let number = double(0) else { return }
        // Of a text only the digits at its start count, and they may be more than a REAL has.
        if type(0) == SQLITE_TEXT || type(0) == SQLITE_INTEGER {
            let whole = sqlite3_value_int64(values?[0])
            return isSigned || whole >= 0 ? answer(whole) : refuseUnsigned()
        }
        let rounded = SQLDecimal(number)?.rounded(to: 0) ?? number
        if !isSigned, rounded < 0 || rounded >= 0x1p63 { return refuseUnsigned() }
        answer(Int64(exactly: rounded) ?? (rounded < 0 ? Int64.min : Int64.max))
    }

    private func refuseUnsigned() {
        fail("CAST AS UNSIGNED is not supported for numbers below 0 or past 9223372036854775807")
    }

    private func castDecimal() {
        guard !refusesTime(), let number = double(0) else { return }
        let length = argument(2, 10)
        let places = argument(3, 0)
        guard length <= 65, places <= 30, places <= length else {
            return fail("DECIMAL(\(length), \(places)) is not supported")
        }
        let rounded = SQLDecimal(number)?.rounded(to: places) ?? number
        // The largest number that has so many digits.
        let nines = String(repeating: "9", count: length - places) + "." + String(repeating: "9", count: places)
        let largest = Double("0" + nines + "0") ?? .infinity
        answer(max(-largest, min(largest, rounded)))
    }

    private func castText() {
        guard let text = text(0) else { return }
        guard count > 2, let length = double(2) else { return answer(text) }
        answer(String(String.UnicodeScalarView(text.unicodeScalars.prefix(Int(max(0, min(1e9, length)))))))
    }

    private func castTime(_ map: (SQLMoment) -> Substring?) {
        guard type(0) == SQLITE_TEXT else {
            return fail("CAST of a number to a time is not supported; use from_unixtime")
        }
        answer(moment(0).flatMap(map).map { String($0) })
    }

    private func castClock() {
        guard type(0) == SQLITE_TEXT else { return fail("CAST of a number to a time is not supported") }
        let places = argument(2, 0)
        if let clock = text(0).flatMap({ SQLClock($0) }) { return answer(clock.text(places: places)) }
        guard let moment = moment(0)?.rounded(to: places) else { return answer(nil as String?) }
        answer(String(moment.text.dropFirst(11)))
    }

    // MARK: Texts

    /// From a character on; before 1 there is none, and less than 0 counts from the end.
    func substring() {
        guard let text = text(0), let start = double(1), let length = count > 2 ? double(2) : .infinity else {
            return answer(nil as String?)
        }
        guard start.rounded() != 0, length.rounded() >= 1 else { return answer("") }
        let place = Int(max(-1e9, min(1e9, start.rounded())))
        let wanted = Int(min(1e9, length.rounded()))
        var rest = text.unicodeScalars[...]
        if place > 0 {
            rest = rest.dropFirst(place - 1)
        } else {
            let total = text.unicodeScalars.count
            guard -place <= total else { return answer("") }
            rest = rest.dropFirst(total + place)
        }
        answer(String(rest.prefix(wanted)))
    }

    /// By character, so that the number of them stays.
    func cased(_ map: (Unicode.Scalar) -> String) {
        guard let text = text(0) else { return answer(nil as String?) }
        var result = String.UnicodeScalarView()
        for character in text.unicodeScalars {
            let other = map(character).unicodeScalars
            result.append(other.count == 1 ? other.first ?? character : character)
        }
        answer(String(result))
    }
}
