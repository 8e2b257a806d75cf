// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Tells code from texts, names in quotes and comments, as far as a dialect needs it.
///
/// It is no parser: it answers how many statements there are, with which words they begin and which words they use.
/// What it cannot tell, such as a text without an end, counts as code up to the end.
struct SQLLexer: Sendable {
    /// What begins and ends texts differs by dialect.
    struct Rules: Sendable {
        /// `\` escapes in all texts, as in MySQL.
        var hasBackslashEscapes = false
        /// `E'…'` has escapes, `$tag$ … $tag$` quotes, comments nest, as in PostgreSQL.
        var isPostgreSQL = false
        /// `"…"` is a text, `#` begins a comment, `/*! … */` is code, `-- ` needs a space.
        var isMySQL = false
        /// `[name]` is a name.
        var hasBrackets = false

        static let postgreSQL = Rules(isPostgreSQL: true)
        static let mySQL = Rules(hasBackslashEscapes: true, isMySQL: true)
        static let sqlite = Rules(hasBrackets: true)
    }

    /// One statement: its words in capitals, as they stand outside of texts and comments.
    struct Statement: Equatable, Sendable {
        var words: [String] = []
        /// Whether there is anything but white space and comments.
        var isEmpty = true
        /// Where place holders begin, in bytes of the whole text: `$1` of PostgreSQL, `?1` of SQLite.
        var parameterPlaces: [Int] = []
        /// Whether a place holder stands where only a text may: `timestamp '…'`.
        var hasTypedParameter = false

        /// The first word; `(` may stand before it.
        var verb: String { words.first ?? "" }
    }

    private(set) var statements: [Statement] = []
    private let bytes: [UInt8]
    private let rules: Rules
    private var index = 0
    /// Nothing but white space and comments stands between the last word and here.
    private var isBehindWord = false

    init(_ sql: String, _ rules: Rules) {
        bytes = Array(sql.utf8)
        self.rules = rules
        var current = Statement()
        while index < bytes.count { step(&current) }
        if !current.isEmpty { statements.append(current) }
    }

    private func byte(_ offset: Int = 0) -> UInt8 { index + offset < bytes.count ? bytes[index + offset] : 0 }

    private mutating func step(_ current: inout Statement) {
        let wasBehindWord = isBehindWord
        isBehindWord = false
        switch byte() {
        case UInt8(ascii: ";"):
            if !current.isEmpty { statements.append(current) }
            current = Statement()
            index += 1
        case UInt8(ascii: "'"):
            quoted(UInt8(ascii: "'"), escapes: rules.hasBackslashEscapes)
            current.isEmpty = false
        case UInt8(ascii: "\""):
            quoted(UInt8(ascii: "\""), escapes: rules.isMySQL && rules.hasBackslashEscapes)
            current.isEmpty = false
        case UInt8(ascii: "`"):
            quoted(UInt8(ascii: "`"), escapes: false)
            current.isEmpty = false
        case UInt8(ascii: "[") where rules.hasBrackets:
            quoted(UInt8(ascii: "]"), escapes: false)
            current.isEmpty = false
        case UInt8(ascii: "#") where rules.isMySQL:
            isBehindWord = wasBehindWord
            skipLine()
        case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-") && (!rules.isMySQL || byte(2) <= 32):
            isBehindWord = wasBehindWord
            skipLine()
        case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"):
            isBehindWord = wasBehindWord
            comment()
        case UInt8(ascii: "*") where rules.isMySQL && byte(1) == UInt8(ascii: "/"): index += 2
        case UInt8(ascii: "$") where rules.isPostgreSQL && (0x30...0x39).contains(byte(1)):
            placeholder(&current, wasBehindWord)
        case UInt8(ascii: "?") where rules.hasBrackets && (0x30...0x39).contains(byte(1)):
            placeholder(&current, wasBehindWord)
        case UInt8(ascii: "$") where rules.isPostgreSQL && skipDollarQuote(): current.isEmpty = false
        case 0...32:
            isBehindWord = wasBehindWord
            index += 1
        case let first where Self.isWordByte(first): word(&current)
        default:
            index += 1
            current.isEmpty = false
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    private mutating func word(_ current: inout Statement) {
        let start = index
        while index < bytes.count, Self.isWordByte(bytes[index]) || byte() == UInt8(ascii: "$") { index += 1 }
        let word = String(decoding: bytes[start..<index], as: UTF8.self).uppercased()
        current.isEmpty = false
        if rules.isPostgreSQL, word == "E", byte() == UInt8(ascii: "'") {
            return quoted(UInt8(ascii: "'"), escapes: true)
        }
        current.words.append(word)
        isBehindWord = true
    }

    private static let typeNames: Set<String> = [
        "DATE", "INTERVAL", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "TIMETZ", "ZONE",
    ]

    private mutating func placeholder(_ current: inout Statement, _ isBehindWord: Bool) {
        if isBehindWord, let word = current.words.last, Self.typeNames.contains(word) {
            current.hasTypedParameter = true
        }
        current.parameterPlaces.append(index)
        current.isEmpty = false
        index += 1
        while (0x30...0x39).contains(byte()) { index += 1 }
    }

    /// Skips to the end of a text or name; a doubled quote does not end it.
    private mutating func quoted(_ end: UInt8, escapes: Bool) {
        index += 1
        while index < bytes.count {
            if escapes, bytes[index] == UInt8(ascii: "\\") {
                index += 2
            } else if bytes[index] == end {
                index += 1
                guard end != UInt8(ascii: "]"), byte() == end else { return }
                index += 1
            } else {
                index += 1
            }
        }
    }

    private mutating func skipLine() {
        while index < bytes.count, bytes[index] != 10 { index += 1 }
    }

    private mutating func comment() {
        // MySQL runs what stands in /*! … */ and /*M! … */: it is read on as code.
        if rules.isMySQL, byte(2) == UInt8(ascii: "!") || (byte(2) == UInt8(ascii: "M") && byte(3) == UInt8(ascii: "!"))
        {
            index += byte(2) == UInt8(ascii: "!") ? 3 : 4
            while index < bytes.count, (0x30...0x39).contains(bytes[index]) { index += 1 }
            return
        }
        var depth = 1
        index += 2
        while index < bytes.count, depth > 0 {
            if byte() == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
                depth -= 1
                index += 2
            } else if rules.isPostgreSQL, byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                depth += 1
                index += 2
            } else {
                index += 1
            }
        }
    }

