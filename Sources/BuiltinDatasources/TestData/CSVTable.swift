// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// A CSV text as fields.
///
/// The first line names the fields; the type of a field is the narrowest that all its values have: bool, int64, float64,
/// else string, and time for fields whose name contains "time". All fields are nullable.
struct CSVTable {
    var fields: [Field]

    /// - Throws: ``ScenarioFailure`` for a text that is no CSV.
    init(_ text: String) throws {
        var reader = CSVReader(text)
        let header: [String]
        do {
            guard let first = try reader.record() else { throw ScenarioFailure("EOF") }
            header = first
        } catch let failure as ScenarioFailure {
            throw ScenarioFailure("failed to read header line: \(failure.message)")
        }
        var columns = [[String]](repeating: [], count: header.count)
        do {
            while let record = try reader.record() {
                guard record.count == header.count else {
                    throw ScenarioFailure("record on line \(reader.recordLine): wrong number of fields")
                }
                for (index, cell) in record.enumerated() { columns[index].append(cell) }
            }
        } catch let failure as ScenarioFailure {
            throw ScenarioFailure("failed to read line: \(failure.message)")
        }
        fields = zip(header, columns).map { Self.field(named: $0, cells: $1) }
    }

    private static func field(named header: String, cells: [String]) -> Field {
        var name = ScenarioText.trimmed(header)
        var labels: Labels?
        if name.last == "}", let brace = name.firstIndex(of: "{") {
            labels = ScenarioQuery.labels(String(name[brace...]))
            name = ScenarioText.trimmed(name[..<brace])
        }
        let texts = cells.map(cellText)
        let isTime = name.lowercased().contains("time")
        return Field(name, column: (isTime ? timeColumn(texts) : nil) ?? column(texts), labels: labels)
    }

    /// The trimmed text of a cell; nil for an empty one and for `null`.
    private static func cellText(_ cell: String) -> String? {
        let text = ScenarioText.trimmed(cell)
        return text.isEmpty || text == "null" ? nil : text
    }

    /// Values with the narrowest type that fits all of them.
    static func column(ofCells cells: [String]) -> Column { column(cells.map(cellText)) }

    private static func column(_ texts: [String?]) -> Column {
        if let first = texts.first, bool(first) != nil { return Column(texts.map(bool)) }
        let present = texts.compactMap { $0 }
        guard !present.isEmpty else { return Column(texts) }
        if present.allSatisfy({ Int64($0) != nil }) { return Column(texts.map { $0.flatMap { Int64($0) } }) }
        if present.allSatisfy({ Double($0) != nil }) { return Column(texts.map { $0.flatMap { Double($0) } }) }
        return Column(texts)
    }

    private static func bool(_ text: String?) -> Bool? {
        switch text?.lowercased() {
        case "t", "true": true
        case "f", "false": false
        default: nil
        }
    }

    /// - Returns: nil when no cell is a time.
    private static func timeColumn(_ texts: [String?]) -> Column? {
        let times = texts.map { text -> Timestamp? in
            guard let text else { return nil }
            if let number = Double(text) { return time(milliseconds: number) }
            return ScenarioText.rfc3339(text).map { Timestamp(nanoseconds: $0) }
        }
        return times.contains { $0 != nil } ? Column(times) : nil
    }

    private static func time(milliseconds: Double) -> Timestamp? {
        guard abs(milliseconds) < 9_223_372_036_854 else { return nil }
        return Timestamp(nanoseconds: Int64(milliseconds * 1e6))
    }
}

/// Reads records as RFC 4180 describes them, with LF or CRLF; empty lines are skipped.
struct CSVReader {
    private var rest: ArraySlice<UInt8>
    private var line = 1
    /// Where the last record began, counted from 1.
    private(set) var recordLine = 1

    init(_ text: String) { rest = Array(text.utf8)[...] }

    /// The next record, or nil at the end.
    ///
    /// - Throws: ``ScenarioFailure`` for a quote in the wrong place.
    mutating func record() throws -> [String]? {
        while skipLineEnd() {}
        guard !rest.isEmpty else { return nil }
        recordLine = line
        var cells: [String] = []
        while true {
            cells.append(try cell())
            guard rest.first == UInt8(ascii: ",") else { break }
            rest.removeFirst()
        }
        _ = skipLineEnd()
        return cells
    }

    private mutating func skipLineEnd() -> Bool {
        if rest.starts(with: [13, 10]) { rest.removeFirst() }
        guard rest.first == 10 else { return false }
        rest.removeFirst()
        line += 1
        return true
    }

    private mutating func cell() throws -> String {
        if rest.first == UInt8(ascii: "\"") { return try quotedCell() }
        var text = rest.prefix { $0 != UInt8(ascii: ",") && $0 != 10 }
        rest = rest[text.endIndex...]
        guard !text.contains(UInt8(ascii: "\"")) else {
            throw ScenarioFailure("parse error on line \(line): bare \" in non-quoted field")
        }
        if text.last == 13, rest.first == 10 || rest.isEmpty { text.removeLast() }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func quotedCell() throws -> String {
        let failure = ScenarioFailure("parse error on line \(line): extraneous or missing \" in quoted-field")
        var text: [UInt8] = []
        rest.removeFirst()
        while true {
            guard let byte = rest.popFirst() else { throw failure }
            if byte == UInt8(ascii: "\"") {
                guard rest.first == byte else { break }
                rest.removeFirst()
            }
            if byte == 10 { line += 1 }
            text.append(byte)
        }
        let isEnd = rest.isEmpty || rest.first == UInt8(ascii: ",") || rest.first == 10 || rest.starts(with: [13, 10])
        guard isEnd else { throw failure }
        return String(decoding: text, as: UTF8.self)
    }
}
