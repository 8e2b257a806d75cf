// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Texts out of bytes that may be none.
enum SQLBytes {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Appends a text; bytes that are not UTF-8 are written in hexadecimal, as `\x00ff`.
    ///
    /// - Returns: How many bytes were appended.
    @discardableResult
    static func append(_ bytes: UnsafeBufferPointer<UInt8>, to texts: inout ColumnBuilder<String>) -> Int {
        if isUTF8(bytes) {
            texts.appendUTF8(bytes)
            return bytes.count + 4
        }
        let text = hexadecimal(bytes)
        text.withUnsafeBufferPointer { texts.appendUTF8($0) }
        return text.count + 4
    }

    static func isUTF8(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var isASCII = true
        for byte in bytes where byte >= 0x80 {
            isASCII = false
            break
        }
        return isASCII || String(validating: bytes, as: UTF8.self) != nil
    }

    static func hexadecimal(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var text: [UInt8] = [UInt8(ascii: "\\"), UInt8(ascii: "x")]
        text.reserveCapacity(2 + bytes.count * 2)
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return text
    }
}
