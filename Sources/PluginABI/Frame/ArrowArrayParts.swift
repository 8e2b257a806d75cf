// SPDX-License-Identifier: Apache-2.0

/// One array as it came, from a C struct or a record batch: its buffers in the order of the Arrow format.
struct ArrowArrayParts {
    var count: Int
    var offset = 0
    /// nil when it is not known.
    var nullCount: Int?
    /// Validity first; an empty one is none.
    var buffers: [ArrowBuffer]

    private var validity: ArrowBuffer? {
        guard let first = buffers.first, first.pointer != nil, first.byteCount > 0 else { return nil }
        return first
    }

    /// The column of a field; used in place when the layout is our own, else converted.
    ///
    /// - Parameter textLeft: how many bytes of text may still be copied. Views may name the same bytes many times, so that
    ///   small buffers can stand for huge columns.
    func column(
        of field: FrameSchema.Field, validation: FrameValidation, textLeft: inout Int
    ) throws(FrameError) -> Column {
        let needed = field.type.isText ? 3 : 2
        guard buffers.count >= needed else {
            throw FrameError(.invalidArrow, "field '\(field.name)' has \(buffers.count) buffers and needs \(needed)")
        }
        switch field.layout {
        case .native:
            return try Column(validating: parts(of: field), level: validation, field: field.name)
        case .timestamp(let factor):
            return try Column(validating: parts(of: field), level: validation, field: field.name)
                .scaled(by: factor, field: field.name)
        case .largeText:
            return try converted(field, validation, &textLeft) { row, _ throws(FrameError) in
                try largeText(row, field)
            }
        case .textView:
            return try converted(field, validation, &textLeft) { row, blocks throws(FrameError) in
                try textView(row, blocks, field)
            }
        }
    }

    private func parts(of field: FrameSchema.Field) -> ColumnParts {
        var parts = ColumnParts(
            type: field.type, isNullable: field.isNullable, count: count, values: buffers[field.type.isText ? 2 : 1])
        parts.offset = offset
        parts.nullCount = nullCount
        parts.validity = validity
        parts.offsets = field.type.isText ? buffers[1] : nil
        return parts
    }

    // MARK: - Copies of text

    private typealias Bytes = UnsafeBufferPointer<UInt8>

    /// Copies texts that `text` finds; it gets the row and the data blocks of views.
    private func converted(
        _ field: FrameSchema.Field, _ validation: FrameValidation, _ textLeft: inout Int,
        text: (Int, ArraySlice<ArrowBuffer>) throws(FrameError) -> Bytes
    ) throws(FrameError) -> Column {
        let width = field.layout == .textView ? 16 : 8
        let elements = field.layout == .textView ? 0 : 1
        // The checks of length, offset and validity are those of a column with elements of that width.
        var probe = ColumnParts(type: .bool, isNullable: field.isNullable, count: count, values: buffers[1])
        (probe.offset, probe.nullCount, probe.validity) = (offset, nullCount, validity)
        let valid = try Column(validating: probe, level: .basic, field: field.name)
        guard count == 0 || buffers[1].byteCount >= (offset + count + elements) * width else {
            throw FrameError(.invalidArrow, "field '\(field.name)': \(count) texts are not all in the buffer")
        }
        var storage = ColumnStorage(type: field.type, capacity: count)
        for row in 0..<count {
            guard valid.isValidUnchecked(row) else {
                String.storeNull(in: &storage)
                storage.countNull()
                continue
            }
            let bytes = try text(row, buffers.dropFirst(2))
            guard storage.values.byteCount + bytes.count <= Int32.max else {
                throw FrameError(
                    .invalidArrow, "field '\(field.name)' has more than 2 GiB of text; send several frames")
            }
            guard bytes.count <= textLeft else {
                throw FrameError(
                    .invalidArrow, "field '\(field.name)': its text is longer than all that may still be sent")
            }
            textLeft -= bytes.count
            storage.appendText(bytes)
            storage.countValue()
        }
        let column = Column(trusting: storage, type: field.type, isNullable: field.isNullable)
        return validation == .basic ? column : try column.validated(field: field.name)
    }

    /// The text of a row between two 64-bit offsets.
    private func largeText(_ row: Int, _ field: FrameSchema.Field) throws(FrameError) -> Bytes {
        let place = (offset + row) * 8
        let start = buffers[1].bytes.loadUnaligned(fromByteOffset: place, as: Int64.self)
        let end = buffers[1].bytes.loadUnaligned(fromByteOffset: place + 8, as: Int64.self)
        guard start >= 0, start <= end, let bytes = buffers[2].slice(offset: Int(start), byteCount: Int(end - start))
        else { throw outside(row, field) }
        return bytes.bytes.assumingMemoryBound(to: UInt8.self)
    }

    /// The text of a row: up to 12 bytes in the view itself, else a place in a block.
    private func textView(
        _ row: Int, _ blocks: ArraySlice<ArrowBuffer>, _ field: FrameSchema.Field
    ) throws(FrameError) -> Bytes {
        let place = (offset + row) * 16
        let views = buffers[1].bytes
        let length = Int(views.loadUnaligned(fromByteOffset: place, as: Int32.self))
        guard length >= 0 else { throw outside(row, field) }
        if length <= 12 {
            return Bytes(rebasing: views.assumingMemoryBound(to: UInt8.self)[(place + 4)..<(place + 4 + length)])
        }
        let block = Int(views.loadUnaligned(fromByteOffset: place + 8, as: Int32.self))
        let start = Int(views.loadUnaligned(fromByteOffset: place + 12, as: Int32.self))
        guard block >= 0, block < blocks.count,
            let bytes = blocks[blocks.startIndex + block].slice(offset: start, byteCount: length)
        else { throw outside(row, field) }
        return bytes.bytes.assumingMemoryBound(to: UInt8.self)
    }

    private func outside(_ row: Int, _ field: FrameSchema.Field) -> FrameError {
        FrameError(.invalidArrow, "field '\(field.name)': the text of row \(row) lies outside its buffer")
    }
}

extension Column {
    /// Times in nanoseconds from times in a unit of so many nanoseconds.
    fileprivate func scaled(by factor: Int64, field: String) throws(FrameError) -> Column {
        var builder = ColumnBuilder<Timestamp>(isNullable: isNullable, capacity: count)
        for row in 0..<count {
            guard isValidUnchecked(row) else {
                builder.appendNull()
                continue
            }
            let (product, overflow) = (loadFixed(at: row) as Int64).multipliedReportingOverflow(by: factor)
            guard !overflow else {
                throw FrameError(
                    .invalidArrow,
                    "field '\(field)': the time of row \(row) is outside 1677 … 2262; frames keep nanoseconds")
            }
            builder.append(Timestamp(nanoseconds: product))
        }
        return builder.finish()
    }
}
