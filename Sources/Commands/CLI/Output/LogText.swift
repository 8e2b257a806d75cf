// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Log lines for the eye: time, level and line, oldest first.
struct LogText {
    private let rows: [Row]

    private struct Row {
        var time: Timestamp
        var level: String
        var line: String
    }

    /// Nil when a frame holds something other than log lines.
    ///
    /// - Parameter frames: In the shape of Grafana's Loki source, or `log-lines` of the data-plane contract.
    init?(_ frames: [DataFrame]) {
        var rows: [Row] = []
        let frames = frames.filter { !$0.fields.isEmpty }
        for frame in frames {
            let isContract = frame.meta?.type == "log-lines"
            guard isContract || frame.meta?.custom?["frameType"]?.string == "LabeledTimeValues",
                let times = frame.field(named: isContract ? "timestamp" : "Time")?.column, times.type == .time,
                let lines = frame.field(named: isContract ? "body" : "Line")?.column
            else { return nil }
            let labels = frame.field(named: "labels")?.column
            for row in 0..<frame.rowCount {
                guard let time = times[row, as: Timestamp.self] else { continue }
                let level = labels?.string(at: row).map(Self.level) ?? ""
                rows.append(Row(time: time, level: level, line: lines.string(at: row) ?? ""))
            }
        }
        guard !frames.isEmpty else { return nil }
        // Stable: lines of one time stay in the order of the answer.
        self.rows = rows.sorted { $0.time < $1.time }
    }

    var count: Int { rows.count }

    /// The newest lines, each with its line feed; what is in a line cannot steer the terminal.
    func text(newest limit: Int) -> String {
        let shown = rows.suffix(limit)
        let width = shown.reduce(0) { max($0, TerminalText.width($1.level)) }
        return shown.reduce(into: "") { text, row in
            let time = TimeText(nanoseconds: row.time.nanoseconds).isoNanoseconds
            let level = width == 0 ? "" : "  " + TerminalText.padded(row.level, to: width, atEnd: false)
            text += "\(time)\(level)  \(TerminalText.line(row.line))\n"
        }
    }

    /// What Loki and its clients call the level, by the label that has it.
    private static func level(_ labels: String) -> String {
        guard let labels = try? JSONValue(parsing: labels) else { return "" }
        let name = ["detected_level", "level", "severity"].first { labels[$0]?.string?.isEmpty == false }
        return name.flatMap { labels[$0]?.string }.map { TerminalText.line(TerminalText.shortened($0, to: 12)) } ?? ""
    }
}
