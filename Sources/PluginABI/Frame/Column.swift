// SPDX-License-Identifier: Apache-2.0

/// The values of one field as immutable Arrow buffers, wherever they lie.
///
/// Value `index` is element `offset + index` of the buffers. The bit of a value in `validity` is 1 when it is not null;
/// without `validity` nothing is null. Text has `count + 1` 32-bit `offsets` into `values`; bools are bits.
public struct Column: Sendable {
    /// The type of the values.
    public let type: FieldType
    /// Whether there may be nulls.
    public let isNullable: Bool
    /// The number of rows.
    public let count: Int
    /// Where the column starts in the buffers, in elements.
    public let offset: Int
    /// The number of rows that are null.
    public let nullCount: Int
    /// One bit a row, 1 for a value; nil when there are no nulls.
    public let validity: ArrowBuffer?
    /// For text only.
    public let offsets: ArrowBuffer?
    /// Numbers, bits or the bytes of texts.
    public let values: ArrowBuffer

    /// Takes over buffers that were checked or built here.
    init(
        trusting buffers: ColumnBuffers, type: FieldType, isNullable: Bool, count: Int, offset: Int, nullCount: Int
    ) {
        self.type = type
        self.isNullable = isNullable
        self.count = count
        self.offset = offset
        self.nullCount = nullCount
        validity = buffers.validity
        offsets = buffers.offsets
        values = buffers.values
    }

    init(trusting storage: ColumnStorage, type: FieldType, isNullable: Bool) {
        let buffers = ColumnBuffers(
            validity: storage.validity?.buffer(),
            offsets: type.isText ? storage.offsets.buffer() : nil,
            values: storage.values.buffer())
        self.init(
            trusting: buffers, type: type, isNullable: isNullable, count: storage.count, offset: 0,
            nullCount: storage.nullCount)
    }

    /// A column that is not nullable.
    @inlinable
    public init<Element: ColumnElement>(_ elements: some Sequence<Element>) {
        var builder = ColumnBuilder<Element>(capacity: elements.underestimatedCount)
        for element in elements { builder.append(element) }
        self = builder.finish()
    }

    /// A nullable column.
    @inlinable
    public init<Element: ColumnElement>(_ elements: some Sequence<Element?>) {
        var builder = ColumnBuilder<Element>(isNullable: true, capacity: elements.underestimatedCount)
        for element in elements { builder.append(element) }
        self = builder.finish()
    }

    /// A column without values.
    public init(empty type: FieldType, isNullable: Bool = false) {
        self.init(trusting: ColumnStorage(type: type, capacity: 0), type: type, isNullable: isNullable)
    }
}

/// The three buffers of a column.
struct ColumnBuffers {
    var validity: ArrowBuffer?
    var offsets: ArrowBuffer?
    var values: ArrowBuffer
}

// MARK: - Reading

extension Column {
    /// Whether a row has no value.
    ///
    /// - Precondition: `index` is in `0..<count`.
    @inlinable
    public func isNull(at index: Int) -> Bool {
        precondition(index >= 0 && index < count, "row \(index) of a column with \(count) rows")
        return !isValidUnchecked(index)
    }

    @inlinable
    func isValidUnchecked(_ index: Int) -> Bool {
        guard let bits = validity?.pointer else { return true }
        let bit = offset &+ index
        return (bits.load(fromByteOffset: bit >> 3, as: UInt8.self) >> UInt8(truncatingIfNeeded: bit & 7)) & 1 == 1
    }

    /// The value of a row; nil when it is null, or when the column is of another type.
    ///
    /// - Precondition: `index` is in `0..<count`.
    @inlinable
    public subscript<Element: ColumnElement>(index: Int, as type: Element.Type) -> Element? {
        guard !isNull(at: index), self.type == Element.fieldType else { return nil }
        return Element.load(from: self, at: index)
    }

    /// The text of a string or JSON column; nil when it is null, or when the column is of another type.
    public func string(at index: Int) -> String? {
        guard !isNull(at: index), type.isText else { return nil }
        return String.load(from: self, at: index)
    }