    /// Skips `$tag$ … $tag$`; false when there is none here.
    private mutating func skipDollarQuote() -> Bool {
        var end = index + 1
        while end < bytes.count, Self.isWordByte(bytes[end]), end > index + 1 || !(0x30...0x39).contains(bytes[end]) {
            end += 1
        }
        guard end < bytes.count, bytes[end] == UInt8(ascii: "$") else { return false }
        let tag = bytes[index...end]
        var place = end + 1
        while place < bytes.count {
            if bytes[place] == UInt8(ascii: "$"), bytes[place...].starts(with: tag) {
                index = place + tag.count
                return true
            }
            place += 1
        }
        index = bytes.count
        return true
    }
}

/// Whether the values of macros may be sent as parameters.
enum SQLParameters {
    /// Whether there are values, all of them stand in code, and nothing else there looks like a place for one.
    static func fit(_ prepared: SQLText.Parameterized, _ rules: SQLLexer.Rules) -> Bool {
        let statements = SQLLexer(prepared.text, rules).statements
        guard !prepared.places.isEmpty, statements.count == 1, let statement = statements.first else { return false }
        return statement.parameterPlaces == prepared.places && !statement.hasTypedParameter
    }
}

/// What a data source that only reads lets through.
///
/// The server holds the line: statements run in a transaction that may not write. The words are looked at first, so that
/// the user reads what to do, and because a transaction does not stop every statement.
enum SQLReadOnly {
    static let verbs: Set<String> = ["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC"]
    static let hint =
        "use one statement that reads, or set readOnly to false in the data source and give its user only the rights that "
        + "it needs"

    /// - Parameter forbidden: Words that write although the statement begins like one that reads.
    /// - Throws: ``PluginError`` `.forbidden`.
    static func check(_ sql: String, _ rules: SQLLexer.Rules, forbidden: Set<String> = []) throws {
        let statements = SQLLexer(sql, rules).statements
        guard statements.count <= 1 else {
            throw PluginError(
                .forbidden, "this data source only reads, and the query has \(statements.count) statements; \(hint)",
                source: .user)
        }
        guard let statement = statements.first else { return }
        guard verbs.contains(statement.verb) else {
            throw PluginError(
                .forbidden,
                "this data source only reads, and the query begins with \(statement.verb.prefix(32)); \(hint)",
                source: .user)
        }
        if let word = statement.words.first(where: { forbidden.contains($0) }) {
            throw PluginError(
                .forbidden, "this data source only reads, and the query has the word \(word); \(hint)", source: .user)
        }
    }
}
