// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The macros in the words of MySQL.
struct MySQLMacros: SQLMacros {
    var times: MacroTimes

    let timeAlias = " AS \"time\""
    let isAliasedBeforeComma = false

    func replace(_ call: MacroCall) throws -> [SQLText.Piece]? {
        switch call.name {
        case "__time", "__timeEpoch": return [.text("UNIX_TIMESTAMP(\(try call.column())) as time_sec")]
        case "__timeFilter": return [.text("\(try call.column()) BETWEEN ")] + filterStart + [.text(" AND ")] + to
        case "__timeFrom": return from
        case "__timeTo": return to
        default: return nil
        }
    }

    private var from: [SQLText.Piece] { Self.fromUnixTime(times.fromSeconds) }
    private var to: [SQLText.Piece] { Self.fromUnixTime(times.toSeconds) }

    private static func fromUnixTime(_ seconds: Int64) -> [SQLText.Piece] {
        [.text("FROM_UNIXTIME("), .number(seconds), .text(")")]
    }

    /// MySQL has no Unix time before 1970.
    private var filterStart: [SQLText.Piece] {
        guard times.fromSeconds < 0 else { return from }
        return [.text("DATE_ADD(FROM_UNIXTIME(0), INTERVAL "), .number(times.fromSeconds), .text(" SECOND)")]
    }

    func timeGroup(_ column: String, _ interval: Interval) -> String {
        let seconds = Int64((Double(interval.nanoseconds) / 1e9).rounded(.toNearestOrEven))
        return "UNIX_TIMESTAMP(\(column)) DIV \(seconds) * \(seconds)"
    }

    func epochGroup(_ column: String, _ interval: Interval) -> String {
        "\(column) DIV \(interval.goSeconds) * \(interval.goSeconds)"
    }

    func intervalQuotes(in macro: String) -> Set<Character> {
        macro.hasPrefix("__timeGroup") ? ["'", "\""] : ["'"]
    }

    func unknown(_ name: String) -> String { "unknown macro \(name)" }

    func arguments(of macro: String) -> String {
        "time column and interval" + (macro.hasPrefix("__timeGroup") ? "" : " and optional fill value")
    }

    /// Words that would show who the server's user is.
    ///
    /// - Throws: ``PluginError`` when the statement has one.
    static func checkSecrets(in sql: String) throws {
        let text = sql.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let calls = ["session_user", "system_user", "user"].contains { word in
            text.ranges(ofWord: word).contains { end in text[end...].drop { $0 == " " }.first == "(" }
        }
        guard calls || text.contains("show grants") || !text.ranges(ofWord: "current_user").isEmpty else { return }
        throw PluginError(
            .forbidden, "interpolation failed: invalid query - \(SQLFailure.hiddenText)", source: .plugin,
            details: JSONText("{\"reason\":\"the statement asks who the server's user is\"}"))
    }
}

extension String {
    /// Where the occurrences of a word end.
    fileprivate func ranges(ofWord word: String) -> [String.Index] {
        var ends: [String.Index] = []
        var start = startIndex
        func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }
        while start < endIndex {
            guard self[start...].hasPrefix(word) else {
                start = index(after: start)
                continue
            }
            let end = index(start, offsetBy: word.count)
            let isBegin = start == startIndex || !isWord(self[index(before: start)])
            if isBegin, end == endIndex || !isWord(self[end]) { ends.append(end) }
            start = end
        }
        return ends
    }
}
