// SPDX-License-Identifier: Apache-2.0

/// Paths and queries of URLs as clients send them.
package enum URLText {
    /// The text with percent escapes for what a URL may not hold, such as the brackets of `match[]=up`; escapes stay.
    ///
    /// Foundation's URL takes a whole text as unescaped because of one such character, and escapes its escapes again.
    package static func escaped(_ text: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if isAllowed(byte) {
                bytes.append(byte)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                bytes += "%\(byte < 16 ? "0" : "")\(digits)".utf8
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let signs = Set("-._~!$&'()*+,;=:@/?%".utf8)

    /// - SeeAlso: RFC 3986, section 3.4.
    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: signs.contains(byte)
        }
    }
}
