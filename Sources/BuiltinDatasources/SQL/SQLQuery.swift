// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What becomes of the rows.
enum SQLFormat: Sendable, Equatable {
    /// As they are.
    case table
    /// One frame of series: time, and a field for each value column and set of labels.
    case timeSeries
    /// The same as one frame for each series.
    case timeSeriesFrames
}

/// Missing points of a series are put in, as a macro asked for.
struct SQLFill: Sendable, Equatable {
    enum Mode: Sendable, Equatable {
        case null
        case previous
        case value(Double)
    }

    var mode: Mode
    /// The step of the grid.
    var interval: Interval

    /// Reads the last argument of a macro.
    ///
    /// - Throws: ``MacroError``.
    init(argument: String, interval: Interval) throws {
        self.interval = interval
        switch argument {
        case "NULL": mode = .null
        case "previous": mode = .previous
        default:
            guard let number = FloatParser.parse(argument) else {
                throw MacroError("error parsing fill value \(argument)")
            }
            mode = .value(number)
        }
    }
}

/// One query that is ready to be run.
struct SQLQuery: Sendable {
    var refID: String
    var text: SQLText
    var format: SQLFormat
    var from: Timestamp
    var to: Timestamp
    /// The names of columns that hold times; the last one that is there counts for series.
    var timeColumns: Set<String>
    /// Columns that hold the end of an event, compared without case; tables only.
    var endColumns: Set<String> = []
    var fill: SQLFill?
    /// Rows of nulls for the steps that are missing between rows, in seconds.
    var gapSeconds: Int64?
    /// Value columns become float64.
    var convertsValues = true
    var rowLimit = Self.defaultRowLimit

    /// As `[dataproxy] row_limit` of the server.
    static let defaultRowLimit = 1_000_000
}

extension SQLQuery {
    /// A query of PostgreSQL or MySQL.
    init(_ query: DataQuery, text: SQLText, format: SQLFormat, timeColumns: Set<String>, fill: SQLFill?) {
        self.init(
            refID: query.refID, text: text, format: format, from: query.from, to: query.to, timeColumns: timeColumns,
            endColumns: ["timeend"], fill: fill, rowLimit: query.maxRows ?? Self.defaultRowLimit)
    }
}

/// The parts of a query's model that PostgreSQL and MySQL share.
enum SQLModel {
    static let formats: [String: SQLFormat] = ["table": .table, "time_series": .timeSeries]

    /// The statement and the format; nil when there is no statement: the query is then left out.
    ///
    /// - Throws: ``PluginError``.
    static func read(_ query: DataQuery) throws -> (sql: String, format: SQLFormat)? {
        for key in ["fill", "fillInterval", "fillMode", "fillValue"] {
            // What a field has that was not set is no fill.
            guard let value = query.model[key], ![.null, false, 0, ""].contains(value) else { continue }
            throw PluginError(.invalid, "query fill-parameters not supported")
        }
        let sql = try text("rawSql", of: query)
        guard !sql.isEmpty else { return nil }
        try check(sql)
        let name = try text("format", of: query)
        guard let format = name.isEmpty ? .timeSeries : formats[name] else {
            throw PluginError(.invalid, "Unrecognized query model format: \"\(name)\"", source: .plugin)
        }
        return (sql, format)
    }

    /// A statement is written by a person, or by a program for one; everything that looks at it reads it whole.
    static let maximumBytes = 1 << 20

    /// - Throws: ``PluginError`` for a text that is no statement.
    static func check(_ sql: String) throws {
        let count = sql.utf8.count
        guard count <= maximumBytes else {
            throw PluginError(
                .limit, "the query has \(count) bytes, and a statement has \(maximumBytes) at the most", source: .user,
                hint: "Put long lists of values into a table.")
        }
        guard !sql.utf8.contains(0) else {
            throw PluginError(.invalid, "the query has a NUL character, which no database takes", source: .user)
        }
    }

    private static func text(_ key: String, of query: DataQuery) throws -> String {
        guard let value = query.model[key], !value.isNull else { return "" }
        guard let text = value.string else {
            throw PluginError(.invalid, "query \(query.refID): \(key) is not a text")
        }
        return text
    }
}

/// The time range of a query in the forms that macros write.
struct MacroTimes: Sendable {
    var from: Timestamp
    var to: Timestamp
    /// The panel's spacing in milliseconds.
    var intervalMilliseconds: Int64
    /// Seconds since 1970, from which months and years count.
    var now: Int64

    var fromSeconds: Int64 { floorDivide(from.nanoseconds, 1_000_000_000) }
    var toSeconds: Int64 { floorDivide(to.nanoseconds, 1_000_000_000) }

    init(from: Timestamp, to: Timestamp, intervalMilliseconds: Int64, now: Int64) {
        self.from = from
        self.to = to
        self.intervalMilliseconds = intervalMilliseconds
        self.now = now
    }

    init(_ query: DataQuery, now: Timestamp) {
        self.init(
            from: query.from, to: query.to, intervalMilliseconds: Int64(query.interval / .milliseconds(1)),
            now: floorDivide(now.nanoseconds, 1_000_000_000))
    }

    /// Replaces what is plain text in both dialects.
    func replacingVariables(in sql: String) -> String {
        sql.replacingAll("$__interval_ms", with: String(intervalMilliseconds))
            .replacingAll("$__interval", with: Interval(milliseconds: intervalMilliseconds).text)
            .replacingAll("$__unixEpochFrom()", with: String(fromSeconds))
            .replacingAll("$__unixEpochTo()", with: String(toSeconds))
    }
}

extension Interval {
    /// Seconds as Go prints a float64: `300`, `0.5`, and `2.592e+06` from a million on.
    var goSeconds: String {
        let seconds = Double(nanoseconds) / 1e9
        guard seconds.magnitude >= 1e6 else { return secondsText }
        // The digits without point and trailing zeros, then the exponent in two digits.
        let plain = secondsText
        let whole = plain.prefix { $0 != "." }.count - (seconds < 0 ? 1 : 0)
        var digits = plain.filter { $0.isWholeNumber }
        while digits.last == "0" { digits.removeLast() }
        let exponent = whole - 1
        let sign = seconds < 0 ? "-" : ""
        let rest = digits.dropFirst()
        return sign + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest) + "e+" + (exponent < 10 ? "0" : "")
            + String(exponent)
    }
}
