// SPDX-License-Identifier: Apache-2.0

/// Writes what MySQL says otherwise in the words of SQLite.
struct SQLDialect {
    private struct Edit {
        var range: Range<Int>
        var text: String
    }

    /// An open parenthesis.
    private struct Level {
        /// The word before it, if that may be the name of a function.
        var function: String?
        /// The type that a CAST makes, from its AS on.
        var castType: String?
        /// The INTERVAL whose unit has not come yet.
        var interval: Edit?
    }

    private let tokens: [SQLToken]
    private let bytes: [UInt8]
    private var edits: [Edit] = []
    private var levels: [Level] = []

    /// Translates a whole statement.
    ///
    /// `INTERVAL 5 MINUTE` becomes `5, 'MINUTE'`, and CAST calculates as MySQL does; `/` divides whole numbers into
    /// fractions, `||` is OR and `&&` is AND. Functions of times compare as times. Columns keep the names that the
    /// author gave them by writing them.
    static func translated(_ text: String) -> String {
        var dialect = SQLDialect(tokens: SQLScanner.tokens(of: text), bytes: Array(text.utf8))
        dialect.translate()
        return dialect.result()
    }

    private init(tokens: [SQLToken], bytes: [UInt8]) {
        self.tokens = tokens
        self.bytes = bytes
    }

    private func token(_ index: Int) -> SQLToken? { tokens.indices.contains(index) ? tokens[index] : nil }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private mutating func insert(_ text: String, at place: Int) { edits.append(Edit(range: place..<place, text: text)) }

    private mutating func translate() {
        var skipped = 0..<0
        for (index, token) in tokens.enumerated() where !skipped.contains(index) {
            switch token.kind {
            case .symbol("("): open(index)
            case .symbol(")"): close(index)
            case .symbol("/"): edits.append(Edit(range: token.range, text: "* 1.0 /"))
            case .symbol("|") where tokens.isRepeated(at: index), .symbol("&") where tokens.isRepeated(at: index):
                let name = token.kind == .symbol("|") ? " OR " : " AND "
                edits.append(Edit(range: token.range.lowerBound..<tokens[index + 1].range.upperBound, text: name))
            case .symbol(",") where !levels.isEmpty: levels[levels.count - 1].interval = nil
            case .word("INTERVAL") where !levels.isEmpty:
                levels[levels.count - 1].interval = Edit(range: token.range, text: "")
            case .word(let word) where Self.units.contains(word) && levels.last?.interval != nil:
                // An INTERVAL without a unit is a column of that name.
                if let interval = levels[levels.count - 1].interval { edits.append(interval) }
                levels[levels.count - 1].interval = nil
                edits.append(Edit(range: token.range, text: ", '\(word)'"))
            case .word("AS") where levels.last?.function == "CAST": skipped = cast(index)
            default: break
            }
        }
    }

    private static let units: Set<String> = [
        "MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR",
    ]

    private mutating func open(_ index: Int) {
        var level = Level()
        if case .word(let word)? = token(index - 1)?.kind { level.function = word }
        if level.function == "CAST" { insert("mysql_cast(", at: tokens[index].range.upperBound) }
        levels.append(level)
    }

    /// Functions whose results are times, or are when their arguments are.
    private static let momentFunctions: Set<String> = [
        "COALESCE", "DATE", "DATETIME", "DATE_ADD", "DATE_SUB", "FROM_UNIXTIME", "IFNULL", "MAX", "MIN", "NOW",
        "STR_TO_DATE",
    ]

    private mutating func close(_ index: Int) {
        guard let level = levels.popLast(), let function = level.function else { return }
        var isMoment = Self.momentFunctions.contains(function)
        if let type = level.castType { isMoment = type == "DATE" || type == "DATETIME" }
        guard isMoment else { return }
        // What follows belongs to the call, or the word is the name of a table of WITH.
        let next = token(index + 1)
        if next?.isWord("OVER") == true || next?.isWord("FILTER") == true { return }
        if next?.isWord("AS") == true, token(index + 2)?.kind == .symbol("(") { return }
        // SQLite forgets how a column compares once a function has taken it.
        insert(" COLLATE moment", at: tokens[index].range.upperBound)
    }

    /// The affinity of a value that MySQL has cast.
    private static let affinities = [
        "SIGNED": "INTEGER", "UNSIGNED": "INTEGER", "DECIMAL": "REAL", "DOUBLE": "REAL", "FLOAT": "REAL",
        "DATETIME": "TEXT", "DATE": "TEXT", "TIME": "TEXT", "JSON": "TEXT", "CHAR": "TEXT", "NCHAR": "TEXT",
    ]

