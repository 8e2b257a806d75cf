// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc
import PluginABI

/// The functions that a statement may call: those of SQLite that only calculate, and MySQL's that it lacks.
enum SQLFunctions {
    /// In lower case.
    static let allowed: Set<String> = Set(sqlite).union(ours.map(\.name)).union(aggregates)

    private static let sqlite = [
        // Operators that are functions inside.
        "like", "glob", "->", "->>", "match",
        "abs", "avg", "ceil", "ceiling", "coalesce", "count", "exp", "floor", "group_concat", "ifnull", "iif", "instr",
        "log10", "log2", "ln", "lower", "ltrim", "max", "min", "mod", "nullif", "pi", "pow", "power", "replace",
        "round",
        "rtrim", "sign", "sqrt", "substr", "substring", "sum", "total", "trim", "trunc", "typeof", "upper", "radians",
        "degrees", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
        "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank",
        "rank", "row_number",
        "date", "datetime", "julianday", "strftime", "time", "unixepoch",
        "json", "json_array", "json_array_length", "json_extract", "json_object", "json_remove", "json_set",
        "json_type",
        "json_valid",
    ]
    private static let aggregates = ["std", "stddev", "stddev_pop", "variance", "var_pop"]

    typealias Body = @convention(c) (OpaquePointer?, Int32, UnsafeMutablePointer<OpaquePointer?>?) -> Void

    /// One function of ours; -1 takes any number of arguments.
    private struct Function {
        var name: String
        var arguments: Int32
        /// Whether equal arguments give equal values.
        var isDeterministic = true
        var body: Body
    }

    /// - Returns: The first result code that is not `SQLITE_OK`.
    static func register(in database: OpaquePointer) -> Int32 {
        for function in ours {
            let flags = SQLITE_UTF8 | SQLITE_INNOCUOUS | (function.isDeterministic ? SQLITE_DETERMINISTIC : 0)
            let code = sqlite3_create_function_v2(
                database, function.name, function.arguments, flags, nil, function.body, nil, nil, nil)
            guard code == SQLITE_OK else { return code }
        }
        return SQLSpread.register(aggregates, in: database)
    }

