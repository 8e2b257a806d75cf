// SPDX-License-Identifier: Apache-2.0

/// Escapes in JSON strings.
enum JSONEscape {
    /// The number that four hexadecimal digits say; nil if they are not.
    static func unit(at start: UnsafePointer<UInt8>) -> UInt32? {
        var unit: UInt32 = 0
        for index in 0..<4 {
            let byte = start[index]
            switch byte {
            case 0x30...0x39: unit = unit << 4 | UInt32(byte - 0x30)
            case 0x41...0x46: unit = unit << 4 | UInt32(byte - 0x41 + 10)
            case 0x61...0x66: unit = unit << 4 | UInt32(byte - 0x61 + 10)
            default: return nil
            }
        }
        return unit
    }

    /// Copies a checked string and resolves its escapes; the result is never longer.
    ///
    /// - Returns: The number of bytes written.
    static func resolve(
        _ start: UnsafePointer<UInt8>, _ count: Int, to target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let limit = start + count
        var source = start
        var written = 0
        while source < limit {
            guard source.pointee == 0x5C else {
                target[written] = source.pointee
                written += 1
                source += 1
                continue
            }
            if source[1] == 0x75 {
                let (scalar, length) = scalar(at: source, limit)
                written += UTF8Sequence.write(scalar, to: target + written)
                source += length
            } else {
                target[written] = meaning(of: source[1])
                written += 1
                source += 2
            }
        }
        return written
    }

    /// The scalar of a checked `\uXXXX`, or of two that are a surrogate pair, and their length in bytes.
    private static func scalar(at start: UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>) -> (UInt32, Int) {
        let first = unit(at: start + 2) ?? 0xFFFD
        guard first & 0xFC00 == 0xD800, limit - start >= 12, start[6] == 0x5C, start[7] == 0x75,
            let second = unit(at: start + 8), second & 0xFC00 == 0xDC00
        else { return (first, 6) }
        return (0x10000 + (first & 0x3FF) << 10 + (second & 0x3FF), 12)
    }

    private static func meaning(of letter: UInt8) -> UInt8 {
        switch letter {
        case 0x62: 0x08
        case 0x66: 0x0C
        case 0x6E: 0x0A
        case 0x72: 0x0D
        case 0x74: 0x09
        default: letter
        }
    }
}