    /// `x AS CHAR(2)` becomes `mysql_cast(x, 'CHAR', 2) AS TEXT`.
    ///
    /// - Returns: The tokens that it has taken.
    private mutating func cast(_ start: Int) -> Range<Int> {
        guard case .word(let type)? = token(start + 1)?.kind else { return start..<start }
        var end = start + 2
        while case .word? = token(end)?.kind { end += 1 }
        var arguments = ""
        if token(end)?.kind == .symbol("("),
            let last = tokens[end..<min(end + 5, tokens.count)].firstIndex(where: { $0.kind == .symbol(")") })
        {
            arguments = ", " + text(tokens[end].range.upperBound..<tokens[last].range.lowerBound)
            end = last + 1
        }
        levels[levels.count - 1].castType = type
        let affinity = Self.affinities[type] ?? type
        edits.append(
            Edit(
                range: tokens[start].range.lowerBound..<tokens[end - 1].range.upperBound,
                text: ", '\(type.replacing("'", with: ""))'\(arguments)) AS \(affinity)"))
        return start..<end
    }

    // MARK: Names of columns

    private func result() -> String {
        let edits = (edits + names()).enumerated().sorted {
            ($0.element.range.lowerBound, $0.offset) < ($1.element.range.lowerBound, $1.offset)
        }
        var result: [UInt8] = []
        var place = 0
        for (_, edit) in edits where edit.range.lowerBound >= place {
            result += bytes[place..<edit.range.lowerBound]
            result += edit.text.utf8
            place = edit.range.upperBound
        }
        return String(decoding: result + bytes[place...], as: UTF8.self)
    }

    /// Names for the columns that are written otherwise now, as SQLite names a column by its text.
    private func names() -> [Edit] {
        guard !edits.isEmpty else { return [] }
        let places = edits.map(\.range.lowerBound).sorted()
        // Columns in columns in columns may be named as often as they are deep.
        var room = bytes.count * 4
        var names: [Edit] = []
        for column in columns() {
            let range = tokens[column.lowerBound].range.lowerBound..<tokens[column.upperBound - 1].range.upperBound
            guard range.count <= room, hasPlace(places, in: range), !hasAlias(column) else { continue }
            room -= range.count
            let name = text(range).replacing("\"", with: "\"\"")
            names.append(Edit(range: range.upperBound..<range.upperBound, text: " AS \"\(name)\""))
        }
        return names
    }

    /// Whether one of the sorted places is in the range, its end included.
    private func hasPlace(_ places: [Int], in range: Range<Int>) -> Bool {
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            if places[middle] < range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < places.count && places[low] <= range.upperBound
    }

    private static let endsColumns: Set<String> = [
        "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "WINDOW",
    ]

    /// The columns of every SELECT, as ranges of tokens.
    private func columns() -> [Range<Int>] {
        var starts: [Int?] = [nil]
        var columns: [Range<Int>] = []
        func end(_ index: Int) {
            if let start = starts[starts.count - 1], start < index { columns.append(start..<index) }
            starts[starts.count - 1] = nil
        }
        for (index, token) in tokens.enumerated() {
            switch token.kind {
            case .symbol("("): starts.append(nil)
            case .symbol(")"):
                end(index)
                if starts.count > 1 { starts.removeLast() }
            case .symbol(";"): end(index)
            case .symbol(",") where starts[starts.count - 1] != nil:
                end(index)
                starts[starts.count - 1] = index + 1
            case .word("SELECT"): starts[starts.count - 1] = index + 1
            case .word("DISTINCT"), .word("ALL"):
                if starts[starts.count - 1] == index { starts[starts.count - 1] = index + 1 }
            case .word("FROM") where self.token(index - 1)?.isWord("DISTINCT") == true: break
            case .word(let word) where Self.endsColumns.contains(word): end(index)
            default: break
            }
        }
        for _ in starts {
            end(tokens.count)
            starts.removeLast()
            if starts.isEmpty { break }
        }
        return columns
    }

    /// Words behind which an operand stands, and not a name.
    private static let operators: Set<String> = [
        "AND", "OR", "NOT", "LIKE", "GLOB", "IS", "IN", "BETWEEN", "THEN", "ELSE", "WHEN", "CASE", "DISTINCT",
        "COLLATE", "ESCAPE", "FROM", "REGEXP", "MATCH", "EXISTS", "OVER",
    ]
    /// Words that end an expression.
    private static let ends: Set<String> = ["END", "NULL", "ISNULL", "NOTNULL"]

    /// Whether a column ends with a name, with or without AS.
    private func hasAlias(_ column: Range<Int>) -> Bool {
        guard column.count > 1 else { return false }
        switch tokens[column.upperBound - 1].kind {
        case .word(let word) where Self.ends.contains(word): return false
        case .word, .quotedName, .string: break
        default: return false
        }
        switch tokens[column.upperBound - 2].kind {
        case .symbol(let symbol): return symbol == ")"
        case .word(let word): return !Self.operators.contains(word)
        default: return true
        }
    }
}
