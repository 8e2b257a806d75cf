// SPDX-License-Identifier: Apache-2.0

/// Which rows of a column that is being made have a value: bit `index` is 1 for a value.
package struct ValidityBits: Sendable {
    /// nil: every row has one.
    package let bits: ArrowBuffer?
    /// The number of rows that are null.
    package let nullCount: Int

    /// The bits of an existing column, starting at bit 0; shared when they already do.
    package init(of column: Column) {
        guard column.nullCount > 0, let source = column.validity else {
            self.init(bits: nil, nullCount: 0)
            return
        }
        let aligned = column.offset == 0 ? source : Self.shifted(source, by: column.offset, count: column.count)
        self.init(bits: aligned, nullCount: column.nullCount)
    }

    /// The rows that have a value on both sides.
    ///
    /// - Precondition: Both are of columns with `count` rows.
    package init(_ left: ValidityBits, _ right: ValidityBits, count: Int) {
        guard let first = left.bits?.pointer, let second = right.bits?.pointer else {
            self = left.bits == nil ? right : left
            return
        }
        let memory = AlignedMemory(capacity: (count + 7) / 8)
        let target = memory.base.assumingMemoryBound(to: UInt8.self)
        let one = first.assumingMemoryBound(to: UInt8.self)
        let other = second.assumingMemoryBound(to: UInt8.self)
        for index in 0..<(count + 7) / 8 { target[index] = one[index] & other[index] }
        let ones = countOnes(UnsafeRawPointer(memory.base), from: 0, to: count)
        self.init(
            bits: ArrowBuffer(pointer: UnsafeRawPointer(memory.base), byteCount: (count + 7) / 8, owner: memory),
            nullCount: count - ones)
    }

    /// No row has a value.
    package init(allNull count: Int) {
        let memory = AlignedMemory(capacity: (count + 7) / 8)
        memory.base.initializeMemory(as: UInt8.self, repeating: 0, count: (count + 7) / 8)
        self.init(
            bits: ArrowBuffer(pointer: UnsafeRawPointer(memory.base), byteCount: (count + 7) / 8, owner: memory),
            nullCount: count)
    }

    private init(bits: ArrowBuffer?, nullCount: Int) {
        self.bits = nullCount == 0 ? nil : bits
        self.nullCount = nullCount
    }

    private static func shifted(_ source: ArrowBuffer, by offset: Int, count: Int) -> ArrowBuffer {
        let size = (count + 7) / 8
        let memory = AlignedMemory(capacity: size)
        let target = memory.base.assumingMemoryBound(to: UInt8.self)
        let bytes = source.bytes
        let shift = UInt8(offset & 7)
        for index in 0..<size {
            let place = offset >> 3 + index
            let next = place + 1 < bytes.count ? bytes[place + 1] : 0
            target[index] = shift == 0 ? bytes[place] : bytes[place] >> shift | next << (8 - shift)
        }
        return ArrowBuffer(pointer: UnsafeRawPointer(memory.base), byteCount: size, owner: memory)
    }
}

extension Column {
    /// A column of fixed width whose values are written in one go.
    ///
    /// - Parameter fill: Gets room for `count` values and writes all of them; what it writes for a null does not matter.
    package init<Element: FixedWidthElement>(
        filling count: Int, validity: ValidityBits? = nil, isNullable: Bool = true,
        _ fill: (UnsafeMutableBufferPointer<Element>) throws -> Void
    ) rethrows {
        let memory = AlignedMemory(capacity: count * MemoryLayout<Element>.stride)
        let start = memory.base.bindMemory(to: Element.self, capacity: count)
        try fill(UnsafeMutableBufferPointer(start: start, count: count))
        let values = ArrowBuffer(
            pointer: UnsafeRawPointer(memory.base), byteCount: count * MemoryLayout<Element>.stride, owner: memory)
        self.init(
            trusting: ColumnBuffers(validity: validity?.bits, offsets: nil, values: values),
            type: Element.fieldType, isNullable: isNullable, count: count, offset: 0,
            nullCount: validity?.nullCount ?? 0)
    }

    /// Whether both are the same rows of the same memory, or have equal values without nulls.
    ///
    /// - Precondition: Both are of one type of fixed width.
    package func isSameTimes(as other: Column) -> Bool {
        guard count == other.count, nullCount == 0, other.nullCount == 0 else { return false }
        return withValues(as: Int64.self) { left in
            other.withValues(as: Int64.self) { right in
                guard let first = left.baseAddress, let second = right.baseAddress else { return true }
                return first == second || Self.isEqual(first, second, count)
            }
        }
    }

    /// Compares in blocks, so that the loop over one can be vectorised.
    private static func isEqual(_ left: UnsafePointer<Int64>, _ right: UnsafePointer<Int64>, _ count: Int) -> Bool {
        var start = 0
        while start < count {
            let end = min(start + 1024, count)
            var difference: Int64 = 0
            for index in start..<end { difference |= left[index] ^ right[index] }
            guard difference == 0 else { return false }
            start = end
        }
        return true
    }

    /// The column that says of itself that it may have nulls; values and memory are the same.
    package var asNullable: Column {
        Column(
            trusting: ColumnBuffers(validity: validity, offsets: offsets, values: values), type: type,
            isNullable: true, count: count, offset: offset, nullCount: nullCount)
    }
}
