// SPDX-License-Identifier: Apache-2.0

extension Column {
    /// The values of several columns of one type in a row, copied.
    ///
    /// The result is nullable when one of them is.
    init(joining columns: [Column]) {
        let type = columns.first?.type ?? .float64
        var storage = ColumnStorage(type: type, capacity: columns.reduce(0) { $0 + $1.count })
        for column in columns {
            storage.append(column)
        }
        self.init(trusting: storage, type: type, isNullable: columns.contains(where: \.isNullable))
    }

    /// The column with a copy of its own values, starting at element 0.
    package func compacted() -> Column { Column(joining: [self]) }
}

extension ColumnStorage {
    /// Appends all values of a column of the same type.
    fileprivate mutating func append(_ column: Column) {
        if column.nullCount == 0, validity == nil, column.type != .bool {
            appendValues(of: column)
            count += column.count
            return
        }
        for index in 0..<column.count {
            appendValue(of: column, at: index)
            if column.isValidUnchecked(index) {
                countValue()
            } else {
                countNull()
            }
        }
    }

    /// Appends the values in one go, without validity.
    private mutating func appendValues(of column: Column) {
        if column.type.isText {
            for index in 0..<column.count { appendText(column.textBytes(at: index)) }
        } else if column.count > 0, let source = column.values.pointer {
            let width = column.type.byteWidth
            let first = (source + column.offset * width).assumingMemoryBound(to: UInt8.self)
            values.append(UnsafeBufferPointer(start: first, count: column.count * width))
        }
    }

    private mutating func appendValue(of column: Column, at index: Int) {
        switch column.type {
        case .string, .json:
            appendText(column.textBytes(at: index))
        case .bool:
            values.appendBit(column.loadBit(at: index), at: count)
        default:
            switch column.type.byteWidth {
            case 1: values.append(column.loadFixed(at: index) as UInt8)
            case 2: values.append(column.loadFixed(at: index) as UInt16)
            case 4: values.append(column.loadFixed(at: index) as UInt32)
            default: values.append(column.loadFixed(at: index) as UInt64)
            }
        }
    }
}

extension Column: Equatable {
    /// Whether type, nullability, nulls and values are equal; any NaN equals any other, 0 and -0 differ.
    public static func == (left: Column, right: Column) -> Bool {
        guard left.type == right.type, left.isNullable == right.isNullable, left.count == right.count,
            left.nullCount == right.nullCount
        else { return false }
        return (0..<left.count).allSatisfy { index in
            let isValid = left.isValidUnchecked(index)
            guard isValid == right.isValidUnchecked(index) else { return false }
            return !isValid || left.hasSameValue(as: right, at: index)
        }
    }

    private func hasSameValue(as other: Column, at index: Int) -> Bool {
        switch type {
        case .string, .json: return textBytes(at: index).elementsEqual(other.textBytes(at: index))
        case .bool: return loadBit(at: index) == other.loadBit(at: index)
        case .float32 where (loadFixed(at: index) as Float).isNaN: return (other.loadFixed(at: index) as Float).isNaN
        case .float64 where (loadFixed(at: index) as Double).isNaN: return (other.loadFixed(at: index) as Double).isNaN
        default: break
        }
        switch type.byteWidth {
        case 1: return loadFixed(at: index) as UInt8 == other.loadFixed(at: index)
        case 2: return loadFixed(at: index) as UInt16 == other.loadFixed(at: index)
        case 4: return loadFixed(at: index) as UInt32 == other.loadFixed(at: index)
        default: return loadFixed(at: index) as UInt64 == other.loadFixed(at: index)
        }
    }
}

extension Column {
    /// Some of the rows, without a copy.
    ///
    /// - Precondition: `rows` lies in `0..<count`.
    public func slice(_ rows: Range<Int>) -> Column {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= count, "rows \(rows) of a column with \(count) rows")
        let start = offset + rows.lowerBound
        let nulls = validity?.pointer.map { rows.count - countOnes($0, from: start, to: start + rows.count) } ?? 0
        return Column(
            trusting: ColumnBuffers(validity: validity, offsets: offsets, values: values), type: type,
            isNullable: isNullable, count: rows.count, offset: start, nullCount: nulls)
    }
}
