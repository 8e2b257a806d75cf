// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The words of a database, for macros and for telling what reads from what writes.
enum ADBCDialect: String, Sendable, CaseIterable {
    /// `TIMESTAMP '…'` and `EXTRACT(EPOCH FROM …)`, as in DuckDB, Snowflake and many others.
    case standard
    case postgresql
    case mysql
    case sqlite

    private var rules: SQLLexer.Rules {
        switch self {
        case .standard: SQLLexer.Rules()
        case .postgresql: .postgreSQL
        case .mysql: .mySQL
        case .sqlite: .sqlite
        }
    }

    /// Words with which statements write although they begin like one that reads.
    private static let writing: Set<String> = [
        "ALTER", "ATTACH", "CALL", "COPY", "CREATE", "DELETE", "DROP", "GRANT", "INSERT", "INSTALL", "INTO", "LOAD",
        "MERGE", "REVOKE", "TRUNCATE", "UPDATE",
    ]

    /// - Throws: ``PluginError`` `.forbidden`.
    func checkReadOnly(_ sql: String) throws { try SQLReadOnly.check(sql, rules, forbidden: Self.writing) }

    func macros(_ times: MacroTimes) -> any SQLMacros {
        switch self {
        case .standard: ADBCStandardMacros(times: times)
        case .postgresql: PostgreSQLMacros(times: times)
        case .mysql: MySQLMacros(times: times)
        case .sqlite: ADBCSQLiteMacros(times: times)
        }
    }
}

/// `2026-11-28 12:34:56.789` in UTC.
private func dateTime(_ time: Timestamp) -> String {
    String(DateTimeText.rfc3339(time).dropLast()).replacingAll("T", with: " ")
}

/// The macros in the words of the SQL standard.
struct ADBCStandardMacros: SQLMacros {
    var times: MacroTimes

    let timeAlias = " AS \"time\""
    let isAliasedBeforeComma = false

    private var from: SQLText.Piece { Self.literal(times.from) }
    private var to: SQLText.Piece { Self.literal(times.to) }

    private static func literal(_ time: Timestamp) -> SQLText.Piece {
        .value(literal: "TIMESTAMP '\(dateTime(time))'", parameter: dateTime(time))
    }

    func replace(_ call: MacroCall) throws -> [SQLText.Piece]? {
        switch call.name {
        case "__time": return [.text("\(try call.column()) AS \"time\"")]
        case "__timeEpoch": return [.text("EXTRACT(EPOCH FROM \(try call.column())) AS \"time\"")]
        case "__timeFilter": return [.text("\(try call.column()) BETWEEN "), from, .text(" AND "), to]
        case "__timeFrom": return [from]
        case "__timeTo": return [to]
        default: return nil
        }
    }

    func timeGroup(_ column: String, _ interval: Interval) -> String {
        "FLOOR(EXTRACT(EPOCH FROM \(column))/\(interval.goSeconds))*\(interval.goSeconds)"
    }

    func epochGroup(_ column: String, _ interval: Interval) -> String {
        "FLOOR((\(column))/\(interval.goSeconds))*\(interval.goSeconds)"
    }

    func intervalQuotes(in macro: String) -> Set<Character> { ["'"] }
    func unknown(_ name: String) -> String { "unknown macro \"\(name)\"" }
}

/// The same macros in the words of SQLite, whose times are texts or Unix seconds.
struct ADBCSQLiteMacros: SQLMacros {
    var times: MacroTimes

    let timeAlias = " AS \"time\""
    let isAliasedBeforeComma = false

    private static func epoch(_ column: String) -> String {
        "CAST(CASE WHEN typeof(\(column)) = 'integer' THEN \(column) ELSE strftime('%s', \(column)) END AS INTEGER)"
    }

    private static func literal(_ time: Timestamp) -> SQLText.Piece {
        .value(literal: "'\(dateTime(time))'", parameter: dateTime(time))
    }

    func replace(_ call: MacroCall) throws -> [SQLText.Piece]? {
        switch call.name {
        case "__time", "__timeEpoch": return [.text("\(Self.epoch(try call.column())) AS \"time\"")]
        case "__timeFilter":
            return [
                .text("\(Self.epoch(try call.column())) BETWEEN "), .number(times.fromSeconds), .text(" AND "),
                .number(times.toSeconds),
            ]
        case "__timeFrom": return [Self.literal(times.from)]
        case "__timeTo": return [Self.literal(times.to)]
        default: return nil
        }
    }

    func timeGroup(_ column: String, _ interval: Interval) -> String {
        epochGroup(Self.epoch(column), interval)
    }

    func epochGroup(_ column: String, _ interval: Interval) -> String {
        let seconds = max(1, interval.nanoseconds / 1_000_000_000)
        return "(\(column)) / \(seconds) * \(seconds)"
    }

    func intervalQuotes(in macro: String) -> Set<Character> { ["'"] }
    func unknown(_ name: String) -> String { "unknown macro \"\(name)\"" }
}