    private static let ours: [Function] = [
        Function(name: "concat", arguments: -1) { SQLCall($0, $1, $2).concat() },
        Function(name: "if", arguments: 3) { context, _, values in
            sqlite3_result_value(context, SQLCall(context, 3, values).isTrue(0) ? values?[1] : values?[2])
        },
        // SQLite's own are slow in ways that cannot be interrupted: a search may compare each byte with each other.
        Function(name: "instr", arguments: 2) { SQLCall($0, $1, $2).position() },
        Function(name: "replace", arguments: 3) { SQLCall($0, $1, $2).replaced() },
        Function(name: "trim", arguments: 2) { SQLCall($0, $1, $2).trimmed(atStart: true, atEnd: true) },
        Function(name: "ltrim", arguments: 2) { SQLCall($0, $1, $2).trimmed(atStart: true, atEnd: false) },
        Function(name: "rtrim", arguments: 2) { SQLCall($0, $1, $2).trimmed(atStart: false, atEnd: true) },
        Function(name: "mysql_cast", arguments: -1) { SQLCall($0, $1, $2).cast() },
        Function(name: "round", arguments: 1) { SQLCall($0, $1, $2).round() },
        Function(name: "round", arguments: 2) { SQLCall($0, $1, $2).round() },
        Function(name: "substr", arguments: 2) { SQLCall($0, $1, $2).substring() },
        Function(name: "substr", arguments: 3) { SQLCall($0, $1, $2).substring() },
        Function(name: "substring", arguments: 2) { SQLCall($0, $1, $2).substring() },
        Function(name: "substring", arguments: 3) { SQLCall($0, $1, $2).substring() },
        Function(name: "upper", arguments: 1) { SQLCall($0, $1, $2).cased(\.properties.uppercaseMapping) },
        Function(name: "lower", arguments: 1) { SQLCall($0, $1, $2).cased(\.properties.lowercaseMapping) },
        Function(name: "length", arguments: 1) { SQLCall($0, $1, $2).length() },
        Function(name: "char_length", arguments: 1) { SQLCall($0, $1, $2).characterCount() },
        Function(name: "log", arguments: 1) { SQLCall($0, $1, $2).number { $0 > 0 ? Glibc.log($0) : nil } },
        Function(name: "log", arguments: 2) { SQLCall($0, $1, $2).logarithm() },
        Function(name: "substring_index", arguments: 3) { SQLCall($0, $1, $2).substringIndex() },
        Function(name: "json_unquote", arguments: 1) { SQLCall($0, $1, $2).jsonUnquote() },
        Function(name: "json_length", arguments: 1) { SQLCall($0, $1, $2).jsonLength() },
        Function(name: "json_contains", arguments: 2) { SQLCall($0, $1, $2).jsonContains() },
        Function(name: "now", arguments: 0, isDeterministic: false) { SQLCall($0, $1, $2).now(0..<19) },
        Function(name: "curdate", arguments: 0, isDeterministic: false) { SQLCall($0, $1, $2).now(0..<10) },
        Function(name: "curtime", arguments: 0, isDeterministic: false) { SQLCall($0, $1, $2).now(11..<19) },
        Function(name: "year", arguments: 1) { SQLCall($0, $1, $2).part(\.year) },
        Function(name: "month", arguments: 1) { SQLCall($0, $1, $2).part(\.month) },
        Function(name: "day", arguments: 1) { SQLCall($0, $1, $2).part(\.day) },
        Function(name: "hour", arguments: 1) { SQLCall($0, $1, $2).part(\.hour, \.hour) },
        Function(name: "minute", arguments: 1) { SQLCall($0, $1, $2).part(\.minute, \.minute) },
        Function(name: "second", arguments: 1) { SQLCall($0, $1, $2).part(\.second, \.second) },
        Function(name: "weekday", arguments: 1) { SQLCall($0, $1, $2).part(\.weekday) },
        Function(name: "datediff", arguments: 2) { SQLCall($0, $1, $2).dateDifference() },
        Function(name: "unix_timestamp", arguments: 0, isDeterministic: false) { SQLCall($0, $1, $2).unixNow() },
        Function(name: "unix_timestamp", arguments: 1) { SQLCall($0, $1, $2).unixTimestamp() },
        Function(name: "from_unixtime", arguments: 1) { SQLCall($0, $1, $2).fromUnixTime() },
        Function(name: "date_format", arguments: 2) { SQLCall($0, $1, $2).dateFormat() },
        Function(name: "str_to_date", arguments: 2) { SQLCall($0, $1, $2).parsedDate() },
        Function(name: "date_add", arguments: 3) { SQLCall($0, $1, $2).shifted(by: 1) },
        Function(name: "date_sub", arguments: 3) { SQLCall($0, $1, $2).shifted(by: -1) },
    ]
}

/// The population's standard deviation and variance.
enum SQLSpread {
    /// Welford's running mean.
    private struct State {
        var count: Int64
        var mean: Double
        var squares: Double
    }

    static func register(_ names: [String], in database: OpaquePointer) -> Int32 {
        for name in names {
            var finish: @convention(c) (OpaquePointer?) -> Void = { SQLSpread.finish($0) { $0.squareRoot() } }
            if name.hasPrefix("var") { finish = { SQLSpread.finish($0) { $0 } } }
            let code = sqlite3_create_function_v2(
                database, name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nil, nil,
                { context, _, values in SQLSpread.add(context, values?[0]) }, finish, nil)
            guard code == SQLITE_OK else { return code }
        }
        return SQLITE_OK
    }

    private static func state(_ context: OpaquePointer?, size: Int) -> UnsafeMutablePointer<State>? {
        sqlite3_aggregate_context(context, Int32(size))?.assumingMemoryBound(to: State.self)
    }

    private static func add(_ context: OpaquePointer?, _ value: OpaquePointer?) {
        guard sqlite3_value_type(value) != SQLITE_NULL, let state = state(context, size: MemoryLayout<State>.size)
        else { return }
        let number = sqlite3_value_double(value)
        state.pointee.count += 1
        let distance = number - state.pointee.mean
        state.pointee.mean += distance / Double(state.pointee.count)
        state.pointee.squares += distance * (number - state.pointee.mean)
    }

    private static func finish(_ context: OpaquePointer?, _ map: (Double) -> Double) {
        guard let state = state(context, size: 0), state.pointee.count > 0 else {
            sqlite3_result_null(context)
            return
        }
        sqlite3_result_double(context, map(state.pointee.squares / Double(state.pointee.count)))
    }
}
