// SPDX-License-Identifier: Apache-2.0

/// A text with its OpenPGP signature below, as MANIFEST.txt is one (RFC 4880, section 7).
///
/// Lines may end with LF or CRLF; text before and after the first block is ignored, as Grafana does. What is parsed and
/// what is verified are the same bytes: ``text``.
struct ClearSignedText: Equatable {
    /// What was signed: dash escapes and white space at the ends of lines removed, lines joined with CRLF.
    var text: [UInt8]
    /// The signature packets.
    var signature: [UInt8]

    /// Ten times as many as the largest plugins have files; each takes memory before anybody knows who signed it.
    private static let mostLines = 1 << 20

    /// Finds and reads the first block.
    ///
    /// - Throws: ``FormatError`` with what is missing or wrong.
    init(parsing bytes: [UInt8]) throws(FormatError) {
        guard bytes.count(where: { $0 == 0x0A }) <= Self.mostLines else {
            throw FormatError("it has more than \(Self.mostLines) lines")
        }
        let lines = TextLines.split(bytes)
        guard let begin = lines.firstIndex(where: { TextLines.line($0, is: "-----BEGIN PGP SIGNED MESSAGE-----") })
        else { throw FormatError("there is no line -----BEGIN PGP SIGNED MESSAGE-----") }
        let first = try Self.firstLine(after: begin, in: lines)
        guard
            let end = lines[first...].firstIndex(where: { TextLines.line($0, is: "-----BEGIN PGP SIGNATURE-----") })
        else { throw FormatError("there is no line -----BEGIN PGP SIGNATURE-----") }
        text = try Self.canonicalText(lines[first..<end])
        signature = try Armor.decode("PGP SIGNATURE", lines: lines[end...]).bytes
    }

    /// The place of the first line of the text: after the headers and the empty line.
    private static func firstLine(after begin: Int, in lines: [ArraySlice<UInt8>]) throws(FormatError) -> Int {
        for place in lines.indices[(begin + 1)...] {
            let line = TextLines.withoutTrailingSpace(lines[place])
            if line.isEmpty { return place + 1 }
            // Anything else here could be taken for a part of the text by a reader.
            guard line.starts(with: "Hash: ".utf8) else {
                throw FormatError("the signed message has a header other than Hash")
            }
        }
        throw FormatError("the signed message has no empty line after its headers")
    }

    private static func canonicalText(_ lines: ArraySlice<ArraySlice<UInt8>>) throws(FormatError) -> [UInt8] {
        var text: [UInt8] = []
        for (place, line) in zip(lines.indices, lines) {
            var line = TextLines.withoutTrailingSpace(line)
            if line.first == 0x2D {
                // The line itself, not what is left of it: "- " is an escaped empty line.
                guard lines[place].starts(with: [0x2D, 0x20]) else {
                    throw FormatError("a line of the signed message begins with an unescaped dash")
                }
                line = line.dropFirst(2)
            }
            if place > lines.startIndex { text += [0x0D, 0x0A] }
            text += line
        }
        return text
    }
}
