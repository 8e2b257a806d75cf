// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Splits a JSON document that arrives in pieces into tokens, strictly by RFC 8259.
///
/// The caller keeps the bytes of a token that is not complete yet and offers them again, with more behind them.
/// Depth and token sizes are bounded, so that no input costs more than its own size in time and little in memory.
struct JSONTokenizer: Sendable {
    enum Token: Equatable {
        case beginObject, endObject, beginArray, endArray
        case key(Text)
        case string(Text)
        /// The place of a number whose grammar has been checked.
        case number(Range<Int>)
        case bool(Bool)
        case null
    }

    /// The place of a string between its quotes.
    struct Text: Equatable {
        var range: Range<Int>
        var isEscaped: Bool
    }

    /// What may come next.
    enum Expectation: Equatable {
        case value, valueOrEnd, key, keyOrEnd, colon, commaOrEnd, nothing
    }

    static let maximumDepth = 512
    static let maximumStringBytes = 4 << 20
    static let maximumNumberBytes = 512

    var expectation = Expectation.value
    /// The bytes of the pieces before the present one, for the places in messages.
    var bytesBefore = 0
    /// One bit of structure a level: whether it is an object.
    private var containers: [Bool] = []
    /// The bytes of an unfinished string that were looked at before.
    private var scanned = 0
    private var sawEscape = false

    /// The next token, or nil when `bytes` end before it does; `position` then is where it starts.
    ///
    /// - Throws: ``PluginError`` `.badData` that names the byte which does not fit.
    mutating func next(in bytes: Span<UInt8>, at position: inout Int) throws -> Token? {
        while position < bytes.count {
            let byte = bytes[position]
            if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
                position += 1
                continue
            }
            switch expectation {
            case .colon:
                guard byte == UInt8(ascii: ":") else { throw unexpected(byte, at: position, "':'") }
                position += 1
                expectation = .value
            case .commaOrEnd where byte == UInt8(ascii: ","):
                position += 1
                expectation = containers.last == true ? .key : .value
            case .commaOrEnd:
                return try end(byte, &position)
            case .key, .keyOrEnd:
                return try key(byte, bytes, &position)
            case .value, .valueOrEnd:
                return try value(byte, bytes, &position)
            case .nothing:
                throw unexpected(byte, at: position, "the end, for the document is complete")
            }
        }
        return nil
    }

    private mutating func end(_ byte: UInt8, _ position: inout Int) throws -> Token {
        let isObject = containers.last == true
        guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
            throw unexpected(byte, at: position, isObject ? "',' or '}'" : "',' or ']'")
        }
        containers.removeLast()
        position += 1
        expectation = containers.isEmpty ? .nothing : .commaOrEnd
        return isObject ? .endObject : .endArray
    }

    private mutating func key(_ byte: UInt8, _ bytes: Span<UInt8>, _ position: inout Int) throws -> Token? {
        if byte == UInt8(ascii: "}"), expectation == .keyOrEnd { return try end(byte, &position) }
        guard byte == UInt8(ascii: "\"") else {
            throw unexpected(byte, at: position, expectation == .keyOrEnd ? "a key or '}'" : "a key")
        }
        guard let text = try string(bytes, &position) else { return nil }
        expectation = .colon
        return .key(text)
    }

    private mutating func value(_ byte: UInt8, _ bytes: Span<UInt8>, _ position: inout Int) throws -> Token? {
        let token: Token
        switch byte {
        case UInt8(ascii: "{"):
            try begin(isObject: true, &position)
            return .beginObject
        case UInt8(ascii: "["):
            try begin(isObject: false, &position)
            return .beginArray
        case UInt8(ascii: "]") where expectation == .valueOrEnd:
            return try end(byte, &position)
        case UInt8(ascii: "\""):
            guard let text = try string(bytes, &position) else { return nil }
            token = .string(text)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            guard let range = try number(bytes, &position) else { return nil }
            token = .number(range)
        case UInt8(ascii: "t"):
            guard try literal("true", bytes, &position) else { return nil }
            token = .bool(true)
        case UInt8(ascii: "f"):
            guard try literal("false", bytes, &position) else { return nil }
            token = .bool(false)
        case UInt8(ascii: "n"):
            guard try literal("null", bytes, &position) else { return nil }
            token = .null
        default:
            throw unexpected(byte, at: position, "a value")
        }
        expectation = containers.isEmpty ? .nothing : .commaOrEnd
        return token
    }

    private mutating func begin(isObject: Bool, _ position: inout Int) throws {
        guard containers.count < Self.maximumDepth else {
            throw Self.failure("is nested deeper than \(Self.maximumDepth) levels at byte \(bytesBefore + position)")
        }
        containers.append(isObject)
        position += 1
        expectation = isObject ? .keyOrEnd : .valueOrEnd
    }

    private mutating func string(_ bytes: Span<UInt8>, _ position: inout Int) throws -> Text? {
        let start = position + 1
        var index = start + scanned
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                let text = Text(range: start..<index, isEscaped: sawEscape)
                position = index + 1
                scanned = 0
                sawEscape = false
                return text
            }
            guard byte >= 0x20 else { throw unexpected(byte, at: index, "no control character in a string") }
            if byte == UInt8(ascii: "\\") {
                guard index + 1 < bytes.count else { break }
                sawEscape = true
                index += 1
            }
            index += 1
        }
        scanned = index - start
        guard scanned <= Self.maximumStringBytes else {
            throw Self.failure("has a string of more than \(Self.maximumStringBytes) bytes")
        }
        return nil
    }

    private func literal(_ word: StaticString, _ bytes: Span<UInt8>, _ position: inout Int) throws -> Bool {
        for offset in 0..<word.utf8CodeUnitCount {
            guard position + offset < bytes.count else { return false }
            guard bytes[position + offset] == word.utf8Start[offset] else {
                throw unexpected(bytes[position + offset], at: position + offset, "'\(word)'")
            }
        }
        position += word.utf8CodeUnitCount
        return true
    }
}

