// SPDX-License-Identifier: Apache-2.0

/// A statement after its macros were replaced: text, and the values that came from macros.
///
/// The values are apart, so that a driver may send them as parameters; ``literal`` is what the user is shown.
struct SQLText: Sendable, Equatable {
    enum Piece: Sendable, Equatable {
        case text(String)
        /// A value that this program made, as it stands in the text and as a parameter.
        case value(literal: String, parameter: String)
    }

    var pieces: [Piece]

    init(_ text: String) { pieces = [.text(text)] }

    init(pieces: [Piece]) { self.pieces = pieces }

    /// The whole statement as text.
    var literal: String {
        pieces.reduce(into: "") { text, piece in
            switch piece {
            case .text(let part): text += part
            case .value(let literal, _): text += literal
            }
        }
    }

    /// A statement with place holders in the place of values.
    struct Parameterized: Equatable {
        var text = ""
        var parameters: [String] = []
        /// Where the place holders begin, in bytes.
        var places: [Int] = []
    }

    /// The statement with numbered place holders, and the values for them.
    ///
    /// Equal values share a place holder, so that an expression that is written twice, as in GROUP BY, stays the same
    /// expression.
    ///
    /// - Parameter sharingTexts: false: only numbers share. A database that finds out the type of a place holder by where
    ///   it stands takes the first place for all.
    func parameterized(sharingTexts: Bool = true, _ placeholder: (Int) -> String) -> Parameterized {
        pieces.reduce(into: Parameterized()) { result, piece in
            switch piece {
            case .text(let part): result.text += part
            case .value(_, let value):
                let isShared = sharingTexts || Int64(value) != nil
                let known = isShared ? result.parameters.firstIndex(of: value) : nil
                let place = known ?? result.parameters.count
                if place == result.parameters.count { result.parameters.append(value) }
                result.places.append(result.text.utf8.count)
                result.text += placeholder(place + 1)
            }
        }
    }
}

/// One use of a macro, `$name(a, b)`.
struct MacroCall: Sendable, Equatable {
    var name: String
    /// Split at commas, without spaces around; one empty argument when there is nothing between the parentheses.
    var arguments: [String]
    /// The byte behind the closing parenthesis is a comma.
    var isFollowedByComma: Bool

    /// The first argument, the time column of most macros.
    ///
    /// - Throws: ``MacroError`` when it is missing.
    func column() throws -> String {
        guard let column = arguments.first, !column.isEmpty else {
            throw MacroError("missing time column argument for macro \(name)")
        }
        return column
    }
}

/// A macro that cannot be replaced.
struct MacroError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Finds macros in a statement.
///
/// A macro is `$name(arguments)` wherever it stands, in texts and comments too, and its arguments end at the first
/// closing parenthesis: dashboards rely on both. What a macro becomes is not scanned again.
enum MacroScanner {
    /// Replaces the macros.
    ///
    /// - Parameter replace: What the macro becomes; nil leaves it as it is.
    static func expand(
        _ sql: String, _ replace: (MacroCall) throws -> [SQLText.Piece]?
    ) rethrows -> SQLText {
        let bytes = Array(sql.utf8)
        var joined = JoinedPieces()
        var copied = 0
        var index = 0
        // Behind the last parenthesis there is no macro, and nobody looks for its end.
        let end = (bytes.lastIndex(of: UInt8(ascii: ")")) ?? -1) + 1
        while index < end {
            guard bytes[index] == UInt8(ascii: "$"), let match = match(bytes, at: index) else {
                index += 1
                continue
            }
            if let replacement = try replace(match.call) {
                joined.append(.text(String(decoding: bytes[copied..<index], as: UTF8.self)))
                for piece in replacement { joined.append(piece) }
                copied = match.end
            }
            index = match.end
        }
        joined.append(.text(String(decoding: bytes[copied...], as: UTF8.self)))
        return SQLText(pieces: joined.finish())
    }

    /// Pieces, of which texts that follow each other are one.
    private struct JoinedPieces {
        private var pieces: [SQLText.Piece] = []
        private var text = ""

        mutating func append(_ piece: SQLText.Piece) {
            guard case .text(let part) = piece else {
                endText()
                pieces.append(piece)
                return
            }
            text += part
        }

        private mutating func endText() {
            if !text.isEmpty { pieces.append(.text(text)) }
            text = ""
        }

        mutating func finish() -> [SQLText.Piece] {
            endText()
            return pieces
        }
    }

    private static func match(_ bytes: [UInt8], at start: Int) -> (call: MacroCall, end: Int)? {
        var open = start + 1
        while open < bytes.count, isNameByte(bytes[open]) { open += 1 }
        guard open > start + 1, open < bytes.count, bytes[open] == UInt8(ascii: "("),
            let close = bytes[open...].firstIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let arguments = bytes[(open + 1)..<close]
            .split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            .map { trimmed(String(decoding: $0, as: UTF8.self)) }
        let call = MacroCall(
            name: String(decoding: bytes[(start + 1)..<open], as: UTF8.self), arguments: arguments,
            isFollowedByComma: close + 1 < bytes.count && bytes[close + 1] == UInt8(ascii: ","))
        return (call, close + 1)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func trimmed(_ text: String) -> String {
        var part = text[...]
        while part.first?.isWhitespace == true { part.removeFirst() }
        while part.last?.isWhitespace == true { part.removeLast() }
        return String(part)
    }
}

extension String {
    /// The text with every occurrence of another replaced.
    func replacingAll(_ wanted: String, with replacement: String) -> String {
        let bytes = Array(utf8)
        let pattern = Array(wanted.utf8)
        guard !pattern.isEmpty, bytes.count >= pattern.count else { return self }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == pattern[0], bytes[index...].starts(with: pattern) {
                result += replacement.utf8
                index += pattern.count
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
