// SPDX-License-Identifier: Apache-2.0

/// Writes a FlatBuffer from front to back: a table first, then what it points to, patched in.
struct FlatBufferWriter: ~Copyable {
    /// One field of a table, in the order of its ids.
    enum Slot {
        case absent
        case byte(UInt8)
        case short(Int16)
        case int(Int32)
        case long(Int64)
        /// Patched when its target is written.
        case offset

        var width: Int {
            switch self {
            case .absent: 0
            case .byte: 1
            case .short: 2
            case .int, .offset: 4
            case .long: 8
            }
        }
    }

    /// Where the offsets of a table lie, by the id of the field.
    struct Table {
        let position: Int
        let places: [Int]
    }

    private var out = ByteWriter(capacity: 1024)

    /// Starts with the offset to the root table, which has to be patched.
    init() {
        out.append(raw: UInt32(0))
    }

    var count: Int { out.count }

    /// Lets the offset at `place` point to `target`, which lies behind it.
    mutating func patch(_ place: Int, to target: Int) {
        out.overwrite(at: place, raw: UInt32(truncatingIfNeeded: target - place).littleEndian)
    }

    mutating func table(_ slots: [Slot]) -> Table {
        var offsets: [Int] = []
        var size = 4
        for slot in slots {
            let width = slot.width
            if width > 0 { size = (size + width - 1) / width * width }
            offsets.append(width == 0 ? 0 : size)
            size += width
        }
        out.align(to: 2)
        let vtable = out.count
        out.append(raw: UInt16(4 + 2 * slots.count))
        out.append(raw: UInt16(size))
        for offset in offsets { out.append(raw: UInt16(offset)) }
        out.align(to: 8)
        let position = out.count
        out.append(raw: Int32(position - vtable))
        for (slot, offset) in zip(slots, offsets) where slot.width > 0 {
            out.append(0, count: position + offset - out.count)
            append(slot)
        }
        return Table(position: position, places: offsets.map { position + $0 })
    }

    private mutating func append(_ slot: Slot) {
        switch slot {
        case .absent: break
        case .byte(let value): out.append(value)
        case .short(let value): out.append(raw: value.littleEndian)
        case .int(let value): out.append(raw: value.littleEndian)
        case .long(let value): out.append(raw: value.littleEndian)
        case .offset: out.append(raw: UInt32(0))
        }
    }

    /// Writes a text and lets the offset at `place` point to it.
    mutating func text(_ text: String, at place: Int) {
        out.align(to: 4)
        patch(place, to: out.count)
        out.append(raw: UInt32(text.utf8.count))
        out.append(text)
        out.append(UInt8(0))
    }

    /// Writes a vector of offsets; returns where they lie.
    mutating func offsets(_ count: Int, at place: Int) -> [Int] {
        out.align(to: 4)
        patch(place, to: out.count)
        out.append(raw: UInt32(count))
        let start = out.count
        out.append(0, count: 4 * count)
        return (0..<count).map { start + 4 * $0 }
    }

    /// Writes a vector of structs that consist of 64-bit numbers.
    mutating func structs(_ numbers: [Int64], perStruct: Int, at place: Int) {
        out.align(to: 4)
        if out.count % 8 == 0 { out.append(0, count: 4) }
        patch(place, to: out.count)
        out.append(raw: UInt32(numbers.count / perStruct))
        for number in numbers { out.append(raw: number.littleEndian) }
    }

    /// Pads to a multiple of 8 and hands over the bytes.
    consuming func finish() -> [UInt8] {
        out.align(to: 8)
        return out.finish()
    }
}
