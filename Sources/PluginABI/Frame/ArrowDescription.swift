// SPDX-License-Identifier: Apache-2.0

/// One field of a frame as a sender described it, not checked yet.
public struct ArrowFieldDescription: Sendable {
    /// May be empty.
    public var name: String
    /// A format string of the Arrow C Data Interface.
    public var format: String
    /// Whether there may be nulls.
    public var isNullable: Bool
    /// Keys and values in order; a later one replaces an earlier one of the same key.
    public var metadata: [(key: String, value: String)]

    /// Describes a field by its parts.
    public init(name: String, format: String, isNullable: Bool, metadata: [(key: String, value: String)] = []) {
        self.name = name
        self.format = format
        self.isNullable = isNullable
        self.metadata = metadata
    }
}

/// One column of a batch of rows as a sender described it, not checked yet.
public struct ArrowColumnDescription: Sendable {
    /// The number of values.
    public var length: Int64
    /// Where they start in the buffers, in elements.
    public var offset: Int64
    /// A negative number when it is not known.
    public var nullCount: Int64
    /// Validity, and the buffers of the field's format after it; an empty one is none.
    public var buffers: [ArrowBuffer]

    /// Describes a column by its parts.
    public init(length: Int64, offset: Int64, nullCount: Int64, buffers: [ArrowBuffer]) {
        self.length = length
        self.offset = offset
        self.nullCount = nullCount
        self.buffers = buffers
    }
}

extension FrameSchema {
    /// Reads a schema that came in parts.
    ///
    /// - Throws: ``FrameError`` `.unsupportedType`, `.invalidMetadata`.
    public init(
        metadata: [(key: String, value: String)], describing fields: [ArrowFieldDescription]
    ) throws(FrameError) {
        var known: [Field] = []
        known.reserveCapacity(fields.count)
        for field in fields {
            let metadata = ArrowMetadata(pairs: field.metadata)
            guard let type = ArrowType(format: field.format, isEnum: metadata.isEnum) else {
                throw ArrowType.unsupported("'\(field.format)'", field: field.name)
            }
            known.append(
                try Field(name: field.name, arrow: type, isNullable: field.isNullable, metadata: metadata))
        }
        try self.init(metadata: ArrowMetadata(pairs: metadata), fields: known)
    }

    /// Makes a frame of a batch whose buffers have known sizes, and which nobody has checked.
    ///
    /// - Parameters:
    ///   - offset: where the rows start in every column.
    ///   - textLimit: the bytes of all texts of layouts that are copied.
    /// - Throws: ``FrameError`` `.invalidArrow`.
    /// - Complexity: O(1) for each column of numbers without nulls, else O(rows).
    public func frame(
        rows: Int64, offset: Int64, columns: [ArrowColumnDescription], textLimit: Int = .max
    ) throws(FrameError) -> DataFrame {
        guard columns.count == fields.count else {
            throw FrameError(
                .invalidArrow,
                "a batch of \(columns.count) columns for a frame of \(fields.count) fields; they have to match")
        }
        let limit = Int64(ColumnParts.maximumRows)
        guard (0...limit).contains(rows), (0...limit).contains(offset) else {
            throw FrameError(.invalidArrow, "a batch of length \(rows) at offset \(offset)")
        }
        var textLeft = textLimit
        var checked: [Column] = []
        checked.reserveCapacity(columns.count)
        for (field, column) in zip(fields, columns) {
            guard (0...limit).contains(column.length), (0...limit).contains(column.offset),
                column.length >= offset + rows
            else {
                throw FrameError(
                    .invalidArrow,
                    "field '\(field.name)': length \(column.length) at offset \(column.offset) in a batch of \(rows) "
                        + "rows at \(offset)")
            }
            let isWhole = column.length == rows
            let parts = ArrowArrayParts(
                count: Int(rows), offset: Int(column.offset + offset),
                nullCount: column.nullCount == 0 || (isWhole && column.nullCount > 0) ? Int(column.nullCount) : nil,
                buffers: column.buffers)
            checked.append(try parts.column(of: field, validation: .full, textLeft: &textLeft))
        }
        return frame(columns: checked)
    }
}

extension FrameSchema.Field {
    /// Whether the values mean nothing but themselves: no text that has to be UTF-8, no index, no offset.
    ///
    /// Such a buffer may be read in place although its sender can still write to it.
    public var hasPlainValues: Bool { !type.isText && type != .enum && (layout == .native || type == .time) }
}
