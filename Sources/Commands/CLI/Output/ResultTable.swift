// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One value of a table.
enum Cell: Equatable, Sendable {
    /// The series has no sample at this time.
    case missing
    case null
    case value(String)
}

/// A frame, or series side by side, as rows and columns of text.
struct ResultTable: Sendable {
    /// A column; the texts are made when they are asked for.
    struct Column: Sendable {
        var title: String
        var field: Field
        /// The row of the field for each row of the table, -1 for none; nil when both have the same rows.
        var rows: [Int32]?

        var isNumeric: Bool { field.type.isNumeric }

        func cell(_ row: Int) -> Cell {
            guard let rows else { return CellText.cell(of: field, at: row) }
            return rows[row] < 0 ? .missing : CellText.cell(of: field, at: Int(rows[row]))
        }
    }

    /// What the frame calls itself; may be empty.
    var title: String
    var columns: [Column]
    var rowCount: Int
}

extension ResultTable {
    /// One table for a single frame or for series that can stand side by side, else one table a frame.
    ///
    /// Frames without fields are left out.
    static func tables(of frames: [DataFrame]) -> [ResultTable] {
        let frames = frames.filter { !$0.fields.isEmpty }
        if frames.count > 1, let joined = SeriesJoin(frames)?.table() { return [joined] }
        return frames.map { frame in
            let columns = frame.fields.map { Column(title: SeriesTitle.text(of: $0, in: frame), field: $0) }
            return ResultTable(title: frame.name, columns: columns, rowCount: frame.rowCount)
        }
    }
}

/// How a column or a line of a chart is called.
enum SeriesTitle {
    /// The display name if there is one, else the name with the labels: `up{job="node"}`.
    static func text(of field: Field, in frame: DataFrame) -> String {
        for name in [field.config?.displayNameFromDS, field.config?.displayName] {
            if let name, !name.isEmpty { return name }
        }
        let isPlain = field.name.isEmpty || field.name.lowercased() == "value"
        let labels = (field.labels ?? [:]).filter { $0.key != "__name__" }.sorted { $0.key < $1.key }
        let metric = field.labels?["__name__"] ?? ""
        let name = isPlain ? (frame.name.isEmpty ? metric : frame.name) : field.name
        guard !labels.isEmpty else { return name.isEmpty ? field.name : name }
        let pairs = labels.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ", ")
        // Some sources repeat the labels in the frame's name.
        return name.contains("{") ? name : "\(name){\(pairs)}"
    }
}

/// Frames of one time column and numbers, joined by time.
struct SeriesJoin {
    private let frames: [DataFrame]
    private let times: [[Int64]]

    /// Nil unless each frame starts with a time column without nulls that ascends and has only numbers besides.
    init?(_ frames: [DataFrame]) {
        var times: [[Int64]] = []
        for frame in frames {
            guard let first = frame.fields.first, first.type == .time, first.column.nullCount == 0,
                frame.fields.count > 1, frame.fields.dropFirst().allSatisfy({ $0.type.isNumeric || $0.type == .bool })
            else { return nil }
            let column = first.column.withValues(as: Int64.self) { Array($0) }
            guard zip(column, column.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
            times.append(column)
        }
        self.frames = frames
        self.times = times
    }

    /// All series beside one time column.
    func table() -> ResultTable {
        let isShared = times.dropFirst().allSatisfy { $0 == times[0] }
        let union = isShared ? times[0] : Self.union(times)
        let time = Field(frames[0].fields[0].name, union.map { Timestamp(nanoseconds: $0) })
        var columns = [ResultTable.Column(title: time.name, field: time)]
        for (frame, own) in zip(frames, times) {
            let rows = isShared ? nil : Self.rows(of: own, in: union)
            columns += frame.fields.dropFirst().map {
                ResultTable.Column(title: SeriesTitle.text(of: $0, in: frame), field: $0, rows: rows)
            }
        }
        return ResultTable(title: "", columns: columns, rowCount: union.count)
    }

    private static func union(_ lists: [[Int64]]) -> [Int64] {
        var union: [Int64] = []
        for time in lists.flatMap({ $0 }).sorted() where union.last != time { union.append(time) }
        return union
    }

    private static func rows(of times: [Int64], in union: [Int64]) -> [Int32] {
        var next = 0
        return union.map { time in
            guard next < times.count, times[next] == time else { return -1 }
            defer { next += 1 }
            return Int32(clamping: next)
        }
    }
}
