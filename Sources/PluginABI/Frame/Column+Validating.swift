// SPDX-License-Identifier: Apache-2.0

/// The raw parts of a column from outside, not checked yet.
public struct ColumnParts: Sendable {
    /// The type of the values.
    public var type: FieldType
    /// Whether there may be nulls.
    public var isNullable: Bool
    /// The number of rows.
    public var count: Int
    /// Where the column starts in the buffers, in elements.
    public var offset = 0
    /// nil when it is not known and has to be counted.
    public var nullCount: Int?
    /// One bit a row, 1 for a value.
    public var validity: ArrowBuffer?
    /// For text only: 32-bit offsets into `values`, one more than rows.
    public var offsets: ArrowBuffer?
    /// Numbers, bits or the bytes of texts.
    public var values: ArrowBuffer

    /// Parts without nulls that start at the front of the buffers.
    public init(type: FieldType, isNullable: Bool, count: Int, values: ArrowBuffer) {
        self.type = type
        self.isNullable = isNullable
        self.count = count
        self.values = values
    }

    /// More rows than this are taken for a mistake: 2^40, so that sizes in bytes never overflow.
    static let maximumRows = 1 << 40

    fileprivate var end: Int { offset + count }
}

extension Column {
    /// Takes over buffers from outside after checking them; buffers that are not aligned are copied.
    ///
    /// - Throws: ``FrameError`` `.invalidArrow` when lengths, offsets, counts or texts do not fit together; `field` names
    ///   the culprit.
    public init(validating parts: ColumnParts, level: FrameValidation = .full, field: String = "") throws(FrameError) {
        var parts = parts
        let check = PartsCheck(field: field, parts: parts)
        try check.lengths()
        let nullCount = try check.nullCount()
        parts.values = parts.values.aligned(to: parts.type.byteWidth)
        if nullCount == 0 { parts.validity = nil }
        if parts.type.isText {
            parts.offsets = parts.count == 0 ? nil : parts.offsets?.aligned(to: 4)
            try PartsCheck(field: field, parts: parts).texts(level: level)
        }
        self.init(
            trusting: ColumnBuffers(validity: parts.validity, offsets: parts.offsets, values: parts.values),
            type: parts.type, isNullable: parts.isNullable, count: parts.count, offset: parts.offset,
            nullCount: nullCount)
    }
}

extension Column {
    /// The column after a full check.
    func validated(field: String) throws(FrameError) -> Column {
        var parts = ColumnParts(type: type, isNullable: isNullable, count: count, values: values)
        (parts.offset, parts.nullCount, parts.validity, parts.offsets) = (offset, nullCount, validity, offsets)
        return try Column(validating: parts, level: .full, field: field)
    }
}

/// The checks of one column.
private struct PartsCheck {
    let field: String
    let parts: ColumnParts

    func failure(_ fact: String) -> FrameError {
        FrameError(.invalidArrow, "field '\(field)': \(fact); the sender has to write valid Arrow arrays")
    }

    func lengths() throws(FrameError) {
        let limit = ColumnParts.maximumRows
        guard parts.count >= 0, parts.offset >= 0, parts.count <= limit, parts.offset <= limit else {
            throw failure("length \(parts.count) or offset \(parts.offset) is out of range")
        }
        let needed: Int
        switch parts.type {
        case .string, .json: needed = 0
        case .bool: needed = (parts.end + 7) / 8
        default: needed = parts.end * parts.type.byteWidth
        }
        guard parts.count == 0 || parts.values.byteCount >= needed else {
            throw failure("\(parts.values.byteCount) bytes of values where \(parts.end) rows need \(needed)")
        }
        let offsetBytes = parts.offsets?.byteCount ?? 0
        guard parts.count == 0 || !parts.type.isText || offsetBytes >= (parts.end + 1) * 4 else {
            throw failure("\(offsetBytes) bytes of offsets where \(parts.end) rows need \((parts.end + 1) * 4)")
        }
    }

    func nullCount() throws(FrameError) -> Int {
        guard parts.nullCount != 0, parts.count > 0 else { return 0 }
        guard let validity = parts.validity, let bits = validity.pointer else {
            if let claimed = parts.nullCount, claimed > 0 {
                throw failure("\(claimed) nulls without a validity bitmap")
            }
            return 0
        }
        guard validity.byteCount >= (parts.end + 7) / 8 else {
            throw failure("a validity bitmap of \(validity.byteCount) bytes for \(parts.end) rows")
        }
        let nulls = parts.count - countOnes(bits, from: parts.offset, to: parts.end)
        guard nulls == 0 || parts.isNullable else { throw failure("\(nulls) nulls in a field that is not nullable") }
        return nulls
    }

    func texts(level: FrameValidation) throws(FrameError) {
        guard parts.count > 0, let raw = parts.offsets?.pointer else { return }
        let first = (raw + parts.offset * 4).assumingMemoryBound(to: Int32.self)
        let offsets = UnsafeBufferPointer(start: first, count: parts.count + 1)
        guard offsets[0] >= 0, offsets[0] <= offsets[parts.count], Int(offsets[parts.count]) <= parts.values.byteCount
        else {
            throw failure("texts from \(offsets[0]) to \(offsets[parts.count]) in \(parts.values.byteCount) bytes")
        }
        guard level == .full else { return }
        var previous = offsets[0]
        for offset in offsets {
            guard offset >= previous else { throw failure("text offset \(offset) follows \(previous)") }
            previous = offset
        }
        guard let bytes = parts.values.pointer else { return }
        let base = bytes.assumingMemoryBound(to: UInt8.self)
        for row in 0..<parts.count {
            let start = Int(offsets[row])
            let text = UnsafeBufferPointer(start: base + start, count: Int(offsets[row + 1]) - start)
            guard isValid(text) || isNull(row) else {
                throw failure("row \(row) is not \(parts.type == .json ? "JSON" : "UTF-8")")
            }
        }
    }

    /// Whether a text is UTF-8, and JSON if it is to be; an empty text stands for a JSON null.
    private func isValid(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard parts.type == .json, let start = text.baseAddress, !text.isEmpty else { return UTF8Check.isValid(text) }
        var scanner = JSONScanner(start: start, count: text.count)
        do {
            // It will lie inside the JSON of frames and responses, which nest a few levels themselves.
            try scanner.skipValue(depth: 16)
            try scanner.finish()
            return true
        } catch {
            return false
        }
    }

    private func isNull(_ row: Int) -> Bool {
        guard let bits = parts.validity?.pointer else { return false }
        let bit = parts.offset + row
        return (bits.load(fromByteOffset: bit >> 3, as: UInt8.self) >> UInt8(bit & 7)) & 1 == 0
    }
}

/// The number of bits that are 1 in `from..<to`.
func countOnes(_ bits: UnsafeRawPointer, from: Int, to: Int) -> Int {
    var count = 0
    var bit = from
    while bit < to {
        if bit & 7 == 0, to - bit >= 64 {
            count += bits.loadUnaligned(fromByteOffset: bit >> 3, as: UInt64.self).nonzeroBitCount
            bit += 64
        } else if bit & 7 == 0, to - bit >= 8 {
            count += bits.load(fromByteOffset: bit >> 3, as: UInt8.self).nonzeroBitCount
            bit += 8
        } else {
            count += Int(bits.load(fromByteOffset: bit >> 3, as: UInt8.self) >> UInt8(bit & 7)) & 1
            bit += 1
        }
    }
    return count
}
