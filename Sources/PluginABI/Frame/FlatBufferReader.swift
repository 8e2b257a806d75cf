// SPDX-License-Identifier: Apache-2.0

/// A FlatBuffer from outside; every read is checked against its bounds.
///
/// - SeeAlso: https://flatbuffers.dev/internals
final class FlatBuffer {
    private let bytes: UnsafeRawBufferPointer
    /// What may still be read as text: many tables may share a text, so that few bytes could stand for very many.
    private var textBudget: Int

    /// - Parameter bytes: Valid as long as the reader.
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        textBudget = bytes.count * 16 + 65536
    }

    var count: Int { bytes.count }

    /// The table that the first four bytes point to.
    func root() throws(FrameError) -> FlatTable {
        try table(at: 0)
    }

    func load<Number: FixedWidthInteger & BitwiseCopyable>(_ place: Int, as: Number.Type) throws(FrameError) -> Number {
        guard place >= 0, place <= bytes.count - MemoryLayout<Number>.size else { throw Self.failure }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Number.self))
    }

    /// Where the offset at `place` points; offsets only point forwards.
    func target(of place: Int) throws(FrameError) -> Int {
        let offset = Int(try load(place, as: UInt32.self))
        guard offset > 0, offset <= bytes.count - place else { throw Self.failure }
        return place + offset
    }

    /// The table that the offset at `place` points to.
    func table(at place: Int) throws(FrameError) -> FlatTable {
        try FlatTable(self, position: target(of: place))
    }

    /// The text that the offset at `place` points to.
    func text(at place: Int) throws(FrameError) -> String {
        let start = try target(of: place)
        let length = Int(try load(start, as: UInt32.self))
        guard length <= bytes.count - start - 4, length <= textBudget else { throw Self.failure }
        textBudget -= length
        return String(decoding: bytes[(start + 4)..<(start + 4 + length)], as: UTF8.self)
    }

    static let failure = FrameError(
        .invalidArrow, "the metadata of the Arrow file is damaged; the sender has to write a valid file")
}

/// One table in a FlatBuffer; absent fields have their default.
struct FlatTable {
    let buffer: FlatBuffer
    private let position: Int
    private let vtable: Int
    private let slotCount: Int
    private let size: Int

    init(_ buffer: FlatBuffer, position: Int) throws(FrameError) {
        self.buffer = buffer
        self.position = position
        vtable = position - Int(try buffer.load(position, as: Int32.self))
        let vtableSize = Int(try buffer.load(vtable, as: UInt16.self))
        size = Int(try buffer.load(vtable + 2, as: UInt16.self))
        slotCount = (vtableSize - 4) / 2
        guard vtableSize >= 4, vtableSize <= buffer.count - vtable, size >= 4, size <= buffer.count - position else {
            throw FlatBuffer.failure
        }
    }

    /// Where the field lies; nil when it is absent.
    private func place(_ slot: Int, size width: Int) throws(FrameError) -> Int? {
        guard slot < slotCount else { return nil }
        let offset = Int(try buffer.load(vtable + 4 + 2 * slot, as: UInt16.self))
        guard offset != 0 else { return nil }
        guard offset >= 4, offset + width <= size else { throw FlatBuffer.failure }
        return position + offset
    }

    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ slot: Int, default fallback: Number
    ) throws(FrameError) -> Number {
        guard let place = try place(slot, size: MemoryLayout<Number>.size) else { return fallback }
        return try buffer.load(place, as: Number.self)
    }

    func bool(_ slot: Int) throws(FrameError) -> Bool { try number(slot, default: UInt8(0)) != 0 }

    func text(_ slot: Int) throws(FrameError) -> String? {
        guard let place = try place(slot, size: 4) else { return nil }
        return try buffer.text(at: place)
    }

    func table(_ slot: Int) throws(FrameError) -> FlatTable? {
        guard let place = try place(slot, size: 4) else { return nil }
        return try buffer.table(at: place)
    }

    func hasField(_ slot: Int) throws(FrameError) -> Bool { try place(slot, size: 1) != nil }

    /// The vector of a field, whose elements have `stride` bytes; an absent one is empty.
    func vector(_ slot: Int, stride: Int) throws(FrameError) -> FlatVector {
        guard let place = try place(slot, size: 4) else {
            return FlatVector(buffer: buffer, start: 0, stride: stride, count: 0)
        }
        let start = try buffer.target(of: place)
        let count = Int(try buffer.load(start, as: UInt32.self))
        guard count <= (buffer.count - start - 4) / stride else { throw FlatBuffer.failure }
        return FlatVector(buffer: buffer, start: start + 4, stride: stride, count: count)
    }
}

/// The elements of a vector, which all lie inside the buffer.
struct FlatVector {
    let buffer: FlatBuffer
    let start: Int
    let stride: Int
    let count: Int

    /// The table that element `index` points to.
    func table(_ index: Int) throws(FrameError) -> FlatTable {
        try buffer.table(at: start + index * stride)
    }

    /// A number `offset` bytes into element `index`.
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ index: Int, offset: Int = 0, as type: Number.Type
    ) throws(FrameError) -> Number {
        guard index >= 0, index < count else { throw FlatBuffer.failure }
        return try buffer.load(start + index * stride + offset, as: type)
    }
}
