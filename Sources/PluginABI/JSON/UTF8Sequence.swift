// SPDX-License-Identifier: Apache-2.0

/// Well-formed sequences of UTF-8 bytes (Unicode 15, table 3-7).
enum UTF8Sequence {
    /// The length, 2…4, of the sequence that starts with a byte from 0x80 on; 0 if it is malformed or cut off.
    @inline(__always)
    static func length(at start: UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>) -> Int {
        let count = limit - start
        switch start[0] {
        case 0xC2...0xDF:
            return count >= 2 && isContinuation(start[1]) ? 2 : 0
        case 0xE0...0xEF:
            guard count >= 3, isContinuation(start[1]), isContinuation(start[2]) else { return 0 }
            let isOverlong = start[0] == 0xE0 && start[1] < 0xA0
            let isSurrogate = start[0] == 0xED && start[1] > 0x9F
            return isOverlong || isSurrogate ? 0 : 3
        case 0xF0...0xF4:
            guard count >= 4, isContinuation(start[1]), isContinuation(start[2]), isContinuation(start[3]) else {
                return 0
            }
            let isOverlong = start[0] == 0xF0 && start[1] < 0x90
            let isBeyondLast = start[0] == 0xF4 && start[1] > 0x8F
            return isOverlong || isBeyondLast ? 0 : 4
        default:
            return 0
        }
    }

    @inline(__always)
    private static func isContinuation(_ byte: UInt8) -> Bool {
        byte & 0xC0 == 0x80
    }

    /// Writes one Unicode scalar and returns the number of bytes; a surrogate becomes U+FFFD.
    static func write(_ scalar: UInt32, to start: UnsafeMutablePointer<UInt8>) -> Int {
        let bytes = UTF8.encode(Unicode.Scalar(scalar) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter
        var count = 0
        for byte in bytes {
            start[count] = byte
            count += 1
        }
        return count
    }
}

/// Looks at eight bytes of text at a time.
enum ByteChunk {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let tops: UInt64 = 0x8080_8080_8080_8080

    /// Bit 7 of each byte that cannot stand in a JSON string as it is, or is not ASCII: `"`, `\`, below 0x20, from 0x80.
    ///
    /// Only the lowest set bit is certain: a borrow may set wrong ones above it.
    @inline(__always)
    static func unusual(_ chunk: UInt64) -> UInt64 {
        let control = chunk &- 0x20 &* ones
        return (control | matches(chunk, 0x22) | matches(chunk, 0x5C) | chunk) & tops
    }

    /// As ``unusual(_:)``, and `<`, `>`, `&`.
    @inline(__always)
    static func needsEscape(_ chunk: UInt64) -> UInt64 {
        // `<` and `>` differ in one bit.
        unusual(chunk) | (matches(chunk | 2 &* ones, 0x3E) | matches(chunk, 0x26)) & tops
    }

    @inline(__always)
    private static func matches(_ chunk: UInt64, _ byte: UInt64) -> UInt64 {
        let difference = chunk ^ (byte &* ones)
        return (difference &- ones) & ~difference
    }
}
