// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PluginABI

/// `grafana-cli query`: asks a data source of a running server.
struct QueryCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Queries a data source of a running server.",
        discussion: """
            EXPR is PromQL, LogQL or the id of a TestData scenario, by the type of the data source. If it is a JSON \
            object, it is the query model itself. Notices and errors go to standard error.
            """)

    /// How the result is shown.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case table, csv, json, chart
    }

    @Argument(help: ArgumentHelp("The uid or name of the data source.", valueName: "DATASOURCE"))
    var dataSource: String

    @Argument(help: ArgumentHelp("What to ask for.", valueName: "EXPR"))
    var expression: String

    @Option(help: "The start: now-6h, now/d, epoch milliseconds or RFC 3339.")
    var from = "now-1h"

    @Option(help: "The end, in the same forms.")
    var to = "now"

    @Option(help: "The distance of the points, such as 15s; what fits the range when left out.")
    var step: TimeAmount?

    @Option(
        help: """
            About how many points a series may have, or how many log lines come; as many as the chart has dots, else \
            1000, when left out.
            """)
    var maxDataPoints: Int?

    @Option(
        help: "table (log lines one below the other), csv (RFC 4180), json (the frames as the API gave them) or chart.")
    var format = Format.table

    @Flag(help: "Show all rows of a long table.")
    var all = false

    @Flag(help: "No colours, as with NO_COLOR.")
    var noColor = false

    @OptionGroup(title: "Server")
    var server: ServerAccess

    func validate() throws {
        if let maxDataPoints, !(1...1_000_000).contains(maxDataPoints) {
            throw ValidationError("--max-data-points \(maxDataPoints): give a number from 1 to 1000000.")
        }
    }

    func perform() async throws {
        let authorization = try server.authorization()
        let answer = try await APIClient.with(
            url: server.url, authorization: authorization, timeout: server.timeout, ask)
        try show(answer)
        for notice in answer.notices {
            Terminal.report(notice.severity == .info ? "notice" : notice.severity.rawValue, notice.text)
        }
        for failure in answer.failures {
            let source = failure.source == "downstream" ? "the data source refuses it: " : ""
            Terminal.report(
                "error", "query \(failure.refID): \(source)\(failure.message); correct the query or its data source")
        }
        if !answer.failures.isEmpty { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    private func ask(_ client: APIClient) async throws -> QueryAnswer {
        let source = try await DataSourceLookup(client: client).find(dataSource)
        var model = QueryModel(expression: expression, from: from, to: to, step: step)
        // A chart has two dots a column: more points would fall together.
        model.maxDataPoints = maxDataPoints ?? (format == .chart ? 2 * Terminal.output().width : 1000)
        let answer = try await client.post("/api/ds/query", try model.body(for: source))
        let failure = answer.failure("query of '\(dataSource)'")
        guard let failure else { return try QueryAnswer(body: answer.body) }
        // Failed queries come with an HTTP error and with the results of their neighbours.
        guard let results = try? QueryAnswer(body: answer.body), !results.failures.isEmpty else { throw failure }
        return results
    }

    private func show(_ answer: QueryAnswer) throws {
        switch format {
        case .json: try showJSON(answer)
        case .csv: try showCSV(answer)
        case .chart: try showChart(answer)
        case .table: try showTables(answer)
        }
    }

    private func showJSON(_ answer: QueryAnswer) throws {
        try Terminal.write("[")
        for (index, text) in answer.frameTexts.enumerated() {
            if index > 0 { try Terminal.write(",") }
            try text.withUnsafeBytes { try Terminal.write($0) }
        }
        try Terminal.write("]\n")
    }

    private func showCSV(_ answer: QueryAnswer) throws {
        let tables = ResultTable.tables(of: answer.frames)
        if tables.count > 1 {
            Terminal.report("notice", "the answer has \(tables.count) tables; an empty line is between them")
        }
        for (index, table) in tables.enumerated() {
            if index > 0 { try Terminal.write("\r\n") }
            try CSVText.write(table) { try Terminal.write($0) }
        }
    }

    private func showTables(_ answer: QueryAnswer) throws {
        if let lines = LogText(answer.frames) { return try showLines(lines) }
        let tables = ResultTable.tables(of: answer.frames)
        if tables.isEmpty, answer.failures.isEmpty {
            Terminal.report("notice", "no data; try a longer range with --from")
        }
        let layout = TableText(rowLimit: all ? nil : TableText.defaultRowLimit)
        for (index, table) in tables.enumerated() {
            if index > 0 { try Terminal.write("\n") }
            if tables.count > 1, !table.title.isEmpty { try Terminal.write(TerminalText.line(table.title) + "\n") }
            try Terminal.write(layout.text(of: table))
            let hidden = layout.hiddenRows(of: table)
            if hidden > 0 {
                Terminal.report("notice", "\(hidden) of \(table.rowCount) rows are not shown; --all shows them")
            }
        }
    }

    private func showLines(_ lines: LogText) throws {
        if lines.count == 0 { Terminal.report("notice", "no lines; try a longer range with --from") }
        let limit = all ? lines.count : min(lines.count, TableText.defaultRowLimit)
        try Terminal.write(lines.text(newest: limit))
        if limit < lines.count {
            let hidden = lines.count - limit
            Terminal.report("notice", "\(hidden) older of \(lines.count) lines are not shown; --all shows them")
        }
    }

    private func showChart(_ answer: QueryAnswer) throws {
        let terminal = Terminal.output(wantsColor: !noColor)
        let series = ChartSeries.all(of: answer.frames)
        guard let text = ChartText(width: terminal.width, usesColor: terminal.usesColor).text(of: series) else {
            guard answer.failures.isEmpty else { return }
            let fact = series.isEmpty ? "no time column with numbers" : "no number"
            throw CommandFailure(.badData, "chart: the answer has \(fact) to draw; show it with --format table")
        }
        try Terminal.write(text)
        let hidden = series.count - ChartText.seriesLimit
        if hidden > 0 {
            Terminal.report("notice", "\(hidden) more series are not drawn; narrow the query, or use --format table")
        }
    }
}
