// SPDX-License-Identifier: Apache-2.0

/// Reads little-endian numbers and texts at checked offsets.
struct ELFReader {
    var bytes: UnsafeRawBufferPointer

    /// Fails unless `count` bytes at `offset` are inside the file.
    func check(_ offset: UInt64, _ count: UInt64, _ what: String) throws {
        let (end, isOverflow) = offset.addingReportingOverflow(count)
        guard !isOverflow, end <= UInt64(bytes.count) else {
            throw ELFError.truncated(what: what, needed: isOverflow ? .max : end, size: bytes.count)
        }
    }

    func byte(at offset: UInt64, _ what: String) throws -> UInt8 { try number(at: offset, what) }
    func uint16(at offset: UInt64, _ what: String) throws -> UInt16 { try number(at: offset, what) }
    func uint32(at offset: UInt64, _ what: String) throws -> UInt32 { try number(at: offset, what) }
    func uint64(at offset: UInt64, _ what: String) throws -> UInt64 { try number(at: offset, what) }

    private func number<T: FixedWidthInteger & BitwiseCopyable>(at offset: UInt64, _ what: String) throws -> T {
        try check(offset, UInt64(MemoryLayout<T>.size), what)
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: Int(offset), as: T.self))
    }

    /// A text of at most 4096 bytes that ends with NUL before `end`.
    func text(at offset: UInt64, before end: UInt64, _ what: String) throws -> String {
        guard offset < end else { throw ELFError.malformed("\(what) lies outside the string table") }
        try check(offset, end - offset, what)
        let window = bytes[Int(offset)..<Int(min(end, offset + 4096))]
        guard let terminator = window.firstIndex(of: 0) else {
            throw ELFError.malformed("\(what) has no end or is longer than 4096 bytes")
        }
        return String(decoding: UnsafeRawBufferPointer(rebasing: window[..<terminator]), as: UTF8.self)
    }

    /// Whether the text at `offset` starts with `prefix`.
    func hasPrefix(_ prefix: StaticString, at offset: UInt64, before end: UInt64) -> Bool {
        let length = UInt64(prefix.utf8CodeUnitCount)
        guard offset < end, end - offset >= length, end <= UInt64(bytes.count) else { return false }
        return prefix.withUTF8Buffer { expected in
            expected.elementsEqual(bytes[Int(offset)..<Int(offset + length)])
        }
    }

    /// The first bytes of the file for a message: its text when printable, else hexadecimal.
    var opening: String {
        guard !bytes.isEmpty else { return "an empty file" }
        let head = bytes.prefix(16)
        if head.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }) {
            let line = String(decoding: head, as: UTF8.self).split(whereSeparator: \.isNewline).first ?? ""
            return "text that starts with \"\(line)\""
        }
        let digits = head.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return "bytes \(digits.joined(separator: " "))"
    }
}

/// The segments of a 64-bit file: where its addresses lie in the file.
struct ELFProgram {
    struct Segment {
        var type: UInt32
        var flags: UInt32
        var offset: UInt64
        var address: UInt64
        var fileSize: UInt64
    }

    static let load: UInt32 = 1
    static let dynamic: UInt32 = 2
    static let gnuStack: UInt32 = 0x6474_E551

    let reader: ELFReader
    let segments: [Segment]

    init(_ reader: ELFReader) throws {
        self.reader = reader
        let table = try reader.uint64(at: 32, "the ELF header")
        let entrySize = try reader.uint16(at: 54, "the ELF header")
        let count = try reader.uint16(at: 56, "the ELF header")
        guard count > 0, entrySize >= 56 else { throw ELFError.malformed("it has no program headers") }
        try reader.check(table, UInt64(count) * UInt64(entrySize), "the program headers")
        var segments: [Segment] = []
        for index in 0..<UInt64(count) {
            let at = table + index * UInt64(entrySize)
            let segment = Segment(
                type: try reader.uint32(at: at, "a program header"),
                flags: try reader.uint32(at: at + 4, "a program header"),
                offset: try reader.uint64(at: at + 8, "a program header"),
                address: try reader.uint64(at: at + 16, "a program header"),
                fileSize: try reader.uint64(at: at + 32, "a program header"))
            if segment.type == Self.load || segment.type == Self.dynamic {
                try reader.check(segment.offset, segment.fileSize, "a segment")
            }
            segments.append(segment)
        }
        self.segments = segments
        try Self.checkSectionHeaders(reader)
    }

    /// The section headers are the last part of most files: a table past the end tells of a broken copy.
    private static func checkSectionHeaders(_ reader: ELFReader) throws {
        let table = try reader.uint64(at: 40, "the ELF header")
        let entrySize = try reader.uint16(at: 58, "the ELF header")
        let count = try reader.uint16(at: 60, "the ELF header")
        if table != 0, count > 0 {
            try reader.check(table, UInt64(count) * UInt64(entrySize), "the section headers")
        }
    }

    /// The offset in the file of an address, and the end of its segment's bytes in the file.
    func offset(of address: UInt64, _ what: String) throws -> (offset: UInt64, end: UInt64) {
        for segment in segments where segment.type == Self.load && address >= segment.address {
            let distance = address - segment.address
            if distance < segment.fileSize { return (segment.offset + distance, segment.offset + segment.fileSize) }
        }
        throw ELFError.malformed("\(what) lies outside every segment")
    }
}
