// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// A length of time as Grafana writes it: `500ms`, `15s`, `5m`, `6h`, `7d`, `2w`; a number alone is seconds.
struct TimeAmount: Sendable, Equatable, ExpressibleByArgument {
    /// As it was written, with its unit.
    var text: String
    /// At least 1.
    var milliseconds: Int64

    private static let units: [String: Int64] = [
        "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "M": 2_592_000_000,
        "y": 31_536_000_000,
    ]

    /// Nil when the text is something else, zero, or more than a thousand years.
    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        let unit = argument.dropFirst(digits.count)
        guard digits.utf8.count <= 9, let number = Int64(digits), number > 0,
            let scale = Self.units[unit.isEmpty ? "s" : String(unit)]
        else { return nil }
        let (product, isTooLong) = number.multipliedReportingOverflow(by: scale)
        guard !isTooLong, product <= 1000 * 31_536_000_000 else { return nil }
        milliseconds = product
        text = unit.isEmpty ? "\(number)s" : argument
    }

    init(text: String, milliseconds: Int64) {
        self.text = text
        self.milliseconds = milliseconds
    }

    /// The time that an answer may take when nothing is said.
    static let thirtySeconds = TimeAmount(text: "30s", milliseconds: 30_000)

    /// As it is written; for the default in the help.
    var defaultValueDescription: String { text }

    /// How many milliseconds before now `now` and `now-6h` are; nil for any other form, which the server reads.
    static func beforeNow(_ expression: String) -> Int64? {
        guard expression.hasPrefix("now") else { return nil }
        let rest = expression.dropFirst(3)
        if rest.isEmpty { return 0 }
        guard rest.first == "-", rest.last?.isLetter == true else { return nil }
        return TimeAmount(argument: String(rest.dropFirst()))?.milliseconds
    }
}
