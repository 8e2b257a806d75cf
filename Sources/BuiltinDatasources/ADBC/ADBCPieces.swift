// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Hands on the rows of a batch in pieces that budgets can be kept with; values stay where they are.
struct ADBCPieces {
    let columns: [Column]
    let rowCount: Int
    private let rowsPerPiece: Int
    private var position = 0

    /// The most rows of a piece: few enough that the first ones are written out while more are read.
    private static let maximumRows = 65_536

    /// - Parameter bytes: About how many a piece may have.
    init(columns: [Column], rowCount: Int, bytes: Int) {
        self.columns = columns
        self.rowCount = rowCount
        let bytesPerRow = max(1, columns.reduce(0) { $0 + $1.byteCount } / max(1, rowCount))
        // Whole bytes of bitmaps, where there are that many rows.
        let rows = max(1, min(Self.maximumRows, bytes / bytesPerRow))
        rowsPerPiece = rows < 8 ? rows : rows & ~7
    }

    mutating func next() -> SQLBatch? {
        guard position < rowCount else { return nil }
        let count = min(rowCount - position, rowsPerPiece)
        defer { position += count }
        return SQLBatch(
            columns: columns.map { $0.piece(from: position, count: count) }, rowCount: count, isLast: false)
    }
}

/// Keeps the memory of a column.
private final class HeldColumn: Sendable {
    let column: Column

    init(_ column: Column) { self.column = column }
}

extension Column {
    /// Some rows in the same memory.
    ///
    /// Buffers begin near the first row, so that whoever copies the piece copies no rows before it. The offsets of texts are
    /// written anew for that.
    ///
    /// - Precondition: The rows are there.
    func piece(from start: Int, count: Int) -> Column {
        if start == 0 { return prefix(count) }
        let owner = HeldColumn(self)
        // A bitmap begins with a whole byte.
        let kept = (offset + start) & 7
        let skipped = offset + start - kept
        let end = kept + count
        func part(_ buffer: ArrowBuffer, _ from: Int, _ byteCount: Int) -> ArrowBuffer {
            ArrowBuffer(pointer: buffer.pointer.map { $0 + from }, byteCount: byteCount, owner: owner)
        }
        var parts = ColumnParts(type: type, isNullable: isNullable, count: count, values: values)
        parts.offset = kept
        parts.nullCount = nullCount == 0 ? 0 : nil
        parts.validity = validity.map { part($0, skipped / 8, (end + 7) / 8) }
        if let places = offsets?.pointer, type.isText {
            let first = (places + skipped * 4).assumingMemoryBound(to: Int32.self)
            let moved = (0...end).map { first[$0] - first[0] }
            parts.offsets = moved.withUnsafeBytes { ArrowBuffer(copying: $0) }
            parts.values = part(values, Int(first[0]), Int(moved[end]))
        } else {
            let isBool = type == .bool
            parts.values = part(
                values, isBool ? skipped / 8 : skipped * type.byteWidth,
                isBool ? (end + 7) / 8 : end * type.byteWidth)
        }
        // A part of a column that was checked fits.
        return (try? Column(validating: parts, level: .basic)) ?? Column(empty: type, isNullable: true)
    }
}
