// SPDX-License-Identifier: Apache-2.0

extension DataFrame {
    /// Reads a frame from the bytes of an Arrow IPC file; they are copied once.
    ///
    /// - Throws: ``FrameError`` `.invalidArrow`, `.unsupportedType`, `.invalidMetadata`.
    public init(arrow bytes: [UInt8], validation: FrameValidation = .full) throws(FrameError) {
        let copy = bytes.withUnsafeBytes { ArrowBuffer(copying: $0) }
        try self.init(arrow: copy, validation: validation)
    }

    /// Reads a frame from the bytes of an Arrow IPC file.
    ///
    /// The columns of a file with one record batch refer to its bytes; several batches are joined. Compressed batches and
    /// dictionaries are not read, times of any unit become nanoseconds.
    ///
    /// - Parameter textLimit: the bytes of all texts of layouts that are copied, such as views.
    /// - Throws: ``FrameError`` `.invalidArrow`, `.unsupportedType`, `.invalidMetadata`.
    /// - SeeAlso: Apache Arrow, `docs/source/format/Columnar.rst`, "IPC File Format".
    public init(
        arrow file: ArrowBuffer, validation: FrameValidation = .full, textLimit: Int = .max
    ) throws(FrameError) {
        self = try ArrowFileReader(file: file, validation: validation, textLimit: textLimit).frame()
    }
}

/// Reads one Arrow IPC file.
private struct ArrowFileReader {
    let file: ArrowBuffer
    let validation: FrameValidation
    let textLimit: Int

    func frame() throws(FrameError) -> DataFrame {
        let footer = try footer()
        guard let schemaTable = try footer.table(1) else { throw failure("the footer has no schema") }
        let schema = try FrameSchema(arrow: schemaTable)
        let blocks = try footer.vector(3, stride: 24)
        var budget = file.byteCount
        var textLeft = textLimit
        var batches: [[Column]] = []
        for index in 0..<blocks.count {
            let offset = try blocks.number(index, as: Int64.self)
            let metadata = Int64(try blocks.number(index, offset: 8, as: Int32.self))
            let body = try blocks.number(index, offset: 16, as: Int64.self)
            // Blocks that overlap could make a small file stand for a huge frame.
            guard offset >= 0, metadata >= 8, body >= 0, metadata <= budget, body <= Int64(budget) - metadata else {
                throw failure("record batch \(index) lies outside the file")
            }
            budget -= Int(metadata + body)
            batches.append(try batch(at: Int(offset), metadata: Int(metadata), body: Int(body), schema, &textLeft))
        }
        guard let first = batches.first else { return schema.emptyFrame }
        guard batches.count > 1 else { return schema.frame(columns: first) }
        return schema.frame(columns: try joined(batches, schema))
    }

    private func joined(_ batches: [[Column]], _ schema: FrameSchema) throws(FrameError) -> [Column] {
        var columns: [Column] = []
        for (index, field) in schema.fields.enumerated() {
            let parts = batches.map { $0[index] }
            let textBytes = field.type.isText ? parts.reduce(0) { $0 + $1.values.byteCount } : 0
            guard textBytes <= Int32.max else { throw failure("field '\(field.name)' has more than 2 GiB of text") }
            columns.append(Column(joining: parts))
        }
        return columns
    }

    private func failure(_ fact: String) -> FrameError {
        FrameError(.invalidArrow, "not a valid Arrow file: \(fact); the sender has to write the IPC file format")
    }

    /// The footer: before the closing magic and its own length.
    private func footer() throws(FrameError) -> FlatTable {
        let count = file.byteCount
        let magic = ArrowFormat.magic
        guard count >= 8 + 4 + magic.count, file.bytes.starts(with: magic),
            file.bytes[(count - magic.count)...].elementsEqual(magic)
        else { throw failure("\(count) bytes without ARROW1 at both ends") }
        let length = Int(file.bytes.loadUnaligned(fromByteOffset: count - magic.count - 4, as: Int32.self))
        guard length > 0, let bytes = file.slice(offset: count - magic.count - 4 - length, byteCount: length) else {
            throw failure("a footer of \(length) bytes in a file of \(count)")
        }
        let footer = try FlatBuffer(bytes.bytes).root()
        try check(version: footer.number(0, default: 0))
        return footer
    }

    private func check(version: Int16) throws(FrameError) {
        guard (ArrowFormat.oldestVersion...ArrowFormat.version).contains(version) else {
            throw failure("metadata version \(version) is not V4 or V5")
        }
    }

    private func batch(
        at offset: Int, metadata: Int, body: Int, _ schema: FrameSchema, _ textLeft: inout Int
    ) throws(FrameError) -> [Column] {
        guard let head = file.slice(offset: offset, byteCount: metadata),
            let body = file.slice(offset: offset + metadata, byteCount: body)
        else { throw failure("a record batch lies outside the file") }
        // Files before 0.15 have no continuation marker.
        let hasMarker = head.bytes.loadUnaligned(as: UInt32.self) == ArrowFormat.continuation
        let start = hasMarker ? 8 : 4
        let message = try FlatBuffer(UnsafeRawBufferPointer(rebasing: head.bytes[start...])).root()
        try check(version: message.number(0, default: 0))
        guard try message.number(1, default: UInt8(0)) == ArrowFormat.Header.recordBatch,
            let table = try message.table(2)
        else { throw failure("a block that is not a record batch") }
        return try ArrowBatchReader(table: table, body: body).columns(
            of: schema, validation: validation, textLeft: &textLeft)
    }
}

