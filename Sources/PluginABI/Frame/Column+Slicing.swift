// SPDX-License-Identifier: Apache-2.0

extension Column {
    /// The first rows, without a copy.
    ///
    /// - Precondition: `count` is not more than there are.
    public func prefix(_ count: Int) -> Column {
        precondition(count >= 0 && count <= self.count, "the first \(count) rows of a column with \(self.count)")
        let buffers = ColumnBuffers(validity: validity, offsets: offsets, values: values)
        var nulls = nullCount
        if nulls > 0, count < self.count { nulls -= (count..<self.count).count { isNull(at: $0) } }
        return Column(
            trusting: buffers, type: type, isNullable: isNullable, count: count, offset: offset, nullCount: nulls)
    }

    /// The rows of several columns of one type, one after the other, copied once.
    public static func joining(_ columns: [Column]) -> Column { Column(joining: columns) }

    /// The value of a column of signed integers; nil when it is null or the column is of another type.
    public func integer(at index: Int) -> Int64? {
        guard !isNull(at: index) else { return nil }
        switch type {
        case .int8: return Int64(Int8.load(from: self, at: index))
        case .int16: return Int64(Int16.load(from: self, at: index))
        case .int32: return Int64(Int32.load(from: self, at: index))
        case .int64: return Int64.load(from: self, at: index)
        default: return nil
        }
    }

    /// The bytes that the rows take, without what the buffers hold beyond them.
    public var byteCount: Int {
        let bits = (count + 7) / 8
        let nulls = validity == nil ? 0 : bits
        guard type.isText else { return nulls + (type == .bool ? bits : count * type.byteWidth) }
        guard count > 0, let offsets = offsets?.pointer else { return nulls }
        let first = offsets.load(fromByteOffset: offset * 4, as: Int32.self)
        let last = offsets.load(fromByteOffset: (offset + count) * 4, as: Int32.self)
        return nulls + (count + 1) * 4 + max(0, Int(last) - Int(first))
    }
}
