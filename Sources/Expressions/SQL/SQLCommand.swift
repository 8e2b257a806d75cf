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
        let answer = try SQLEngine(limits: limits, checkpoint: checkpoint).run(statement, tables)
        guard !answer.frame.fields.isEmpty else { return [.noData()] }
        var values = isForAlerting ? try numbers(answer.frame, refID) : [.noData(answer.frame)]
        if let notice = answer.notice { values[0].notices.append(notice) }
        return values
    }

    /// A number a row, labelled by the text columns.
    private func numbers(_ frame: DataFrame, _ refID: String) throws(ExpressionError) -> [ExpressionValue] {
        let numeric = frame.fields.filter(\.type.isNumeric)
        guard numeric.count == 1 else {
            throw ExpressionError(
                .execution,
                "sql expression: the format alerting needs exactly one number column, and the result has "
                    + "\(numeric.count)")
        }
        let texts = frame.fields.filter { $0.type == .string }
        let values = try SeriesReader.floats(numeric[0], refID)
        var seen: Set<Labels> = []
        var numbers: [ExpressionValue] = []
        for row in 0..<frame.rowCount {
            var labels: Labels = [:]
            for text in texts { labels[text.name] = text.column.string(at: row) }
            guard seen.insert(labels).inserted else {
                throw ExpressionError(
                    .execution,
                    "sql expression: two rows have the labels {\(labels.text)}; the format alerting needs different "
                        + "ones, group by them")
            }
            numbers.append(.number(values.float(at: row), labels: labels, name: refID))
        }
        return numbers
    }
}
