// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The macros that PostgreSQL and MySQL share, with what differs by dialect.
protocol SQLMacros: Sendable {
    var times: MacroTimes { get }
    /// What the macro becomes, for those that only this dialect has in this form; nil for others.
    func replace(_ call: MacroCall) throws -> [SQLText.Piece]?
    /// The column in groups of an interval.
    func timeGroup(_ column: String, _ interval: Interval) -> String
    /// The same for a column of Unix seconds.
    func epochGroup(_ column: String, _ interval: Interval) -> String
    /// The characters that may stand around an interval.
    func intervalQuotes(in macro: String) -> Set<Character>
    /// The alias that `…Alias` adds.
    var timeAlias: String { get }
    /// Whether `$__timeGroup(…),` means `$__timeGroupAlias(…),`.
    var isAliasedBeforeComma: Bool { get }
    /// The words of an unknown macro.
    func unknown(_ name: String) -> String
    /// What a group macro needs that has too few arguments.
    func arguments(of macro: String) -> String
}

extension SQLMacros {
    func arguments(of macro: String) -> String { "time column and interval and optional fill value" }

    /// Replaces the variables and macros of a statement.
    ///
    /// - Returns: The statement, and the fill that a macro asked for.
    /// - Throws: ``PluginError`` `.invalid`, `interpolation failed: …`.
    func expand(_ sql: String) throws -> (text: SQLText, fill: SQLFill?) {
        var fill: SQLFill?
        do {
            let text = try MacroScanner.expand(times.replacingVariables(in: sql)) { call in
                if let pieces = try replace(call) { return pieces }
                if let pieces = try shared(call) { return pieces }
                if let pieces = try group(call, &fill) { return pieces }
                throw MacroError(unknown(call.name))
            }
            return (text, fill)
        } catch let error as MacroError {
            throw PluginError(.invalid, "interpolation failed: \(error)", source: .plugin)
        }
    }

    private func shared(_ call: MacroCall) throws -> [SQLText.Piece]? {
        switch call.name {
        case "__unixEpochFilter":
            return range(try call.column(), times.fromSeconds, times.toSeconds)
        case "__unixEpochNanoFilter":
            return range(try call.column(), times.from.nanoseconds, times.to.nanoseconds)
        case "__unixEpochFrom": return [.number(times.fromSeconds)]
        case "__unixEpochTo": return [.number(times.toSeconds)]
        case "__unixEpochNanoFrom": return [.number(times.from.nanoseconds)]
        case "__unixEpochNanoTo": return [.number(times.to.nanoseconds)]
        default: return nil
        }
    }

    private func range(_ column: String, _ from: Int64, _ to: Int64) -> [SQLText.Piece] {
        [.text("\(column) >= "), .number(from), .text(" AND \(column) <= "), .number(to)]
    }

    private func group(_ call: MacroCall, _ fill: inout SQLFill?) throws -> [SQLText.Piece]? {
        let isTime = call.name.hasPrefix("__timeGroup")
        switch call.name {
        case "__timeGroup", "__timeGroupAlias", "__unixEpochGroup", "__unixEpochGroupAlias": break
        default: return nil
        }
        guard call.arguments.count >= 2 else {
            throw MacroError("macro \(call.name) needs \(arguments(of: call.name))")
        }
        let quotes = intervalQuotes(in: call.name)
        let text = call.arguments[1].trimming(quotes)
        let interval: Interval
        do {
            interval = try Interval(parsing: text, from: times.now)
        } catch {
            throw MacroError("error parsing interval \(call.arguments[1])")
        }
        if call.arguments.count >= 3 { fill = try SQLFill(argument: call.arguments[2], interval: interval) }
        var group = isTime ? timeGroup(call.arguments[0], interval) : epochGroup(call.arguments[0], interval)
        if call.name.hasSuffix("Alias") || addsAlias(call) { group += timeAlias }
        return [.text(group)]
    }

    private func addsAlias(_ call: MacroCall) -> Bool {
        call.name == "__timeGroup" && call.isFollowedByComma && isAliasedBeforeComma
    }
}

extension SQLText.Piece {
    /// A whole number that this program made.
    static func number(_ value: Int64) -> SQLText.Piece { .value(literal: String(value), parameter: String(value)) }
}

extension String {
    fileprivate func trimming(_ characters: Set<Character>) -> String {
        var part = self[...]
        while let first = part.first, characters.contains(first) { part.removeFirst() }
        while let last = part.last, characters.contains(last) { part.removeLast() }
        return String(part)
    }
}