    /// A number, bool (0 or 1), enum index or time (milliseconds) as a `Double`; nil for null and for text.
    public func double(at index: Int) -> Double? {
        guard !isNull(at: index) else { return nil }
        switch type {
        case .int8: return Double(Int8.load(from: self, at: index))
        case .int16: return Double(Int16.load(from: self, at: index))
        case .int32: return Double(Int32.load(from: self, at: index))
        case .int64: return Double(Int64.load(from: self, at: index))
        case .uint8: return Double(UInt8.load(from: self, at: index))
        case .uint16: return Double(UInt16.load(from: self, at: index))
        case .uint32: return Double(UInt32.load(from: self, at: index))
        case .uint64: return Double(UInt64.load(from: self, at: index))
        case .float32: return Double(Float.load(from: self, at: index))
        case .float64: return Double.load(from: self, at: index)
        case .bool: return Bool.load(from: self, at: index) ? 1 : 0
        case .time: return Double(Timestamp.load(from: self, at: index).nanoseconds) / 1e6
        case .enum: return Double(EnumIndex.load(from: self, at: index).value)
        case .string, .json: return nil
        }
    }

    /// Calls `body` with the bytes of a text; there are none when it is null or the column is of another type.
    @inlinable
    public func withUTF8<Result>(
        at index: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result {
        guard !isNull(at: index), type.isText else { return try body(UnsafeBufferPointer(start: nil, count: 0)) }
        return try withExtendedLifetime(self) { try body(textBytes(at: index)) }
    }

    /// Calls `body` with all values of a column of fixed width, nulls included; what stands for a null is undefined.
    ///
    /// - Precondition: `Value` has the width of the column: 8 bytes for time (nanoseconds), 2 for enum.
    @inlinable
    public func withValues<Value: BitwiseCopyable, Result>(
        as type: Value.Type, _ body: (UnsafeBufferPointer<Value>) throws -> Result
    ) rethrows -> Result {
        precondition(
            MemoryLayout<Value>.stride == self.type.byteWidth,
            "values of \(MemoryLayout<Value>.stride) bytes in a column whose values have \(self.type.byteWidth)")
        return try withExtendedLifetime(self) {
            guard count > 0, let pointer = values.pointer else {
                return try body(UnsafeBufferPointer(start: nil, count: 0))
            }
            let first = (pointer + offset * MemoryLayout<Value>.stride).assumingMemoryBound(to: Value.self)
            return try body(UnsafeBufferPointer(start: first, count: count))
        }
    }

    @inlinable
    func loadFixed<Value: BitwiseCopyable>(at index: Int) -> Value {
        // '!' is fine: a column of fixed width with a row has values
        values.pointer!.loadUnaligned(
            fromByteOffset: (offset &+ index) &* MemoryLayout<Value>.stride, as: Value.self)
    }

    @inlinable
    func loadBit(at index: Int) -> Bool {
        let bit = offset &+ index
        // '!' is fine: a bool column with a row has values
        let byte = values.pointer!.load(fromByteOffset: bit >> 3, as: UInt8.self)
        return (byte >> UInt8(truncatingIfNeeded: bit & 7)) & 1 == 1
    }

    /// The bytes of a text; offsets that point outside (possible after basic validation only) give none.
    @inlinable
    func textBytes(at index: Int) -> UnsafeBufferPointer<UInt8> {
        let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        guard let offsets = offsets?.pointer, let bytes = values.pointer else { return none }
        let place = (offset &+ index) &* 4
        let start = Int(offsets.load(fromByteOffset: place, as: Int32.self))
        let end = Int(offsets.load(fromByteOffset: place &+ 4, as: Int32.self))
        guard start >= 0, start <= end, end <= values.byteCount else { return none }
        return UnsafeBufferPointer(start: (bytes + start).assumingMemoryBound(to: UInt8.self), count: end - start)
    }
}
