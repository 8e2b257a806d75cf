// SPDX-License-Identifier: Apache-2.0

/// One word of a math expression.
struct MathToken: Equatable {
    enum Kind: Equatable {
        case number(Double)
        case variable(String)
        case name
        case binary(BinaryOperator)
        case not
        /// `-`, which is unary or binary by its place.
        case minus
        case open, close, comma
        case end
    }

    var kind: Kind
    /// As written.
    var text: String
    /// The place of the first character, from 1.
    var position: Int

    /// As error texts show it: quoted, and cut when it is long.
    var quoted: String {
        guard kind != .end else { return "EOF" }
        return text.unicodeScalars.count > 10 ? "\"\(String(text.unicodeScalars.prefix(10)))\"..." : "\"\(text)\""
    }
}

/// Cuts a math expression into words.
struct MathLexer {
    private let characters: [Unicode.Scalar]
    private var place = 0

    private static let symbols = Set("!<>=&|+-*/%".unicodeScalars)

    init(_ text: String) {
        characters = Array(text.unicodeScalars)
    }

    /// The next word.
    ///
    /// - Throws: ``ExpressionError`` `.parse` for characters that no word has.
    mutating func next() throws(ExpressionError) -> MathToken {
        while let character = peek, character.properties.isWhitespace { place += 1 }
        let start = place
        guard let character = peek else { return token(.end, from: start) }
        if Self.symbols.contains(character) { return try symbol() }
        if Self.isDigit(character) || character == "." { return try number() }
        if character.properties.isAlphabetic { return name() }
        place += 1
        switch character {
        case "(": return token(.open, from: start)
        case ")": return token(.close, from: start)
        case ",": return token(.comma, from: start)
        case "$": return try variable(from: start)
        default: throw failure("invalid character: \(character)", at: start)
        }
    }

    private var peek: Unicode.Scalar? { place < characters.count ? characters[place] : nil }

    private func token(_ kind: MathToken.Kind, from start: Int) -> MathToken {
        MathToken(kind: kind, text: text(from: start), position: start + 1)
    }

    private func text(from start: Int) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: characters[start..<place])
        return String(text)
    }

    private func failure(_ fact: String, at place: Int) -> ExpressionError {
        .math(fact, at: place + 1)
    }

    private mutating func symbol() throws(ExpressionError) -> MathToken {
        let start = place
        while let character = peek, Self.symbols.contains(character) { place += 1 }
        let text = text(from: start)
        switch text {
        case "!": return token(.not, from: start)
        case "-": return token(.minus, from: start)
        default:
            guard let binary = BinaryOperator(rawValue: text) else {
                throw failure("unknown operator \"\(text.prefix(10))\"; write spaces between two operators", at: start)
            }
            return token(.binary(binary), from: start)
        }
    }

    private mutating func number() throws(ExpressionError) -> MathToken {
        let start = place
        if peek == "0", place + 1 < characters.count, characters[place + 1] == "x" || characters[place + 1] == "X" {
            place += 2
            while let character = peek, character.properties.isASCIIHexDigit { place += 1 }
            let digits = text(from: start).dropFirst(2)
            guard let value = UInt64(digits, radix: 16), !continuesName else { throw badNumber(start) }
            return token(.number(Double(value)), from: start)
        }
        skipDigits()
        if peek == "." {
            place += 1
            skipDigits()
        }
        if peek == "e" || peek == "E" {
            place += 1
            if peek == "+" || peek == "-" { place += 1 }
            skipDigits()
        }
        guard !continuesName, let value = Double(text(from: start)), value.isFinite else { throw badNumber(start) }
        return token(.number(value), from: start)
    }

    /// Whether a letter follows, as in `1x`.
    private var continuesName: Bool { peek.map { Self.isVariable($0) || $0 == "." } ?? false }

    private func badNumber(_ start: Int) -> ExpressionError {
        failure("bad number syntax: \"\(text(from: start).prefix(40))\"", at: start)
    }

    private mutating func skipDigits() {
        while let character = peek, Self.isDigit(character) { place += 1 }
    }

    private mutating func name() -> MathToken {
        let start = place
        while let character = peek, character.properties.isAlphabetic || character == "_" { place += 1 }
        return token(.name, from: start)
    }

    private mutating func variable(from start: Int) throws(ExpressionError) -> MathToken {
        guard peek == "{" else {
            let first = place
            while let character = peek, Self.isVariable(character) { place += 1 }
            guard place > first else { throw failure("incomplete variable", at: start) }
            return token(.variable(text(from: first)), from: start)
        }
        place += 1
        let first = place
        while let character = peek, character != "}" {
            guard Self.isVariable(character) || character.properties.isWhitespace else {
                throw failure("unsupported variable character", at: place)
            }
            place += 1
        }
        let name = text(from: first)
        guard peek != nil else { throw failure("unterminated variable missing closing }", at: start) }
        guard !name.isEmpty else { throw failure("incomplete variable", at: start) }
        place += 1
        return token(.variable(name), from: start)
    }

    private static func isDigit(_ character: Unicode.Scalar) -> Bool { ("0"..."9").contains(character) }

    private static func isVariable(_ character: Unicode.Scalar) -> Bool {
        character == "_" || character.properties.isAlphabetic
            || character.properties.generalCategory == .decimalNumber
    }
}

extension ExpressionError {
    /// A wrong math expression; characters count from 1.
    static func math(_ fact: String, at position: Int) -> ExpressionError {
        ExpressionError(.parse, "invalid math command: expr: \(fact) at character \(position)")
    }
}
