// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The query model of the SQLite plugin.
enum SQLiteQuery {
    /// - Returns: nil when there is no statement.
    /// - Throws: ``PluginError``.
    static func read(_ query: DataQuery) throws -> SQLQuery? {
        guard let sql = query.model["queryText"]?.string, !sql.isEmpty else { return nil }
        try SQLModel.check(sql)
        let names = query.model["timeColumns"]?.array?.compactMap(\.string) ?? ["time", "ts"]
        let format: SQLFormat
        switch query.model["queryType"]?.string ?? "" {
        case "", "table": format = .table
        case "time series": format = .timeSeriesFrames
        case let other:
            throw PluginError(
                .invalid, "query \(query.refID): queryType is \"\(other)\"; use \"table\" or \"time series\"")
        }
        let macros = SQLiteMacros(
            from: query.from, to: query.to, intervalMilliseconds: Int64(query.interval / .milliseconds(1)))
        do {
            let (text, gap) = try macros.expand(sql)
            var prepared = SQLQuery(
                refID: query.refID, text: text, format: format, from: query.from, to: query.to, timeColumns: Set(names))
            prepared.gapSeconds = gap
            prepared.convertsValues = false
            prepared.rowLimit = query.maxRows ?? prepared.rowLimit
            return prepared
        } catch let error as MacroError {
            throw PluginError(.invalid, "interpolation failed: \(error)")
        }
    }
}

/// The variables and macros of the SQLite plugin.
struct SQLiteMacros {
    var from: Timestamp
    var to: Timestamp
    var intervalMilliseconds: Int64

    /// The statement, and the seconds between rows when gaps are to be filled.
    ///
    /// - Throws: ``MacroError``.
    func expand(_ sql: String) throws -> (text: SQLText, gapSeconds: Int64?) {
        let fromSeconds = floorDivide(from.nanoseconds, 1_000_000_000)
        let toSeconds = floorDivide(to.nanoseconds, 1_000_000_000)
        let sql = sql.replacingAll("$__from", with: String(fromSeconds * 1000))
            .replacingAll("$__to", with: String(toSeconds * 1000))
            .replacingAll("$__interval_ms", with: String(intervalMilliseconds))
            .replacingAll("$__interval", with: Interval(milliseconds: intervalMilliseconds).text)
        var gap: Int64?
        let text = try MacroScanner.expand(sql) { call -> [SQLText.Piece]? in
            switch call.name {
            case "__timeFilter": return try timeFilter(call, fromSeconds, toSeconds)
            case "__unixEpochGroupSeconds":
                let (text, isFilled, seconds) = try group(call)
                if isFilled { gap = seconds }
                return [.text(text)]
            default: return nil
            }
        }
        return (text, gap)
    }

    private func timeFilter(_ call: MacroCall, _ from: Int64, _ to: Int64) throws -> [SQLText.Piece] {
        guard call.arguments.count == 1, let column = call.arguments.first, !column.isEmpty else {
            let count = call.arguments == [""] ? 0 : call.arguments.count
            throw MacroError("unsupported number of arguments (\(count)) for timeFilter")
        }
        return [
            .text(
                "CAST(CASE WHEN typeof(\(column)) = 'integer' THEN \(column) ELSE strftime(\"%s\", \(column)) END AS "
                    + "INTEGER) BETWEEN "), .value(literal: String(from), parameter: String(from)), .text(" AND "),
            .value(literal: String(to), parameter: String(to)),
        ]
    }

    private func group(_ call: MacroCall) throws -> (text: String, isFilled: Bool, seconds: Int64) {
        guard call.arguments.count == 2 || call.arguments.count == 3 else {
            throw MacroError("unsupported number of arguments (\(call.arguments.count)) for unixEpochGroupSeconds")
        }
        let column = call.arguments[0]
        guard let seconds = Int64(call.arguments[1]), seconds > 0 else {
            throw MacroError("could not convert '\(call.arguments[1])' to an integer grouping interval")
        }
        if call.arguments.count == 3, call.arguments[2].uppercased() != "NULL" {
            throw MacroError("unsupported gap filling value of: `\(call.arguments[2])`")
        }
        return ("cast((\(column) / \(seconds)) as int) * \(seconds)", call.arguments.count == 3, seconds)
    }
}
