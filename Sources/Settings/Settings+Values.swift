// SPDX-License-Identifier: Apache-2.0

extension Settings {
    /// The value as a flag; false when it is empty.
    ///
    /// - Throws: ``SettingsError`` `.badValue` unless it is true, false, 1, 0, yes, no, on or off, in any case.
    public func bool(_ section: String, _ key: String) throws -> Bool {
        let text = string(section, key)
        switch text.lowercased() {
        case "true", "1", "yes", "on", "t", "y": return true
        case "false", "0", "no", "off", "f", "n", "": return false
        default: throw badValue(section, key, "is not a flag; write true or false")
        }
    }

    /// The value as a whole number; 0 when it is empty.
    ///
    /// - Throws: ``SettingsError`` `.badValue` when it is not a number, or outside of `range`.
    public func int(_ section: String, _ key: String, in range: ClosedRange<Int> = .min ... .max) throws -> Int {
        let text = string(section, key)
        guard let number = text.isEmpty ? 0 : Int(text) else {
            throw badValue(section, key, "is not a whole number; write digits only")
        }
        guard range.contains(number) else {
            throw badValue(
                section, key, "is out of range; write a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The value as a duration, such as `90`, `30s`, `10m`, `1h30m`, `7d`, `2w`, `1M` (30 days), `1y` (365 days) or `100ms`.
    ///
    /// - Parameter bareUnit: What a number without a unit counts.
    /// - Returns: The duration; nil when the value is empty.
    /// - Throws: ``SettingsError`` `.badValue`.
    public func duration(_ section: String, _ key: String, bareUnit: Duration = .seconds(1)) throws -> Duration? {
        let text = string(section, key)
        guard !text.isEmpty else { return nil }
        guard let duration = DurationText.parse(text, bareUnit: bareUnit) else {
            throw badValue(
                section, key, "is not a duration; write a number and a unit, such as 30s, 10m, 12h, 7d or 1M")
        }
        return duration
    }

    /// The value as a list, split at commas and white space; an item in double quotes may hold both.
    public func list(_ section: String, _ key: String) -> [String] {
        var items: [String] = []
        var item = ""
        var isQuoted = false
        for character in string(section, key) {
            if character == "\"" {
                isQuoted.toggle()
            } else if !isQuoted, character == "," || character.isWhitespace {
                if !item.isEmpty { items.append(item) }
                item = ""
            } else {
                item.append(character)
            }
        }
        return item.isEmpty ? items : items + [item]
    }

    /// The value as a path; a relative one starts at the home folder.
    ///
    /// Empty when the value is.
    public func path(_ section: String, _ key: String) -> String {
        let text = string(section, key)
        return text.isEmpty ? "" : SettingsLoader.path(homePath, text)
    }

    private func badValue(_ section: String, _ key: String, _ fact: String) -> SettingsError {
        let place = origin(section, key).map { "\($0): " } ?? ""
        let name = section.isEmpty ? key : "[\(section)] \(key)"
        let value = SettingsRedaction.isSecret(key: key) ? "the value" : "'\(string(section, key))'"
        return SettingsError(.badValue, "\(place)\(name): \(value) \(fact)")
    }
}

/// Durations as the settings write them.
enum DurationText {
    private static let milliseconds: [String: Int64] = [
        "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "M": 2_592_000_000,
        "y": 31_536_000_000,
    ]

    /// Nil when the text is not a duration or is longer than 64 bits of milliseconds.
    ///
    /// A sign may stand before all.
    static func parse(_ text: String, bareUnit: Duration) -> Duration? {
        let isNegative = text.hasPrefix("-")
        var rest = text.dropFirst(isNegative ? 1 : 0)
        guard !rest.isEmpty else { return nil }
        if let number = Int32(rest), rest.first?.isNumber == true {
            return bareUnit * (isNegative ? -Int(number) : Int(number))
        }
        var total: Int64 = 0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let number = Int64(digits), let scale = milliseconds[String(unit)] else { return nil }
            let (product, isTooLong) = number.multipliedReportingOverflow(by: scale)
            let (sum, isSumTooLong) = total.addingReportingOverflow(product)
            guard !isTooLong, !isSumTooLong else { return nil }
            total = sum
        }
        return .milliseconds(isNegative ? -total : total)
    }
}
