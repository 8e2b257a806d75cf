// SPDX-License-Identifier: Apache-2.0

/// Takes OpenPGP signature packets apart and puts them together in one way only.
///
/// What reaches librnp is then of version 4, complete, of one length form, and has no zero bits in front of its numbers,
/// which real signatures have and which the library complains about on standard error. Nothing that is signed changes.
///
/// - SeeAlso: RFC 4880, sections 4.2 and 5.2.3.
struct SignaturePackets {
    /// More than any real file has.
    private static let maximumCount = 16

    /// The same signatures in canonical form.
    ///
    /// - Throws: ``FormatError`` for other packets, other versions and wrong lengths.
    static func canonical(_ bytes: [UInt8]) throws(FormatError) -> [UInt8] {
        var reader = Reader(rest: bytes[...])
        var result: [UInt8] = []
        var count = 0
        while !reader.rest.isEmpty {
            count += 1
            guard count <= maximumCount else { throw FormatError("there are more than \(maximumCount) signatures") }
            let body = try canonicalBody(try reader.packet())
            result += [0xC2, 0xFF] + (0..<4).map { UInt8(truncatingIfNeeded: body.count >> (24 - 8 * $0)) } + body
        }
        guard count > 0 else { throw FormatError("there is no signature") }
        return result
    }

    private static func canonicalBody(_ body: ArraySlice<UInt8>) throws(FormatError) -> [UInt8] {
        var reader = Reader(rest: body)
        guard body.first == 4 else { throw FormatError("a signature is not of version 4") }
        _ = try reader.take(4)
        _ = try reader.take(try reader.number(2))  // what is hashed with the text
        _ = try reader.take(try reader.number(2))
        _ = try reader.take(2)
        var result = Array(body[..<reader.rest.startIndex])
        guard !reader.rest.isEmpty else { throw FormatError("a signature has no numbers") }
        while !reader.rest.isEmpty {
            let bits = try reader.number(2)
            let number = try reader.take((bits + 7) / 8).drop { $0 == 0 }
            let length = number.count * 8 - (number.first?.leadingZeroBitCount ?? 0)
            result += [UInt8(length >> 8), UInt8(length & 0xFF)] + number
        }
        return result
    }

    /// Bytes from front to back.
    struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func take(_ count: Int) throws(FormatError) -> ArraySlice<UInt8> {
            guard rest.count >= count else { throw FormatError("a signature ends in the middle") }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }

        mutating func number(_ count: Int) throws(FormatError) -> Int {
            try take(count).reduce(0) { $0 << 8 | Int($1) }
        }

        /// The body of the next packet, which has to be a signature.
        mutating func packet() throws(FormatError) -> ArraySlice<UInt8> {
            let tag = try number(1)
            let isNew = tag & 0x40 != 0
            guard tag & 0x80 != 0, (isNew ? tag & 0x3F : tag >> 2 & 0xF) == 2 else {
                throw FormatError("there is something else than signatures")
            }
            return try take(isNew ? newLength() : oldLength(tag & 3))
        }

        private mutating func newLength() throws(FormatError) -> Int {
            let first = try number(1)
            switch first {
            case ..<192: return first
            case ..<224: return (first - 192) << 8 + (try number(1)) + 192
            case 255: return try number(4)
            default: throw FormatError("a signature comes in parts")
            }
        }

        private mutating func oldLength(_ kind: Int) throws(FormatError) -> Int {
            guard kind < 3 else { throw FormatError("a signature has no length") }
            return try number(1 << kind)
        }
    }
}
