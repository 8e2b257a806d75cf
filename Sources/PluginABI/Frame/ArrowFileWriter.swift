// SPDX-License-Identifier: Apache-2.0

extension DataFrame {
    /// The frame as an Arrow IPC file, as plugins and their hosts exchange it.
    ///
    /// One record batch, none without rows; little-endian, no compression, no dictionaries. Rows past ``rowCount`` of
    /// longer fields are left out.
    public func arrowFile() -> [UInt8] {
        var out = ByteWriter(capacity: arrowSizeHint)
        writeArrowFile(into: &out)
        return out.finish()
    }

    /// Appends the frame as an Arrow IPC file.
    public func writeArrowFile(into out: inout ByteWriter) {
        out.reserve(arrowSizeHint)
        var writer = ArrowWriter(frame: self, start: out.count)
        out.append(ArrowFormat.magic)
        out.append(0, count: 2)
        writer.writeMessages(into: &out)
        writer.writeFooter(into: &out)
    }

    /// Appends the frame in the Arrow IPC stream format: schema, record batch, end.
    public func writeArrowStream(into out: inout ByteWriter) {
        out.reserve(arrowSizeHint)
        var writer = ArrowWriter(frame: self, start: out.count)
        writer.writeMessages(into: &out)
    }

    private var arrowSizeHint: Int {
        fields.reduce(4096) { sum, field in
            sum + 512 + field.column.values.byteCount + (field.count / 8) + (field.type.isText ? field.count * 4 : 0)
        }
    }
}

/// Writes the messages of one frame.
private struct ArrowWriter {
    /// The place of a message in the file, for the footer.
    struct Block {
        var offset: Int
        var metadata: Int
        var body: Int
    }

    let schema: FrameSchema
    let columns: [Column]
    let rows: Int
    /// Where the file starts in what is written.
    let start: Int
    var batches: [Block] = []

    init(frame: DataFrame, start: Int) {
        schema = FrameSchema(of: frame)
        rows = frame.rowCount
        self.start = start
        columns = frame.fields.map { [rows] in $0.column.forIPC(rows: rows) }
    }

    mutating func writeMessages(into out: inout ByteWriter) {
        write(metadata: schemaMessage(), into: &out)
        if rows > 0 {
            let offset = out.count - start
            let layout = BatchLayout(columns: columns, rows: rows)
            write(metadata: batchMessage(layout), into: &out)
            batches.append(Block(offset: offset, metadata: out.count - start - offset, body: layout.byteCount))
            layout.writeBody(into: &out)
        }
        out.append(raw: ArrowFormat.continuation)
        out.append(raw: Int32(0))
    }

    /// The marker, the length and the metadata, padded to 8.
    private func write(metadata: [UInt8], into out: inout ByteWriter) {
        out.append(raw: ArrowFormat.continuation)
        out.append(raw: Int32(truncatingIfNeeded: metadata.count).littleEndian)
        out.append(metadata)
    }

    private func schemaMessage() -> [UInt8] {
        var writer = FlatBufferWriter()
        let message = writer.message(header: ArrowFormat.Header.schema, bodyLength: 0)
        writer.schema(schema, at: message.places[2])
        return writer.finish()
    }

    private func batchMessage(_ layout: BatchLayout) -> [UInt8] {
        var writer = FlatBufferWriter()
        let message = writer.message(header: ArrowFormat.Header.recordBatch, bodyLength: layout.byteCount)
        let batch = writer.table([.long(Int64(rows)), .offset, .offset])
        writer.patch(message.places[2], to: batch.position)
        writer.structs(layout.nodes, perStruct: 2, at: batch.places[1])
        writer.structs(layout.places, perStruct: 2, at: batch.places[2])
        return writer.finish()
    }

    func writeFooter(into out: inout ByteWriter) {
        var writer = FlatBufferWriter()
        let footer = writer.table([.short(ArrowFormat.version), .offset, .offset, .offset])
        writer.patch(0, to: footer.position)
        writer.schema(schema, at: footer.places[1])
        writer.structs([], perStruct: 3, at: footer.places[2])
        let blocks = batches.flatMap { [Int64($0.offset), Int64($0.metadata), Int64($0.body)] }
        writer.structs(blocks, perStruct: 3, at: footer.places[3])
        let bytes = writer.finish()
        out.append(bytes)
        out.append(raw: Int32(truncatingIfNeeded: bytes.count).littleEndian)
        out.append(ArrowFormat.magic)
    }
}

