// SPDX-License-Identifier: Apache-2.0

/// One word of an SQL text.
struct SQLToken: Equatable {
    enum Kind: Equatable {
        /// A name without quotes, or a keyword; upper-case ASCII.
        case word(String)
        /// A name in quotes, or the name of a word as written.
        case quotedName(String)
        case string
        case symbol(Character)
        case other
    }

    var kind: Kind
    /// Where it stands, in bytes.
    var range: Range<Int>

    /// Whether it is that keyword.
    func isWord(_ word: String) -> Bool { kind == .word(word) }
}

/// Cuts an SQL text into words; comments and blanks are left out.
struct SQLScanner {
    private let bytes: [UInt8]
    private var place = 0

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// All words.
    static func tokens(of text: String) -> [SQLToken] {
        var scanner = SQLScanner(text)
        var tokens: [SQLToken] = []
        while let token = scanner.next() { tokens.append(token) }
        return tokens
    }

    private func byte(_ offset: Int = 0) -> UInt8? { place + offset < bytes.count ? bytes[place + offset] : nil }

    private mutating func next() -> SQLToken? {
        skipBlanks()
        guard let first = byte() else { return nil }
        let start = place
        switch first {
        case UInt8(ascii: "'"): return SQLToken(kind: .string, range: quoted(first))
        case UInt8(ascii: "\""), UInt8(ascii: "`"):
            let range = quoted(first)
            return SQLToken(kind: .quotedName(name(in: range, quote: first)), range: range)
        case UInt8(ascii: "["):
            while let byte = byte(), byte != UInt8(ascii: "]") { place += 1 }
            let name = String(decoding: bytes[(start + 1)..<place], as: UTF8.self)
            place = min(place + 1, bytes.count)
            return SQLToken(kind: .quotedName(name), range: start..<place)
        case _ where Self.isName(first) && !Self.isDigit(first):
            while let byte = byte(), Self.isName(byte) { place += 1 }
            let text = String(decoding: bytes[start..<place], as: UTF8.self)
            return SQLToken(kind: .word(text.uppercased()), range: start..<place)
        case _ where Self.isDigit(first):
            while let byte = byte(), Self.isName(byte) || byte == UInt8(ascii: ".") { place += 1 }
            return SQLToken(kind: .other, range: start..<place)
        default:
            place += 1
            return SQLToken(kind: .symbol(Character(UnicodeScalar(first))), range: start..<place)
        }
    }

    private mutating func skipBlanks() {
        while let first = byte() {
            if first == UInt8(ascii: " ") || (9...13).contains(first) {
                place += 1
            } else if first == UInt8(ascii: "-"), byte(1) == UInt8(ascii: "-") {
                while let byte = byte(), byte != UInt8(ascii: "\n") { place += 1 }
            } else if first == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                place += 2
                while place < bytes.count, !(byte() == UInt8(ascii: "*") && byte(1) == UInt8(ascii: "/")) { place += 1 }
                place = min(place + 2, bytes.count)
            } else {
                return
            }
        }
    }

    /// Passes a text in quotes, in which two of them stand for one.
    private mutating func quoted(_ quote: UInt8) -> Range<Int> {
        let start = place
        place += 1
        while let next = byte() {
            place += 1
            guard next == quote else { continue }
            guard byte() == quote else { break }
            place += 1
        }
        return start..<place
    }

    private func name(in range: Range<Int>, quote: UInt8) -> String {
        var name: [UInt8] = []
        var index = range.lowerBound + 1
        while index < range.upperBound {
            let next = bytes[index]
            if next == quote {
                guard index + 1 < range.upperBound, bytes[index + 1] == quote else { break }
                index += 1
            }
            name.append(next)
            index += 1
        }
        return String(decoding: name, as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isName(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte >= 0x80 || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}

extension [SQLToken] {
    /// Whether a symbol stands twice without a space, here for the first time.
    func isRepeated(at index: Int) -> Bool {
        guard index + 1 < count, self[index].kind == self[index + 1].kind else { return false }
        return self[index].range.upperBound == self[index + 1].range.lowerBound
            && !(index > 0 && self[index - 1].kind == self[index].kind)
    }
}

/// Finds the tables that a statement reads.
enum SQLTableNames {
    /// What follows FROM and JOIN at one depth of parentheses.
    private struct Level {
        var isInFrom = false
        var expectsTable = false
    }

    /// The names after FROM and JOIN and the commas that follow, without those that WITH defines; each once.
    static func find(in text: String) -> [String] {
        let tokens = SQLScanner.tokens(of: text)
        let source = Array(text.utf8)
        var levels = [Level()]
        var names: [String] = []
        let defined = definedNames(tokens, source)
        for (index, token) in tokens.enumerated() {
            let last = levels.count - 1
            switch token.kind {
            case .symbol("("):
                // Where a table may stand, the parenthesis has a query or a list of tables in it.
                let holdsTables = levels[last].expectsTable
                levels[last].expectsTable = false
                levels.append(Level(isInFrom: holdsTables, expectsTable: holdsTables))
            case .symbol(")"):
                if levels.count > 1 { levels.removeLast() }
            case .symbol(","): levels[last].expectsTable = levels[last].isInFrom
            case .word("FROM"):
                let isComparison =
                    index > 0 && tokens[index - 1].isWord("DISTINCT") && index > 1
                    && (tokens[index - 2].isWord("IS") || tokens[index - 2].isWord("NOT"))
                if !isComparison { levels[last] = Level(isInFrom: true, expectsTable: true) }
            case .word("JOIN"): levels[last] = Level(isInFrom: true, expectsTable: true)
            case .word("ON"), .word("USING"): levels[last].expectsTable = false
            case .word(let word) where endsFrom.contains(word): levels[last] = Level()
            case .word, .quotedName:
                guard levels[last].expectsTable else { continue }
                levels[last].expectsTable = false
                let name = name(of: token, in: source)
                let isCall = index + 1 < tokens.count && tokens[index + 1].kind == .symbol("(")
                if !isCall, !defined.contains(name.lowercased()), !names.contains(name) { names.append(name) }
            default: levels[last].expectsTable = false
            }
        }
        return names
    }

    private static let endsFrom: Set<String> = [
        "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "WINDOW", "SELECT", "VALUES",
    ]

    /// The names before `AS (` and before a list of columns and `AS (`, in lower case.
    private static func definedNames(_ tokens: [SQLToken], _ source: [UInt8]) -> Set<String> {
        guard tokens.contains(where: { $0.isWord("WITH") }) else { return [] }
        var names: Set<String> = []
        for (index, token) in tokens.enumerated() where token.isWord("AS") && index > 0 {
            var next = index + 1
            while next < tokens.count, tokens[next].isWord("NOT") || tokens[next].isWord("MATERIALIZED") { next += 1 }
            guard next < tokens.count, tokens[next].kind == .symbol("(") else { continue }
            var place = index - 1
            if tokens[place].kind == .symbol(")") {
                while place > 0, tokens[place].kind != .symbol("(") { place -= 1 }
                place -= 1
            }
            if place >= 0 { names.insert(name(of: tokens[place], in: source).lowercased()) }
        }
        return names
    }

    private static func name(of token: SQLToken, in source: [UInt8]) -> String {
        if case .quotedName(let name) = token.kind { return name }
        return String(decoding: source[token.range], as: UTF8.self)
    }
}
