// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// A value that goes into a statement or comes out of a row.
public enum SQLValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    /// A time, stored as whole milliseconds since 1970 UTC in all three databases.
    public static func time(_ date: Date) -> SQLValue { .integer(date.epochMilliseconds) }

    /// A text, or null.
    public static func optional(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }

    /// A time, or null.
    public static func optional(_ date: Date?) -> SQLValue { date.map { .time($0) } ?? .null }
}

extension SQLValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    /// A text.
    public init(stringLiteral value: String) { self = .text(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A flag.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension Date {
    /// Whole milliseconds since 1970 UTC; times that do not fit are cut to the nearest end of the range.
    package var epochMilliseconds: Int64 {
        let milliseconds = (timeIntervalSince1970 * 1000).rounded()
        return Int64(exactly: milliseconds) ?? (milliseconds > 0 ? .max : .min)
    }

    /// A time from whole milliseconds since 1970 UTC.
    package init(epochMilliseconds: Int64) {
        self.init(timeIntervalSince1970: Double(epochMilliseconds) / 1000)
    }
}
