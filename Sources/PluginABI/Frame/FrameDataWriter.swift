// SPDX-License-Identifier: Apache-2.0

/// Writes the `data` object of frame JSON.
struct FrameDataWriter {
    let fields: [Field]
    /// The rows that JSON has no number for, by field.
    private var entities: [FloatEntities]
    /// Whether a field has times between milliseconds.
    private var hasNanos: [Bool]

    init(fields: [Field]) {
        self.fields = fields
        entities = Array(repeating: FloatEntities(), count: fields.count)
        hasNanos = Array(repeating: false, count: fields.count)
    }

    consuming func write(into out: inout ByteWriter) {
        out.append(literal: #"{"values":["#)
        for index in fields.indices {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            out.append(UInt8(ascii: "["))
            writeValues(of: index, into: &out)
            out.append(UInt8(ascii: "]"))
        }
        out.append(UInt8(ascii: "]"))
        if entities.contains(where: { !$0.isEmpty }) { writeEntities(into: &out) }
        if hasNanos.contains(true) { writeNanos(into: &out) }
        out.append(UInt8(ascii: "}"))
    }

    private mutating func writeValues(of index: Int, into out: inout ByteWriter) {
        let column = fields[index].column
        switch column.type {
        case .int8: writeIntegers(column, as: Int8.self, into: &out)
        case .int16: writeIntegers(column, as: Int16.self, into: &out)
        case .int32: writeIntegers(column, as: Int32.self, into: &out)
        case .int64: writeIntegers(column, as: Int64.self, into: &out)
        case .uint8: writeIntegers(column, as: UInt8.self, into: &out)
        case .uint16, .enum: writeIntegers(column, as: UInt16.self, into: &out)
        case .uint32: writeIntegers(column, as: UInt32.self, into: &out)
        case .uint64: writeIntegers(column, as: UInt64.self, into: &out)
        case .float32:
            entities[index] = writeFloats(column, as: Float.self, into: &out) { $0.append(decimal: $1) }
        case .float64:
            entities[index] = writeFloats(column, as: Double.self, into: &out) { $0.append(decimal: $1) }
        case .time: hasNanos[index] = writeTimes(column, into: &out)
        case .bool: writeBools(column, into: &out)
        case .string: writeTexts(column, into: &out) { $0.append(jsonString: $1) }
        case .json:
            writeTexts(column, into: &out) { out, text in
                if text.isEmpty { out.append(literal: "null") } else { out.append(text) }
            }
        }
    }

    /// Calls `append` for each row that is not null, with commas and nulls around.
    @inline(__always)
    private func forEachRow(
        of column: Column, into out: inout ByteWriter, _ append: (inout ByteWriter, Int) -> Void
    ) {
        let hasNulls = column.nullCount > 0
        for row in 0..<column.count {
            if row > 0 { out.append(UInt8(ascii: ",")) }
            if hasNulls && !column.isValidUnchecked(row) {
                out.append(literal: "null")
            } else {
                append(&out, row)
            }
        }
    }

    @inline(__always)
    private func writeIntegers<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ column: Column, as type: Integer.Type, into out: inout ByteWriter
    ) {
        column.withValues(as: type) { values in
            forEachRow(of: column, into: &out) { $0.append(decimal: values[$1]) }
        }
    }

    @inline(__always)
    private func writeFloats<Float: BinaryFloatingPoint & BitwiseCopyable>(
        _ column: Column, as type: Float.Type, into out: inout ByteWriter,
        append: (inout ByteWriter, Float) -> Void
    ) -> FloatEntities {
        var entities = FloatEntities()
        column.withValues(as: type) { values in
            forEachRow(of: column, into: &out) { out, row in
                let value = values[row]
                if value.isFinite {
                    append(&out, value)
                } else {
                    out.append(literal: "null")
                    entities.insert(row, isNaN: value.isNaN, isNegative: value < 0)
                }
            }
        }
        return entities
    }

    /// - Returns: Whether a time lies between milliseconds.
    private func writeTimes(_ column: Column, into out: inout ByteWriter) -> Bool {
        var rests: Int64 = 0
        var run = DecimalRun()
        column.withValues(as: Int64.self) { values in
            forEachRow(of: column, into: &out) { out, row in
                let (milliseconds, rest) = Timestamp.split(values[row])
                out.append(room: DecimalRun.room) { run.write(milliseconds, to: $0) }
                rests |= rest
            }
        }
        return rests != 0
    }

    private func writeBools(_ column: Column, into out: inout ByteWriter) {
        forEachRow(of: column, into: &out) { out, row in
            if column.loadBit(at: row) { out.append(literal: "true") } else { out.append(literal: "false") }
        }
    }

    @inline(__always)
    private func writeTexts(
        _ column: Column, into out: inout ByteWriter,
        append: (inout ByteWriter, UnsafeBufferPointer<UInt8>) -> Void
    ) {
        withExtendedLifetime(column) {
            forEachRow(of: column, into: &out) { append(&$0, column.textBytes(at: $1)) }
        }
    }

    private func writeEntities(into out: inout ByteWriter) {
        out.append(literal: #","entities":["#)
        for (index, entity) in entities.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            if entity.isEmpty { out.append(literal: "null") } else { entity.write(into: &out) }
        }
        out.append(UInt8(ascii: "]"))
    }

    private func writeNanos(into out: inout ByteWriter) {
        out.append(literal: #","nanos":["#)
        for (index, field) in fields.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            guard hasNanos[index] else {
                out.append(literal: "null")
                continue
            }
            out.append(UInt8(ascii: "["))
            for row in 0..<field.count {
                if row > 0 { out.append(UInt8(ascii: ",")) }
                let time: Int64 = field.column.isValidUnchecked(row) ? field.column.loadFixed(at: row) : 0
                out.append(decimal: Timestamp.split(time).rest)
            }
            out.append(UInt8(ascii: "]"))
        }
        out.append(UInt8(ascii: "]"))
    }
}

/// The rows of a field that hold NaN or an infinity.
private struct FloatEntities {
    var nan: [Int] = []
    var positive: [Int] = []
    var negative: [Int] = []

    var isEmpty: Bool { nan.isEmpty && positive.isEmpty && negative.isEmpty }

    @inline(never)
    mutating func insert(_ row: Int, isNaN: Bool, isNegative: Bool) {
        if isNaN {
            nan.append(row)
        } else if isNegative {
            negative.append(row)
        } else {
            positive.append(row)
        }
    }

    func write(into out: inout ByteWriter) {
        var isFirst = true
        out.append(UInt8(ascii: "{"))
        for (name, rows) in [("NaN", nan), ("Inf", positive), ("NegInf", negative)] where !rows.isEmpty {
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            out.append(jsonString: name)
            out.append(literal: ":[")
            for (index, row) in rows.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                out.append(decimal: row)
            }
            out.append(UInt8(ascii: "]"))
        }
        out.append(UInt8(ascii: "}"))
    }
}
