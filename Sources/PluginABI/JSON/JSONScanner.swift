// SPDX-License-Identifier: Apache-2.0

/// Reads the tokens of a JSON text (RFC 8259) from memory that outlives it.
struct JSONScanner {
    /// A string between its quotes, checked: valid escapes and UTF-8, no control characters.
    struct StringToken {
        let start: UnsafePointer<UInt8>
        let count: Int
        let hasEscapes: Bool
    }

    private let start: UnsafePointer<UInt8>
    private let limit: UnsafePointer<UInt8>
    private var position: UnsafePointer<UInt8>

    init(start: UnsafePointer<UInt8>, count: Int) {
        self.start = start
        self.limit = start + count
        self.position = start
    }

    /// The number of bytes read.
    var offset: Int { position - start }

    /// The byte that comes next, after white space; 0 at the end (a zero byte is no JSON either).
    @inline(__always)
    mutating func next() -> UInt8 {
        while position < limit {
            let byte = position.pointee
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            position += 1
        }
        return 0
    }

    /// Takes the byte that ``next()`` told.
    @inline(__always)
    mutating func advance() {
        position += 1
    }

    /// Skips that many bytes; they are known to be there.
    mutating func skip(_ count: Int) {
        position += count
    }

    /// Checks that nothing follows.
    mutating func finish() throws(JSONError) {
        guard next() == 0, position == limit else { throw unexpected("nothing more after the value") }
    }

    /// Reads a word such as `true`.
    @inline(__always)
    mutating func word(_ text: StaticString) throws(JSONError) {
        let count = text.utf8CodeUnitCount
        guard limit - position >= count else { throw unexpected("a value") }
        for index in 0..<count where position[index] != text.utf8Start[index] { throw unexpected("a value") }
        position += count
    }

    /// Reads a number.
    @inline(__always)
    mutating func number() throws(JSONError) -> DecimalText {
        guard let decimal = DecimalText(at: position, end: limit), !decimal.isLax else {
            throw unexpected("a value")
        }
        position = decimal.end
        // A letter right behind it, as in `1e` or `1x`, is found by whoever expects a comma.
        return decimal
    }

    /// Reads a string; the next byte is its quote.
    @inline(__always)
    mutating func string() throws(JSONError) -> StringToken {
        position += 1
        let first = position
        var hasEscapes = false
        while true {
            skipPlain()
            guard position < limit else { throw unexpected("the end of the string") }
            switch position.pointee {
            case 0x22:
                position += 1
                return StringToken(start: first, count: position - first - 1, hasEscapes: hasEscapes)
            case 0x5C:
                hasEscapes = true
                try skipEscape()
            case 0x80...:
                let length = UTF8Sequence.length(at: position, limit)
                guard length > 0 else { throw error("the text is not UTF-8") }
                position += length
            default:
                throw unexpected("an escape instead of a control character")
            }
        }
    }

    /// Moves to the next byte of a string that needs a look.
    @inline(__always)
    private mutating func skipPlain() {
        while limit - position >= 8 {
            let chunk = UnsafeRawPointer(position).loadUnaligned(as: UInt64.self)
            let unusual = ByteChunk.unusual(chunk)
            if unusual != 0 {
                position += unusual.trailingZeroBitCount >> 3
                return
            }
            position += 8
        }
        while position < limit {
            let byte = position.pointee
            if byte < 0x20 || byte == 0x22 || byte == 0x5C || byte >= 0x80 { return }
            position += 1
        }
    }

    private mutating func skipEscape() throws(JSONError) {
        guard limit - position >= 2 else { throw unexpected("the end of the string") }
        switch position[1] {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:
            position += 2
        case 0x75:
            guard limit - position >= 6, JSONEscape.unit(at: position + 2) != nil else {
                throw error("expected four hexadecimal digits after \\u")
            }
            position += 6
        default:
            throw error("there is no such escape")
        }
    }

    /// Reads any value and forgets it.
    mutating func skipValue(depth: Int) throws(JSONError) {
        switch next() {
        case 0x22: _ = try string()
        case 0x7B:
            try members(depth: depth) { (scanner: inout JSONScanner, _) throws(JSONError) in
                try scanner.skipValue(depth: depth + 1)
            }
        case 0x5B:
            try elements(depth: depth) { (scanner: inout JSONScanner) throws(JSONError) in
                try scanner.skipValue(depth: depth + 1)
            }
        case 0x74: try word("true")
        case 0x66: try word("false")
        case 0x6E: try word("null")
        default: _ = try number()
        }
    }

    /// Reads a list, whose bracket is the next byte; `element` reads one value.
    @inline(__always)
    mutating func elements(
        depth: Int, _ element: (inout JSONScanner) throws(JSONError) -> Void
    ) throws(JSONError) {
        try enter(depth)
        if next() == 0x5D { return advance() }
        while true {
            try element(&self)
            switch next() {
            case 0x2C: advance()
            case 0x5D: return advance()
            default: throw unexpected("a comma or the end of the list")
            }
        }
    }

    /// Reads an object, whose brace is the next byte; `member` reads the value of one key.
    @inline(__always)
    mutating func members(
        depth: Int, _ member: (inout JSONScanner, StringToken) throws(JSONError) -> Void
    ) throws(JSONError) {
        try enter(depth)
        if next() == 0x7D { return advance() }
        while true {
            guard next() == 0x22 else { throw unexpected("a key in quotes") }
            let key = try string()
            guard next() == 0x3A else { throw unexpected("a colon after the key") }
            advance()
            try member(&self, key)
            switch next() {
            case 0x2C: advance()
            case 0x7D: return advance()
            default: throw unexpected("a comma or the end of the object")
            }
        }
    }

    @inline(__always)
    private mutating func enter(_ depth: Int) throws(JSONError) {
        guard depth < JSONValue.maximumDepth else {
            throw JSONError(
                .tooDeep, offset: offset, "the JSON text nests deeper than \(JSONValue.maximumDepth) levels")
        }
        position += 1
    }

    /// The error that something else stands here.
    @inline(never)
    func unexpected(_ wanted: String) -> JSONError {
        guard position < limit else { return error("the text ends where \(wanted) should be") }
        let byte = position.pointee
        let isVisible = byte > 0x20 && byte < 0x7F
        let found = isVisible ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x" + String(byte, radix: 16)
        return error("expected \(wanted), found \(found)")
    }

    @inline(never)
    private func error(_ message: String) -> JSONError {
        JSONError(.malformed, offset: offset, "the JSON text is malformed: \(message)")
    }
}

extension JSONScanner.StringToken {
    /// The text with its escapes resolved; half of a surrogate pair becomes U+FFFD.
    var text: String {
        guard hasEscapes else {
            return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
        }
        return String(unsafeUninitializedCapacity: count) { room in
            guard let target = room.baseAddress else { return 0 }
            return JSONEscape.resolve(start, count, to: target)
        }
    }
}
