// SPDX-License-Identifier: Apache-2.0

/// An OpenPGP block in ASCII armor (RFC 4880, section 6).
///
/// White space around lines, and a separator line of white space only, are allowed: Grafana's own key has both.
struct Armor: Equatable {
    /// What stands in the first line, such as `PGP SIGNATURE`.
    var kind: String
    /// The packets.
    var bytes: [UInt8]

    /// The first block of a kind in a text.
    ///
    /// - Throws: ``FormatError``: no such block, no end, a wrong line, a wrong checksum.
    static func decode(_ kind: String, in text: [UInt8]) throws(FormatError) -> Armor {
        try decode(kind, lines: TextLines.split(text)[...])
    }

    /// As ``decode(_:in:)``, for lines.
    static func decode(_ kind: String, lines: ArraySlice<ArraySlice<UInt8>>) throws(FormatError) -> Armor {
        let begin = Array("-----BEGIN \(kind)-----".utf8)
        let end = Array("-----END \(kind)-----".utf8)
        guard let first = lines.firstIndex(where: { TextLines.trimmed($0).elementsEqual(begin) }) else {
            throw FormatError("there is no line -----BEGIN \(kind)-----")
        }
        let rest = lines[(first + 1)...]
        guard let last = rest.firstIndex(where: { TextLines.trimmed($0).elementsEqual(end) }) else {
            throw FormatError("there is no line -----END \(kind)-----")
        }
        return Armor(kind: kind, bytes: try packets(in: lines[(first + 1)..<last].map(TextLines.trimmed)))
    }

    private static func packets(in lines: [ArraySlice<UInt8>]) throws(FormatError) -> [UInt8] {
        guard let separator = lines.firstIndex(where: \.isEmpty) else {
            throw FormatError("the armor has no empty line before its data")
        }
        guard lines[..<separator].allSatisfy({ $0.contains(0x3A) }) else {
            throw FormatError("the armor has a header line without a colon")
        }
        var data: [UInt8] = []
        var checksum: ArraySlice<UInt8>?
        for line in lines[(separator + 1)...] where !line.isEmpty {
            guard checksum == nil else { throw FormatError("the armor goes on after its checksum") }
            if line.first == 0x3D {
                checksum = line.dropFirst()
            } else {
                data += line
            }
        }
        guard let bytes = Base64.decode(data), !bytes.isEmpty else {
            throw FormatError("the data of the armor is not Base64")
        }
        if let checksum {
            guard Base64.decode(checksum) == crc24(of: bytes) else {
                throw FormatError("the checksum of the armor does not match its data")
            }
        }
        return bytes
    }

    /// The checksum that finds damage in transit; it protects against nobody.
    ///
    /// - SeeAlso: RFC 4880, section 6.1.
    private static func crc24(of bytes: [UInt8]) -> [UInt8] {
        var crc: UInt32 = 0xB7_04CE
        for byte in bytes {
            crc ^= UInt32(byte) << 16
            for _ in 0..<8 {
                crc <<= 1
                if crc & 0x100_0000 != 0 { crc ^= 0x186_4CFB }
            }
        }
        return [UInt8(crc >> 16 & 0xFF), UInt8(crc >> 8 & 0xFF), UInt8(crc & 0xFF)]
    }
}
