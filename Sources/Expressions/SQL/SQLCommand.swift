// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// A query over the frames of data sources in SQL.
struct SQLCommand: Sendable {
    let statement: String
    /// Whether the result is a set of labelled numbers for alert rules, not a table.
    let isForAlerting: Bool
    /// The refIds that the statement names as tables, each once.
    let tables: [String]

    init(_ model: JSONValue, limits: ExpressionLimits) throws(ExpressionError) {
        guard limits.isSQLEnabled else { throw ExpressionError(.disabled, "sql expressions are disabled") }
        statement = model["expression"]?.string ?? ""
        guard !statement.allSatisfy(\.isWhitespace) else { throw .parse("command is missing an expression") }
        let length = statement.utf8.count
        guard limits.sqlLength == 0 || length <= limits.sqlLength else {
            throw ExpressionError(
                .limit, "the SQL text has \(length) bytes; at most \(limits.sqlLength) are allowed")
        }
        switch model["format"]?.string ?? "" {
        case "": isForAlerting = false
        case "alerting": isForAlerting = true
        case let format:
            throw .parse("sql format '\(format.prefix(40))' is not supported; leave it out or use alerting")
        }
        tables = SQLTableNames.find(in: statement)
    }

    func run(
        _ tables: [String: DataFrame], refID: String, _ limits: ExpressionLimits, _ checkpoint: ExpressionCheckpoint
    ) throws(ExpressionError) -> [ExpressionValue] {
        throw ExpressionError(.disabled, "sql expressions are disabled")
    }
}