/// Where the buffers of a record batch lie in its body; each starts at a multiple of 64.
private struct BatchLayout {
    /// Length and null count of each column.
    private(set) var nodes: [Int64] = []
    /// Offset and length of each buffer.
    private(set) var places: [Int64] = []
    private var parts: [UnsafeRawBufferPointer] = []
    private let columns: [Column]
    private(set) var byteCount = 0

    init(columns: [Column], rows: Int) {
        self.columns = columns
        for column in columns {
            nodes += [Int64(rows), Int64(column.nullCount)]
            append(column.nullCount == 0 ? nil : column.validity, byteCount: (rows + 7) / 8)
            if column.type.isText {
                append(column.offsets, byteCount: (rows + 1) * 4)
                append(column.values, byteCount: column.textByteCount)
            } else {
                append(column.values, byteCount: column.type == .bool ? (rows + 7) / 8 : rows * column.type.byteWidth)
            }
        }
    }

    private mutating func append(_ buffer: ArrowBuffer?, byteCount length: Int) {
        let bytes = buffer.map { UnsafeRawBufferPointer(rebasing: $0.bytes.prefix(length)) }
        places += [Int64(byteCount), Int64(bytes?.count ?? 0)]
        guard let bytes, bytes.count > 0 else { return }
        parts.append(bytes)
        byteCount += (bytes.count + 63) / 64 * 64
    }

    func writeBody(into out: inout ByteWriter) {
        withExtendedLifetime(columns) {
            for part in parts {
                out.append(part)
                out.append(0, count: (64 - part.count % 64) % 64)
            }
        }
    }
}

extension Column {
    /// The column with exactly `rows` rows that starts at element 0 and, for text, at byte 0.
    fileprivate func forIPC(rows: Int) -> Column {
        guard count == rows, offset == 0, !type.isText || firstTextByte == 0 else {
            return slice(0..<rows).compacted()
        }
        return self
    }

    private var firstTextByte: Int32 { count > 0 ? offsets?.bytes.loadUnaligned(as: Int32.self) ?? 0 : 0 }

    /// The end of the last text of a column that starts at element 0.
    fileprivate var textByteCount: Int {
        guard count > 0, let offsets else { return 0 }
        return Int(offsets.bytes.loadUnaligned(fromByteOffset: count * 4, as: Int32.self))
    }
}

extension FlatBufferWriter {
    fileprivate mutating func message(header: UInt8, bodyLength: Int) -> Table {
        let message = table([.short(ArrowFormat.version), .byte(header), .offset, .long(Int64(bodyLength))])
        patch(0, to: message.position)
        return message
    }

    /// Writes a `Schema` table and lets the offset at `place` point to it.
    fileprivate mutating func schema(_ schema: FrameSchema, at place: Int) {
        let root = table([.short(0), .offset, .offset])
        patch(place, to: root.position)
        let children = offsets(schema.fields.count, at: root.places[1])
        for (index, field) in schema.fields.enumerated() {
            self.field(field, at: children[index])
        }
        metadata(ArrowMetadata(frame: schema), at: root.places[2])
    }

    private mutating func field(_ field: FrameSchema.Field, at place: Int) {
        let (id, slots) = field.type.arrowType
        let root = table([
            .offset, .byte(field.isNullable ? 1 : 0), .byte(id), .offset, .absent, .offset, .offset,
        ])
        patch(place, to: root.position)
        text(field.name, at: root.places[0])
        let type = table(slots)
        patch(root.places[3], to: type.position)
        // Readers in C++ insist on the vector of children.
        _ = offsets(0, at: root.places[5])
        metadata(ArrowMetadata(field: field), at: root.places[6])
    }

    private mutating func metadata(_ metadata: ArrowMetadata, at place: Int) {
        let places = offsets(metadata.pairs.count, at: place)
        for (index, pair) in metadata.pairs.enumerated() {
            let entry = table([.offset, .offset])
            patch(places[index], to: entry.position)
            text(pair.key, at: entry.places[0])
            text(pair.value, at: entry.places[1])
        }
    }
}
