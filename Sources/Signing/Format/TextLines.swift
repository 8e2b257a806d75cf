// SPDX-License-Identifier: Apache-2.0

/// The lines of a text file with LF or CRLF line ends, as OpenPGP's text forms see them.
enum TextLines {
    /// Splits at LF; a text that ends with LF has an empty last line.
    static func split(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    }

    /// The line without spaces, tabs and carriage returns at its end (RFC 4880, section 7.1).
    static func withoutTrailingSpace(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line
        while let last = line.last, last == 0x20 || last == 0x09 || last == 0x0D { line.removeLast() }
        return line
    }

    /// The line without white space at both ends.
    static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        withoutTrailingSpace(line.drop { $0 == 0x20 || $0 == 0x09 })
    }

    /// Whether the line, but for white space at its end, is the text.
    static func line(_ line: ArraySlice<UInt8>, is text: StaticString) -> Bool {
        let line = withoutTrailingSpace(line)
        return text.withUTF8Buffer { line.elementsEqual($0) }
    }
}
