// SPDX-License-Identifier: Apache-2.0
import CADBC
import CPluginABI
import PluginABI

/// Rows of an Arrow array of a driver, or of a part of one: a view, which owns nothing.
///
/// ``check(rows:)`` comes first. It holds every length, offset and index against the others; what the C Data Interface does
/// not tell, and nobody can check, is how long a buffer is.
struct ADBCArray {
    let array: ArrowArray
    let field: ADBCField
    /// Where the rows begin, counted from the array's own offset.
    var start = 0

    /// More rows than this are a mistake: sizes in bytes then never overflow.
    static let maximumRows: Int64 = 1 << 40

    /// The first row, counted from the start of the buffers.
    var base: Int { Int(array.offset) + start }

    func buffer(_ index: Int) -> UnsafeRawPointer? {
        index < Int(array.n_buffers) ? array.buffers?[index] : nil
    }

    /// A child; only after ``check(rows:)``.
    func child(_ index: Int, _ field: ADBCField, start: Int = 0) -> ADBCArray {
        // '!' is fine: the check has seen all children
        ADBCArray(array: array.children![index]!.pointee, field: field, start: start)
    }

    func dictionary(_ field: ADBCField) -> ADBCArray {
        // '!' is fine: the check has seen the dictionary
        ADBCArray(array: array.dictionary!.pointee, field: field)
    }

    /// Whether the bitmap says that a row is null; dictionaries and runs may be null by their values as well.
    func isNull(_ row: Int) -> Bool {
        switch field.type {
        case .null: return true
        case .union, .runs: return false
        default:
            guard array.null_count != 0, let bits = buffer(0) else { return false }
            let bit = base + row
            return (bits.load(fromByteOffset: bit >> 3, as: UInt8.self) >> UInt8(bit & 7)) & 1 == 0
        }
    }

    /// The element of a buffer of numbers.
    func load<Value: BitwiseCopyable & Numeric>(_ row: Int, buffer index: Int = 1, as type: Value.Type = Value.self)
        -> Value
    {
        // '!' is fine: the check has seen the buffer
        buffer(index)!.loadUnaligned(fromByteOffset: (base + row) * MemoryLayout<Value>.size, as: Value.self)
    }

    func integer(_ row: Int, bytes: Int, isSigned: Bool, buffer index: Int = 1) -> Int64 {
        switch (bytes, isSigned) {
        case (1, true): Int64(load(row, buffer: index) as Int8)
        case (1, false): Int64(load(row, buffer: index) as UInt8)
        case (2, true): Int64(load(row, buffer: index) as Int16)
        case (2, false): Int64(load(row, buffer: index) as UInt16)
        case (4, true): Int64(load(row, buffer: index) as Int32)
        case (4, false): Int64(load(row, buffer: index) as UInt32)
        case (_, true): load(row, buffer: index) as Int64
        case (_, false): Int64(clamping: load(row, buffer: index) as UInt64)
        }
    }

    /// Follows dictionaries, runs and unions to the array that holds the value; nil for a null.
    func resolve(_ row: Int) -> (array: ADBCArray, row: Int)? {
        guard !isNull(row) else { return nil }
        switch field.type {
        case .dictionary(let bytes, let isSigned, let values):
            return dictionary(values).resolve(Int(integer(row, bytes: bytes, isSigned: isSigned)))
        case .runs(_, let values): return child(1, values).resolve(run(of: row))
        case .union(let isDense, let ids, let fields):
            let id = load(row, buffer: 0, as: Int8.self)
            guard let index = ids.firstIndex(of: id) else { return nil }
            guard isDense else { return child(index, fields[index], start: base).resolve(row) }
            return child(index, fields[index]).resolve(Int(load(row, buffer: 1, as: Int32.self)))
        default: return (self, row)
        }
    }

    /// The place of the run that a row lies in.
    private func run(of row: Int) -> Int {
        let ends = child(0, runEnds)
        let position = base + row
        var (low, high) = (0, Int(ends.array.length) - 1)
        while low < high {
            let middle = (low + high) / 2
            if ends.end(middle) > position { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private var runEnds: ADBCField {
        guard case .runs(let bytes, _) = field.type else { return field }
        return ADBCField(name: field.name, type: .integer(bytes: bytes, isSigned: true))
    }

    private func end(_ row: Int) -> Int {
        guard case .integer(let bytes, _) = field.type else { return 0 }
        return Int(integer(row, bytes: bytes, isSigned: true))
    }

    // MARK: Texts and lists

    /// The bytes of a text, of binary data of any layout; nil when they do not lie in their buffer.
    func bytes(_ row: Int) -> UnsafeBufferPointer<UInt8>? {
        switch field.type {
        case .fixedBinary(let size):
            guard size > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
            return slice(of: buffer(1), (base + row) * size, size)
        case .text(.views), .binary(.views): return view(row)
        default:
            let (from, to) = range(row)
            return from < to ? slice(of: buffer(2), from, to - from) : UnsafeBufferPointer(start: nil, count: 0)
        }
    }

    private func slice(of buffer: UnsafeRawPointer?, _ offset: Int, _ count: Int) -> UnsafeBufferPointer<UInt8>? {
        guard let buffer else { return nil }
        return UnsafeBufferPointer(start: (buffer + offset).assumingMemoryBound(to: UInt8.self), count: count)
    }

    private func view(_ row: Int) -> UnsafeBufferPointer<UInt8>? {
        guard let views = buffer(1) else { return nil }
        let place = views + (base + row) * 16
        let length = Int(place.loadUnaligned(as: Int32.self))
        guard length > 12 else { return slice(of: place, 4, max(0, length)) }
        let block = Int(place.loadUnaligned(fromByteOffset: 8, as: Int32.self))
        let offset = Int(place.loadUnaligned(fromByteOffset: 12, as: Int32.self))
        let blocks = Int(array.n_buffers) - 3
        guard block >= 0, block < blocks, offset >= 0, let sizes = buffer(Int(array.n_buffers) - 1),
            Int64(offset + length) <= sizes.loadUnaligned(fromByteOffset: block * 8, as: Int64.self)
        else { return nil }
        return slice(of: buffer(2 + block), offset, length)
    }

    /// Where the bytes of a text or the elements of a list lie; an end that does not fit wraps and is before the start.
    func range(_ row: Int) -> (from: Int, to: Int) {
        switch field.type {
        case .text(.wide), .binary(.wide), .list(.wide, _):
            (Int(load(row) as Int64), Int(load(row + 1) as Int64))
        case .list(.fixed(let size), _): ((base + row) * size, (base + row + 1) * size)
        case .list(.narrowViews, _):
            (Int(load(row) as Int32), Int(load(row) as Int32) &+ Int(load(row, buffer: 2) as Int32))
        case .list(.wideViews, _):
            (Int(load(row) as Int64), Int(load(row) as Int64) &+ Int(load(row, buffer: 2) as Int64))
        default: (Int(load(row) as Int32), Int(load(row + 1) as Int32))
        }
    }
}
