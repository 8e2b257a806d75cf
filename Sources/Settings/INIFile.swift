// SPDX-License-Identifier: Apache-2.0

/// The assignments of one settings file, in their order.
struct INIFile: Sendable {
    /// One `key = value` line.
    struct Assignment: Sendable, Equatable {
        /// The section; empty before the first one and in `[DEFAULT]`.
        var section: String
        var key: String
        var value: String
        /// From 1.
        var line: Int
    }

    private(set) var assignments: [Assignment] = []
    /// The names of all sections, also of those without keys.
    private(set) var sections: Set<String> = []
    private(set) var warnings: [SettingsWarning] = []
    let path: String

    /// Reads a file's bytes.
    ///
    /// - Throws: ``SettingsError`` `.syntax` with file and line.
    init(_ bytes: [UInt8], path: String) throws {
        self.path = path
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsError(.syntax, "\(path): it is not UTF-8 text; save it as UTF-8")
        }
        let body = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        let lines = body.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.map { String($0) }
        var section = ""
        var index = 0
        while index < lines.count {
            let number = index + 1
            let line = lines[index].trimmed
            index += 1
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("[") {
                section = try sectionName(line, number)
                sections.insert(section)
                continue
            }
            let (key, start) = try keyAndValue(line, number)
            let value = try value(start, key: key, number, lines, &index)
            assignments.append(Assignment(section: section, key: key, value: value, line: number))
        }
    }

    private func sectionName(_ line: String, _ number: Int) throws -> String {
        guard let end = line.firstIndex(of: "]") else {
            throw syntax(number, "the section has no closing ']'; write [name]")
        }
        let name = line[line.index(after: line.startIndex)..<end].trimmed
        let rest = line[line.index(after: end)...].trimmed
        guard !name.isEmpty else { throw syntax(number, "the section has no name; write [name]") }
        guard rest.isEmpty || rest.hasPrefix("#") || rest.hasPrefix(";") else {
            throw syntax(number, "text follows the section's ']'; put it on a line of its own")
        }
        return name == "DEFAULT" ? "" : name
    }

    private func keyAndValue(_ line: String, _ number: Int) throws -> (String, String) {
        guard let mark = line.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
            throw syntax(number, "'\(line.prefix(40))' is neither a section, a key nor a comment; write key = value")
        }
        let key = line[..<mark].trimmed
        guard !key.isEmpty else { throw syntax(number, "the value has no key; write key = value") }
        return (key, line[line.index(after: mark)...].trimmed)
    }

    /// Reads a value that may be quoted, and may then span lines: `index` is the next line to read.
    private mutating func value(
        _ start: String, key: String, _ number: Int, _ lines: [String], _ index: inout Int
    ) throws -> String {
        for quote in ["\"\"\"", "`"] where start.hasPrefix(quote) {
            var text = ""
            var line = String(start.dropFirst(quote.count))
            while true {
                if let end = line.firstRange(of: quote) { return text + line[..<end] }
                guard index < lines.count else {
                    throw syntax(number, "the value of '\(key)' has no closing \(quote); add it")
                }
                text += line + "\n"
                line = lines[index]
                index += 1
            }
        }
        if let quoted = quotedValue(start) { return quoted }
        guard let comment = start.firstIndex(where: { $0 == "#" || $0 == ";" }) else { return start }
        if comment > start.startIndex, !start[start.index(before: comment)].isWhitespace {
            warnings.append(
                SettingsWarning(
                    origin: .file(path: path, line: number),
                    message:
                        "the value of '\(key)' ends at '\(start[comment])', which begins a comment; if it belongs to the "
                        + "value, write the value in \"\"\"triple quotes\"\"\""))
        }
        return start[..<comment].trimmed
    }

    /// A value in plain quotes with nothing but a comment behind them; nil for others.
    private func quotedValue(_ start: String) -> String? {
        guard let quote = start.first, quote == "\"" || quote == "'" else { return nil }
        let body = start.dropFirst()
        guard let end = body.firstIndex(of: quote) else { return nil }
        let rest = body[body.index(after: end)...].trimmed
        return rest.isEmpty || rest.hasPrefix("#") || rest.hasPrefix(";") ? String(body[..<end]) : nil
    }

    private func syntax(_ line: Int, _ fact: String) -> SettingsError {
        SettingsError(.syntax, "\(path):\(line): \(fact)")
    }
}

extension StringProtocol {
    /// The text without white space at its ends.
    var trimmed: String {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? start
        return String(self[start..<end])
    }

    /// Where a text first occurs: the index of its start.
    func firstRange(of text: String) -> Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return index }
            index = self.index(after: index)
        }
        return nil
    }
}
