// SPDX-License-Identifier: Apache-2.0

/// Series as lines in a terminal, with axes and a legend.
///
/// In colour, or with one series only, lines are drawn with braille dots; else each series has its own mark.
struct ChartText {
    /// Columns of the whole chart.
    var width: Int
    var usesColor: Bool
    /// Lines of the drawing without axis and legend.
    var height = 16

    /// More lines than this cannot be told apart.
    static let seriesLimit = 12

    private static let marks: [Character] = Array("*+xo#@%&=~^$")
    private static let colors = [36, 33, 35, 32, 34, 31, 96, 93, 95, 92, 94, 91]

    /// The chart; nil when no series has a number to draw.
    ///
    /// - Parameter series: The first ``seriesLimit`` are drawn.
    func text(of series: [ChartSeries]) -> String? {
        let series = Array(series.prefix(Self.seriesLimit))
        let values = series.flatMap(\.finiteValues)
        let times = series.flatMap(\.times)
        guard let low = values.min(), let high = values.max(), let first = times.min(), let last = times.max() else {
            return nil
        }
        let scale = ValueScale(low: low, high: high, count: max(height / 4, 1))
        let timeScale = TimeScale(first: first, last: last)
        let labels = scale.ticks.map { (row: row(of: $0, scale), text: scale.label($0)) }
        let margin = labels.map(\.text.count).max() ?? 0
        var canvas = BrailleCanvas(columns: max(width - margin - 2, 10), rows: height)
        for (index, series) in series.enumerated() { draw(series, index, scale, timeScale, on: &canvas) }
        let range = "\(TimeText(nanoseconds: first).iso) to \(TimeText(nanoseconds: last).iso)"
        return plot(canvas, labels, margin, isSingle: series.count == 1)
            + axis(timeScale, columns: canvas.columns, margin: margin)
            + "\(String(repeating: " ", count: margin + 2))\(range)\n"
            + legend(series)
    }

    private func row(of value: Double, _ scale: ValueScale) -> Int {
        Int(((1 - scale.position(of: value)) * Double(height * 4 - 1)).rounded()) / 4
    }

    private func draw(
        _ series: ChartSeries, _ index: Int, _ scale: ValueScale, _ timeScale: TimeScale, on canvas: inout BrailleCanvas
    ) {
        var last: (x: Int, y: Int)?
        for (time, value) in zip(series.times, series.values) {
            guard let value, value.isFinite else {
                last = nil
                continue
            }
            let x = Int((timeScale.position(of: time) * Double(canvas.dotColumns - 1)).rounded())
            let y = Int(((1 - scale.position(of: value)) * Double(canvas.dotRows - 1)).rounded())
            canvas.line(from: last ?? (x, y), to: (x, y), series: index)
            last = (x, y)
        }
    }

    private func plot(
        _ canvas: BrailleCanvas, _ labels: [(row: Int, text: String)], _ margin: Int, isSingle: Bool
    ) -> String {
        (0..<height).map { row in
            let label = labels.first { $0.row == row }
            let start = TerminalText.padded(label?.text ?? "", to: margin, atEnd: true) + (label == nil ? " │" : " ┤")
            var line = ""
            for column in 0..<canvas.columns {
                line += cell(canvas, column, row, isSingle: isSingle)
            }
            return start + Self.withoutSpacesAtEnd(line) + "\n"
        }.joined()
    }

    private func cell(_ canvas: BrailleCanvas, _ column: Int, _ row: Int, isSingle: Bool) -> String {
        guard let owner = canvas.owner(column: column, row: row) else { return " " }
        guard isSingle || usesColor else { return String(Self.marks[owner]) }
        return colored(String(canvas.glyph(column: column, row: row)), series: owner)
    }

    private func colored(_ text: String, series: Int) -> String {
        usesColor ? "\u{1B}[\(Self.colors[series])m\(text)\u{1B}[0m" : text
    }

    private func axis(_ scale: TimeScale, columns: Int, margin: Int) -> String {
        var line = Array(repeating: Character("─"), count: columns)
        var labels = ""
        for (time, label) in scale.ticks(columns: columns) {
            let column = Int((scale.position(of: time) * Double(columns - 1)).rounded())
            line[column] = "┬"
            // A label begins left of its mark, unless that would leave the chart or touch the one before.
            let start = min(max(column - label.count / 2, 0), columns - label.count)
            guard start >= labels.count + (labels.isEmpty ? 0 : 1) else { continue }
            labels += String(repeating: " ", count: start - labels.count) + label
        }
        let space = String(repeating: " ", count: margin + 1)
        return "\(space)└\(String(line))\n\(space) \(labels)\n"
    }

    private func legend(_ series: [ChartSeries]) -> String {
        let isSingle = series.count == 1
        return series.enumerated().map { index, series in
            let mark = usesColor || isSingle ? "■" : String(Self.marks[index])
            let values = series.finiteValues
            let facts =
                if let low = values.min(), let high = values.max(), let last = values.last {
                    "min \(CellText.brief(low))  max \(CellText.brief(high))  last \(CellText.brief(last))"
                } else {
                    "no numbers"
                }
            let room = max(width - facts.count - 4, 20)
            let name = TerminalText.shortened(TerminalText.line(series.name), to: room)
            return "\(colored(mark, series: index)) \(name)  \(facts)\n"
        }.joined()
    }

    private static func withoutSpacesAtEnd(_ line: String) -> String {
        var line = line[...]
        while line.last == " " { line.removeLast() }
        return String(line)
    }
}