// MARK: - Numbers

extension JSONTokenizer {
    private func number(_ bytes: Span<UInt8>, _ position: inout Int) throws -> Range<Int>? {
        var index = position
        while index < bytes.count, Self.isNumberByte(bytes[index]) { index += 1 }
        guard index - position <= Self.maximumNumberBytes else {
            throw Self.failure(
                "has a number of more than \(Self.maximumNumberBytes) characters at byte \(bytesBefore + position)")
        }
        guard index < bytes.count else { return nil }
        guard Self.isNumber(bytes, position..<index) else {
            throw Self.failure("has a malformed number at byte \(bytesBefore + position)")
        }
        defer { position = index }
        return position..<index
    }

    private static func isNumberByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    /// Checks `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`.
    private static func isNumber(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        func byte() -> UInt8 { index < range.upperBound ? bytes[index] : 0 }
        func digits() -> Int {
            let start = index
            while UInt8(ascii: "0") <= byte(), byte() <= UInt8(ascii: "9") { index += 1 }
            return index - start
        }
        if byte() == UInt8(ascii: "-") { index += 1 }
        let hasLeadingZero = byte() == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0, !hasLeadingZero || whole == 1 else { return false }
        if byte() == UInt8(ascii: ".") {
            index += 1
            guard digits() > 0 else { return false }
        }
        if byte() | 0x20 == UInt8(ascii: "e") {
            index += 1
            if byte() == UInt8(ascii: "+") || byte() == UInt8(ascii: "-") { index += 1 }
            guard digits() > 0 else { return false }
        }
        return index == range.upperBound
    }
}

// MARK: - Failures

extension JSONTokenizer {
    /// The error for a document that ended too early, or nil when it is complete.
    func failureAtEnd() -> PluginError? {
        guard expectation != .nothing else { return nil }
        return bytesBefore == 0
            ? Self.failure("is empty")
            : Self.failure("ends after \(bytesBefore) bytes, before it is complete; it or a proxy cut the connection")
    }

    private func unexpected(_ byte: UInt8, at position: Int, _ expected: String) -> PluginError {
        let found = (0x21...0x7E).contains(byte) ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
        let place = bytesBefore + position
        let remark = place == 0 ? "; check that the URL leads to an API and not to a page or a login" : ""
        return Self.failure("is not valid JSON at byte \(place): expected \(expected), found \(found)\(remark)")
    }

    /// An error about the server's answer; `fact` goes on after "the server's answer".
    static func failure(_ fact: String) -> PluginError {
        PluginError(.badData, "the server's answer \(fact)", source: .downstream)
    }
}

extension Span<UInt8> {
    /// The text of a string token.
    ///
    /// - Throws: ``PluginError`` `.badData` for bytes that are not UTF-8 and for bad escapes.
    func text(of token: JSONTokenizer.Text) throws -> String {
        let inside = extracting(token.range)
        if token.isEscaped {
            let quoted = [UInt8(ascii: "\"")] + inside.withUnsafeBufferPointer(Array.init) + [UInt8(ascii: "\"")]
            guard let text = try? JSONValue(parsing: quoted).string else {
                throw JSONTokenizer.failure("has a string with a bad escape or bytes that are not UTF-8")
            }
            return text
        }
        let text = inside.withUnsafeBufferPointer { String(validating: $0, as: UTF8.self) }
        guard let text else { throw JSONTokenizer.failure("has a string with bytes that are not UTF-8") }
        return text
    }
}
