// SPDX-License-Identifier: Apache-2.0

extension ByteWriter {
    /// Appends text as a JSON string with its quotes, escaped as Go's encoders do.
    ///
    /// Escaped are `"`, `\`, control characters, `<`, `>`, `&`, U+2028 and U+2029; all else stays UTF-8.
    public mutating func append(jsonString text: String) {
        var text = text
        text.withUTF8 { append(jsonString: $0) }
    }

    /// Appends UTF-8 bytes as a JSON string with its quotes; a malformed byte becomes `\ufffd`.
    public mutating func append(jsonString text: UnsafeBufferPointer<UInt8>) {
        append(0x22)
        if let start = text.baseAddress { appendEscaped(start, start + text.count) }
        append(0x22)
    }

    private mutating func appendEscaped(_ start: UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>) {
        var source = start
        reserve(limit - source + 16)
        while source < limit {
            source += appendPlain(source, limit)
            guard source < limit else { return }
            if source.pointee < 0x80 {
                appendEscape(source.pointee)
                source += 1
            } else {
                source += appendSequence(source, limit)
            }
            reserve(limit - source + 16)
        }
    }

    /// Copies up to the first byte that needs a look; room for all bytes and 8 more is there.
    @inline(__always)
    private mutating func appendPlain(_ start: UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>) -> Int {
        var source = start
        var target = UnsafeMutableRawPointer(base + length)
        while limit - source >= 8 {
            let chunk = UnsafeRawPointer(source).loadUnaligned(as: UInt64.self)
            target.storeBytes(of: chunk, as: UInt64.self)
            let special = ByteChunk.needsEscape(chunk)
            if special != 0 {
                let plain = source - start + (special.trailingZeroBitCount >> 3)
                length &+= plain
                return plain
            }
            source += 8
            target += 8
        }
        while source < limit, Self.isPlain(source.pointee) {
            target.storeBytes(of: source.pointee, as: UInt8.self)
            source += 1
            target += 1
        }
        length &+= source - start
        return source - start
    }

    @inline(__always)
    private static func isPlain(_ byte: UInt8) -> Bool {
        let chunk = UInt64(byte) | 0x6161_6161_6161_6100
        return ByteChunk.needsEscape(chunk) == 0
    }

    private mutating func appendEscape(_ byte: UInt8) {
        let letter: UInt8
        switch byte {
        case 0x22, 0x5C: letter = byte
        case 0x08: letter = 0x62
        case 0x09: letter = 0x74
        case 0x0A: letter = 0x6E
        case 0x0C: letter = 0x66
        case 0x0D: letter = 0x72
        default:
            append(literal: "\\u00")
            append(Self.hexDigit(byte >> 4))
            append(Self.hexDigit(byte & 0xF))
            return
        }
        append(0x5C)
        append(letter)
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x61 - 10 + value
    }

    /// Appends one sequence beyond ASCII and returns the number of bytes that it takes.
    private mutating func appendSequence(_ start: UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>) -> Int {
        let length = UTF8Sequence.length(at: start, limit)
        if length == 0 {
            append(literal: "\\ufffd")
            return 1
        }
        if length == 3 && start[0] == 0xE2 && start[1] == 0x80 && start[2] & 0xFE == 0xA8 {
            append(literal: "\\u202")
            append(start[2] - 0xA8 + 0x38)
            return 3
        }
        append(UnsafeBufferPointer(start: start, count: length))
        return length
    }
}
