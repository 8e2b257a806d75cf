// SPDX-License-Identifier: Apache-2.0

/// The wire form of Server-Sent Events.
///
/// - SeeAlso: WHATWG HTML, section 9.2.
enum EventStreamText {
    /// A comment, which clients ignore.
    static let keepAlive = Array(": keep-alive\n\n".utf8)

    /// One event.
    ///
    /// Line ends in the data begin further `data` lines; the client joins them with a line feed.
    static func event(_ name: String? = nil, id: Int? = nil, data: some Sequence<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        if let id { text += "id: \(id)\n".utf8 }
        if let name { text += "event: \(name)\n".utf8 }
        text += "data: ".utf8
        var lastWasReturn = false
        for byte in data {
            if byte == UInt8(ascii: "\n"), lastWasReturn {
                lastWasReturn = false
                continue
            }
            lastWasReturn = byte == UInt8(ascii: "\r")
            if byte == UInt8(ascii: "\n") || lastWasReturn {
                text += "\ndata: ".utf8
            } else {
                text.append(byte)
            }
        }
        text += "\n\n".utf8
        return text
    }
}
