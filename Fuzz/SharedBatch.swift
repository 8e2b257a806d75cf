// SPDX-License-Identifier: Apache-2.0

/// Reads bytes as a batch of rows that a plugin's process describes: formats, lengths, offsets and places of buffers, all
/// of which may be lies.
///
/// What is accepted must be readable in full and survive being written.
@Sendable func fuzzSharedBatch(_ bytes: UnsafeBufferPointer<UInt8>) {
    var input = Input(bytes: bytes)
    let formats = [
        "c", "s", "i", "l", "C", "S", "I", "L", "f", "g", "b", "u", "z", "U", "Z", "vu", "vz", "tsn:", "tss:",
    ]
    let count = Int(input.next()) % 5
    var fields: [ArrowFieldDescription] = []
    for index in 0..<count {
        let isEnum = input.next() & 8 != 0
        fields.append(
            ArrowFieldDescription(
                name: "field \(index)", format: formats[Int(input.next()) % formats.count],
                isNullable: input.next() & 1 != 0, metadata: isEnum ? [("tstype", "enum")] : []))
    }
    guard let schema = try? FrameSchema(metadata: [], describing: fields) else { return }
    let rows = input.number()
    let offset = input.number()
    var columns: [ArrowColumnDescription] = []
    for _ in 0..<count {
        let head = (input.number(), input.number(), input.number())
        let buffers = (0..<(Int(input.next()) % 6)).map { _ in input.buffer() }
        columns.append(ArrowColumnDescription(length: head.0, offset: head.1, nullCount: head.2, buffers: buffers))
    }
    guard let frame = try? schema.frame(rows: rows, offset: offset, columns: columns) else { return }
    for field in frame.fields {
        for row in 0..<field.count where !field.column.isNull(at: row) {
            _ = field.column.withUTF8(at: row) { $0.reduce(0, ^) }
            _ = field.column.double(at: row)
        }
    }
    precondition(!frame.json().isEmpty)
    guard let again = try? DataFrame(arrow: frame.arrowFile()) else { fatalError("our own file is refused") }
    precondition(again.rowCount == frame.rowCount)
}

/// Takes values off the front of the input; zeros when nothing is left.
private struct Input {
    let bytes: UnsafeBufferPointer<UInt8>
    var place = 0

    mutating func next() -> UInt8 {
        guard place < bytes.count else { return 0 }
        defer { place += 1 }
        return bytes[place]
    }

    /// Mostly a small number, sometimes any.
    mutating func number() -> Int64 {
        let kind = next()
        guard kind >= 250 else { return Int64(kind % 70) }
        return (0..<8).reduce(Int64(0)) { value, _ in value << 8 | Int64(next()) }
    }

    /// A copy of some of the input, in memory of exactly its size, so that every byte past it is seen.
    mutating func buffer() -> ArrowBuffer {
        let start = min(Int(next()), bytes.count)
        let count = min(Int(next()) * 2, bytes.count - start)
        guard count > 0 else { return ArrowBuffer(pointer: nil, byteCount: 0, owner: nil) }
        return ArrowBuffer(copying: bytes[start..<(start + count)])
    }
}
