// SPDX-License-Identifier: Apache-2.0

/// A table for the eye: columns aligned, numbers to the right.
struct TableText {
    /// The most rows to show; nil for all.
    var rowLimit: Int?

    /// Long tables are cut at this many rows unless somebody asks for all.
    static let defaultRowLimit = 100

    /// The number of rows that are not shown.
    func hiddenRows(of table: ResultTable) -> Int {
        rowLimit.map { max(0, table.rowCount - $0) } ?? 0
    }

    /// The lines of the table, each with its line feed.
    func text(of table: ResultTable) -> String {
        let count = table.rowCount - hiddenRows(of: table)
        let columns = table.columns.map { column in
            let title = TerminalText.line(column.title)
            let cells = (0..<count).map { Self.shown(column.cell($0)) }
            let width = cells.reduce(TerminalText.width(title)) { max($0, TerminalText.width($1)) }
            return (title: title, cells: cells, width: width, isNumeric: column.isNumeric)
        }
        var text = Self.line(columns.map { TerminalText.padded($0.title, to: $0.width, atEnd: $0.isNumeric) })
        text += Self.line(columns.map { String(repeating: "-", count: $0.width) })
        for row in 0..<count {
            text += Self.line(columns.map { TerminalText.padded($0.cells[row], to: $0.width, atEnd: $0.isNumeric) })
        }
        return text
    }

    private static func shown(_ cell: Cell) -> String {
        switch cell {
        case .missing: ""
        case .null: "null"
        case .value(let text): TerminalText.line(text)
        }
    }

    private static func line(_ cells: [String]) -> String {
        var line = cells.joined(separator: "  ")
        while line.last == " " { line.removeLast() }
        return line + "\n"
    }
}