/// Reads the columns of one record batch.
private struct ArrowBatchReader {
    let rows: Int
    let nodes: FlatVector
    let buffers: FlatVector
    let viewCounts: FlatVector
    let body: ArrowBuffer
    var nextBuffer = 0
    var nextViewCount = 0
    /// What buffers may still take; together they are not larger than the body, in which they do not overlap.
    var budget: Int

    init(table: FlatTable, body: ArrowBuffer) throws(FrameError) {
        guard try !table.hasField(3) else {
            throw FrameError(.unsupportedType, "the Arrow file is compressed; write it without compression")
        }
        let length = try table.number(0, default: Int64(0))
        guard length >= 0, length <= ColumnParts.maximumRows else {
            throw FrameError(.invalidArrow, "a record batch of \(length) rows")
        }
        rows = Int(length)
        nodes = try table.vector(1, stride: 16)
        buffers = try table.vector(2, stride: 16)
        viewCounts = try table.vector(4, stride: 8)
        self.body = body
        budget = body.byteCount
    }

    func columns(
        of schema: FrameSchema, validation: FrameValidation, textLeft: inout Int
    ) throws(FrameError) -> [Column] {
        var reader = self
        var columns: [Column] = []
        guard nodes.count == schema.fields.count else {
            throw FrameError(
                .invalidArrow, "a record batch of \(nodes.count) columns for \(schema.fields.count) fields")
        }
        for (index, field) in schema.fields.enumerated() {
            columns.append(try reader.column(index, field, validation, &textLeft))
        }
        return columns
    }

    private mutating func column(
        _ index: Int, _ field: FrameSchema.Field, _ validation: FrameValidation, _ textLeft: inout Int
    ) throws(FrameError) -> Column {
        let length = try nodes.number(index, as: Int64.self)
        let nullCount = try nodes.number(index, offset: 8, as: Int64.self)
        guard length == Int64(rows), nullCount <= length else {
            throw FrameError(
                .invalidArrow, "field '\(field.name)' has \(length) rows and \(nullCount) nulls in a batch of \(rows)")
        }
        var count = field.type.isText ? 3 : 2
        if field.layout == .textView {
            let blocks = try viewCounts.number(nextViewCount, as: Int64.self)
            nextViewCount += 1
            guard blocks >= 0, blocks <= buffers.count else { throw FlatBuffer.failure }
            count = 2 + Int(blocks)
        }
        var parts = ArrowArrayParts(count: rows, nullCount: nullCount < 0 ? nil : Int(nullCount), buffers: [])
        for _ in 0..<count { parts.buffers.append(try buffer(of: field)) }
        if field.layout == .textView { parts.buffers.append(.empty) }
        return try parts.column(of: field, validation: validation, textLeft: &textLeft)
    }

    private mutating func buffer(of field: FrameSchema.Field) throws(FrameError) -> ArrowBuffer {
        let offset = try buffers.number(nextBuffer, as: Int64.self)
        let length = try buffers.number(nextBuffer, offset: 8, as: Int64.self)
        nextBuffer += 1
        guard length >= 0, length <= budget else {
            throw FrameError(
                .invalidArrow, "field '\(field.name)' has a buffer of \(length) bytes, more than there are")
        }
        guard length > 0 else { return .empty }
        budget -= Int(length)
        guard let buffer = body.slice(offset: Int(offset), byteCount: Int(length)) else {
            throw FrameError(.invalidArrow, "field '\(field.name)' has a buffer outside the record batch")
        }
        return buffer
    }
}

extension FrameSchema {
    /// Reads a `Schema` table.
    fileprivate init(arrow table: FlatTable) throws(FrameError) {
        guard try table.number(0, default: Int16(0)) == 0 else {
            throw FrameError(.unsupportedType, "the Arrow file is big-endian; write it little-endian")
        }
        let children = try table.vector(1, stride: 4)
        guard children.count <= ArrowLimits.fields else {
            throw FrameError(.invalidArrow, "\(children.count) fields; a frame has at most \(ArrowLimits.fields)")
        }
        var fields: [Field] = []
        for index in 0..<children.count {
            fields.append(try Field(arrow: children.table(index)))
        }
        try self.init(metadata: ArrowMetadata(arrow: table.vector(2, stride: 4)), fields: fields)
    }
}

extension FrameSchema.Field {
    /// Reads a `Field` table.
    fileprivate init(arrow table: FlatTable) throws(FrameError) {
        let name = try table.text(0) ?? ""
        let id = try table.number(2, default: UInt8(0))
        let metadata = try ArrowMetadata(arrow: table.vector(6, stride: 4))
        guard let typeTable = try table.table(3), try !table.hasField(4),
            let type = try ArrowType(id: id, table: typeTable, isEnum: metadata.isEnum)
        else { throw ArrowType.unsupported("number \(id)", field: name) }
        try self.init(name: name, arrow: type, isNullable: table.bool(1), metadata: metadata)
    }
}

extension ArrowMetadata {
    /// Reads a vector of `KeyValue` tables.
    fileprivate init(arrow vector: FlatVector) throws(FrameError) {
        self.init()
        guard vector.count <= ArrowLimits.metadataPairs else {
            throw FrameError(
                .invalidArrow, "\(vector.count) pairs of metadata; the limit is \(ArrowLimits.metadataPairs)")
        }
        for index in 0..<vector.count {
            let pair = try vector.table(index)
            pairs.append((key: try pair.text(0) ?? "", value: try pair.text(1) ?? ""))
        }
    }
}
