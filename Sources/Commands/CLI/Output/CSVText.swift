// SPDX-License-Identifier: Apache-2.0

/// A table as comma-separated values: a header line, lines end with CR LF, nulls and missing samples are empty.
///
/// - SeeAlso: RFC 4180.
enum CSVText {
    /// Writes the table in pieces of some 64 KiB.
    static func write(_ table: ResultTable, to sink: (String) throws -> Void) rethrows {
        var text = line(table.columns.map { quoted($0.title) })
        for row in 0..<table.rowCount {
            text += line(
                table.columns.map { column in
                    if case .value(let value) = column.cell(row) { quoted(value) } else { "" }
                })
            if text.utf8.count > 65_536 {
                try sink(text)
                text = ""
            }
        }
        try sink(text)
    }

    private static func quoted(_ value: String) -> String {
        guard value.utf8.contains(where: { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }) else { return value }
        return "\"" + value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// A line of one empty value would be no line at all to some readers.
    private static func line(_ values: [String]) -> String {
        (values == [""] ? "\"\"" : values.joined(separator: ",")) + "\r\n"
    }
}
