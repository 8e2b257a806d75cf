// SPDX-License-Identifier: Apache-2.0
import CSQLite
import PluginABI

/// Collects the values of one column, whose type SQLite does not promise.
///
/// The declared type counts, else the first value that is not null. What does not fit the type is made to fit, or lost.
struct SQLiteColumn {
    private enum Builder {
        /// So many nulls, and no type yet.
        case undecided(Int)
        case integers(ColumnBuilder<Int64>)
        case doubles(ColumnBuilder<Double>)
        case texts(ColumnBuilder<String>)
        case times(ColumnBuilder<Timestamp>)
    }

    let name: String
    /// Values that became null.
    var lost = 0
    private var builder: Builder

    init(name: String, declared: String, isTime: Bool) {
        self.name = name
        let isKnown = declared.prefix { $0 != "(" && $0 != " " }.uppercased()
        switch isKnown {
        case _ where isTime: builder = .times(ColumnBuilder(isNullable: true))
        case "INTEGER", "INT": builder = .integers(ColumnBuilder(isNullable: true))
        case "REAL", "NUMERIC", "DOUBLE", "FLOAT": builder = .doubles(ColumnBuilder(isNullable: true))
        case "NULL", "TEXT", "BLOB": builder = .texts(ColumnBuilder(isNullable: true))
        default: builder = .undecided(0)
        }
    }

    /// Whether the type is known.
    var isDecided: Bool { if case .undecided = builder { false } else { true } }

    /// Takes the value of the current row.
    ///
    /// - Returns: About how many bytes it takes.
    mutating func append(_ statement: OpaquePointer, _ index: Int32) -> Int {
        let type = sqlite3_column_type(statement, index)
        if case .undecided(let nulls) = builder, type != SQLITE_NULL { decide(type, nulls) }
        switch builder {
        case .undecided(let nulls):
            builder = .undecided(nulls + 1)
        case .integers(var integers):
            builder = .undecided(0)  // so that the builder is changed in place
            integers.append(integer(statement, index, type))
            builder = .integers(integers)
        case .doubles(var doubles):
            builder = .undecided(0)
            doubles.append(double(statement, index, type))
            builder = .doubles(doubles)
        case .times(var times):
            builder = .undecided(0)
            times.append(time(statement, index, type))
            builder = .times(times)
        case .texts(var texts):
            builder = .undecided(0)
            defer { builder = .texts(texts) }
            return Self.appendText(statement, index, type, to: &texts)
        }
        return 8
    }

    private mutating func decide(_ type: Int32, _ nulls: Int) {
        switch type {
        case SQLITE_INTEGER: builder = .integers(Self.nulls(nulls))
        case SQLITE_FLOAT: builder = .doubles(Self.nulls(nulls))
        default: builder = .texts(Self.nulls(nulls))
        }
    }

    private static func nulls<Element>(_ count: Int) -> ColumnBuilder<Element> {
        var builder = ColumnBuilder<Element>(isNullable: true)
        for _ in 0..<count { builder.appendNull() }
        return builder
    }

    /// The column of all values since the last call; one that met no value is of nulls.
    mutating func finish() -> Column {
        switch builder {
        case .undecided(let nulls):
            var doubles: ColumnBuilder<Double> = Self.nulls(nulls)
            defer { builder = .doubles(doubles) }
            return doubles.finish()
        case .integers(var integers):
            defer { builder = .integers(integers) }
            return integers.finish()
        case .doubles(var doubles):
            defer { builder = .doubles(doubles) }
            return doubles.finish()
        case .texts(var texts):
            defer { builder = .texts(texts) }
            return texts.finish()
        case .times(var times):
            defer { builder = .times(times) }
            return times.finish()
        }
    }

    // MARK: Values

    private mutating func integer(_ statement: OpaquePointer, _ index: Int32, _ type: Int32) -> Int64? {
        switch type {
        case SQLITE_NULL: return nil
        case SQLITE_INTEGER: return sqlite3_column_int64(statement, index)
        case SQLITE_FLOAT: return orLost(Int64(exactly: sqlite3_column_double(statement, index)))
        default: return orLost(Int64(Self.text(statement, index)))
        }
    }

    private mutating func double(_ statement: OpaquePointer, _ index: Int32, _ type: Int32) -> Double? {
        switch type {
        case SQLITE_NULL: return nil
        case SQLITE_INTEGER, SQLITE_FLOAT: return sqlite3_column_double(statement, index)
        default: return orLost(FloatParser.parse(Self.text(statement, index)))
        }
    }

    /// Seconds since 1970 as a number or a text, or a text as RFC 3339 says.
    private mutating func time(_ statement: OpaquePointer, _ index: Int32, _ type: Int32) -> Timestamp? {
        switch type {
        case SQLITE_NULL: return nil
        case SQLITE_INTEGER:
            let (nanoseconds, overflow) = sqlite3_column_int64(statement, index)
                .multipliedReportingOverflow(by: 1_000_000_000)
            return orLost(overflow ? nil : Timestamp(nanoseconds: nanoseconds))
        case SQLITE_FLOAT: return orLost(Self.time(sqlite3_column_double(statement, index)))
        default:
            let text = Self.text(statement, index)
            return orLost(FloatParser.parse(text).map(Self.time) ?? DateTimeText.rfc3339(text))
        }
    }

    private static func time(_ seconds: Double) -> Timestamp? {
        seconds.magnitude < 9_223_372_036 ? Timestamp(seconds: seconds) : nil
    }

    private mutating func orLost<Value>(_ value: Value?) -> Value? {
        if value == nil { lost += 1 }
        return value
    }

    private static func text(_ statement: OpaquePointer, _ index: Int32) -> String {
        guard let start = sqlite3_column_text(statement, index) else { return "" }
        let count = Int(sqlite3_column_bytes(statement, index))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    private static func appendText(
        _ statement: OpaquePointer, _ index: Int32, _ type: Int32, to texts: inout ColumnBuilder<String>
    ) -> Int {
        switch type {
        case SQLITE_NULL:
            texts.appendNull()
            return 4
        case SQLITE_FLOAT:
            let text = fixedPoint(sqlite3_column_double(statement, index))
            texts.append(text)
            return text.utf8.count
        default:
            // A text is asked for as UTF-8, whatever the encoding of the file; the length is asked for afterwards.
            let start =
                type == SQLITE_BLOB
                ? sqlite3_column_blob(statement, index)?.assumingMemoryBound(to: UInt8.self)
                : sqlite3_column_text(statement, index)
            let count = Int(sqlite3_column_bytes(statement, index))
            return SQLBytes.append(UnsafeBufferPointer(start: start, count: start == nil ? 0 : count), to: &texts)
        }
    }

    /// As C's `%f`: six decimals.
    private static func fixedPoint(_ value: Double) -> String {
        // With six decimals it fits 64 bits.
        guard value.magnitude < 9e12 else { return "\(value)" }
        let scaled = UInt64((value.magnitude * 1e6).rounded(.toNearestOrEven))
        let digits = String(1_000_000 + scaled % 1_000_000).dropFirst()
        return (value.sign == .minus ? "-" : "") + "\(scaled / 1_000_000).\(digits)"
    }
}
