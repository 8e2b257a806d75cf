// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The macros in the words of PostgreSQL.
struct PostgreSQLMacros: SQLMacros {
    var times: MacroTimes
    /// Groups with TimescaleDB's `time_bucket`.
    var hasTimescaleDB = false

    let timeAlias = " AS \"time\""
    /// As old dashboards expect.
    let isAliasedBeforeComma = true

    private var from: SQLText.Piece { Self.literal(times.from) }
    private var to: SQLText.Piece { Self.literal(times.to) }

    private static func literal(_ time: Timestamp) -> SQLText.Piece {
        let text = DateTimeText.rfc3339(time)
        return .value(literal: "'\(text)'", parameter: text)
    }

    func replace(_ call: MacroCall) throws -> [SQLText.Piece]? {
        switch call.name {
        case "__time": return [.text("\(try call.column()) AS \"time\"")]
        case "__timeEpoch": return [.text("extract(epoch from \(try call.column())) as \"time\"")]
        case "__timeFilter": return [.text("\(try call.column()) BETWEEN "), from, .text(" AND "), to]
        case "__timeFrom": return [from]
        case "__timeTo": return [to]
        default: return nil
        }
    }

    func timeGroup(_ column: String, _ interval: Interval) -> String {
        guard hasTimescaleDB else {
            return "floor(extract(epoch from \(column))/\(interval.goSeconds))*\(interval.goSeconds)"
        }
        let milliseconds = interval.milliseconds
        let rest = String(1000 + milliseconds % 1000).dropFirst()
        return "time_bucket('\(milliseconds / 1000).\(rest)s',\(column))"
    }

    func epochGroup(_ column: String, _ interval: Interval) -> String {
        "floor((\(column))/\(interval.goSeconds))*\(interval.goSeconds)"
    }

    func intervalQuotes(in macro: String) -> Set<Character> { ["'"] }

    func unknown(_ name: String) -> String { "unknown macro \"\(name)\"" }
}
