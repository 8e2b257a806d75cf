// SPDX-License-Identifier: Apache-2.0
import CArrowTable
import CSQLite
import Glibc
import PluginABI

/// One call of a function by SQLite; every body sets a result, and null is SQLite's own when none is set.
struct SQLCall {
    let context: OpaquePointer?
    let count: Int32
    let values: UnsafeMutablePointer<OpaquePointer?>?

    init(_ context: OpaquePointer?, _ count: Int32, _ values: UnsafeMutablePointer<OpaquePointer?>?) {
        self.context = context
        self.count = count
        self.values = values
    }

    // MARK: Arguments and results

    func isNull(_ index: Int) -> Bool { sqlite3_value_type(values?[index]) == SQLITE_NULL }

    func isTrue(_ index: Int) -> Bool { !isNull(index) && sqlite3_value_double(values?[index]) != 0 }

    func text(_ index: Int) -> String? {
        guard !isNull(index), let start = UnsafePointer<UInt8>(sqlite3_value_text(values?[index])) else { return nil }
        let length = Int(sqlite3_value_bytes(values?[index]))
        return String(decoding: UnsafeBufferPointer(start: start, count: length), as: UTF8.self)
    }

    /// `SQLITE_INTEGER` and so on.
    func type(_ index: Int) -> Int32 { sqlite3_value_type(values?[index]) }

    func double(_ index: Int) -> Double? { isNull(index) ? nil : sqlite3_value_double(values?[index]) }

    /// A moment: a text that is one.
    func moment(_ index: Int) -> SQLMoment? {
        guard let text = text(index) else { return nil }
        if sqlite3_value_type(values?[index]) == SQLITE_INTEGER { return nil }
        return SQLMoment(text)
    }

    func answer(_ text: String?) {
        guard var text else { return sqlite3_result_null(context) }
        text.withUTF8 { bytes in
            // The last argument is SQLITE_TRANSIENT: SQLite copies.
            sqlite3_result_text(
                context, UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self),
                Int32(clamping: bytes.count), unsafeBitCast(-1, to: sqlite3_destructor_type.self))
        }
    }

    func answer(_ number: Double?) {
        guard let number else { return sqlite3_result_null(context) }
        sqlite3_result_double(context, number)
    }

    func answer(_ number: Int64?) {
        guard let number else { return sqlite3_result_null(context) }
        sqlite3_result_int64(context, number)
    }

    func fail(_ text: String) {
        sqlite3_result_error(context, text, -1)
    }

    // MARK: Numbers and texts

    func number(_ map: (Double) -> Double?) { answer(double(0).flatMap(map)) }

    func logarithm() {
        guard let base = double(0), let value = double(1), base > 0, base != 1, value > 0 else {
            return answer(nil as Double?)
        }
        answer(Glibc.log(value) / Glibc.log(base))
    }

    /// Null if one of them is.
    func concat() {
        var whole = ""
        for index in 0..<Int(count) {
            guard let text = text(index) else { return answer(nil as String?) }
            whole += text
            guard whole.utf8.count <= maximumLength else { return sqlite3_result_error_toobig(context) }
        }
        answer(whole)
    }

    /// In bytes.
    func length() {
        guard !isNull(0), sqlite3_value_text(values?[0]) != nil else { return answer(nil as Int64?) }
        answer(Int64(sqlite3_value_bytes(values?[0])))
    }

    func characterCount() { answer(text(0).map { Int64($0.unicodeScalars.count) }) }

    /// What stands before the n-th delimiter, or behind the n-th from the end when n is negative.
    func substringIndex() {
        guard let text = text(0), let delimiter = text.isEmpty ? "" : self.text(1), let count = double(2) else {
            return answer(isNull(0) || isNull(1) || isNull(2) ? nil as String? : "")
        }
        guard !delimiter.isEmpty, count != 0 else { return answer("") }
        let parts = text.split(separator: delimiter, omittingEmptySubsequences: false)
        let number = Int(max(-1e9, min(1e9, count)))
        let chosen = number > 0 ? parts.prefix(number) : parts.suffix(-number)
        answer(chosen.joined(separator: delimiter))
    }

    /// The bytes that a value may have.
    private var maximumLength: Int {
        Int(sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1))
    }

    /// The place of the second text in the first, in characters from 1; 0: it is not there.
    func position() {
        guard let text = text(0), let part = self.text(1) else { return answer(nil as Int64?) }
        let bytes = Array(text.utf8)
        let place = Self.place(of: Array(part.utf8), in: bytes[...])
        answer(place.map { Int64(bytes[..<$0].count(where: { $0 & 0xC0 != 0x80 })) + 1 } ?? 0)
    }

    /// The first text with the third wherever it has the second.
    func replaced() {
        guard let text = text(0), let part = self.text(1), let other = self.text(2) else {
            return answer(nil as String?)
        }
        guard !part.isEmpty else { return answer(text) }
        let (wanted, replacement, maximum) = (Array(part.utf8), Array(other.utf8), maximumLength)
        var rest = Array(text.utf8)[...]
        var result: [UInt8] = []
        while let place = Self.place(of: wanted, in: rest) {
            result += rest[..<place]
            result += replacement
            rest = rest[(place + wanted.count)...]
            guard result.count <= maximum else { return sqlite3_result_error_toobig(context) }
        }
        answer(String(decoding: result + rest, as: UTF8.self))
    }

    private static func place(of part: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        let offset = bytes.withUnsafeBytes { arrow_text_find($0.baseAddress, $0.count, part, part.count) }
        return offset < 0 ? nil : bytes.startIndex + Int(offset)
    }

    /// The text without those characters at its ends that the second has.
    func trimmed(atStart: Bool, atEnd: Bool) {
        guard let text = text(0), let characters = self.text(1) else { return answer(nil as String?) }
        let unwanted = Set(characters.unicodeScalars)
        var rest = text.unicodeScalars[...]
        if atStart { rest = rest.drop { unwanted.contains($0) } }
        if atEnd { while let last = rest.last, unwanted.contains(last) { rest.removeLast() } }
        answer(String(rest))
    }

    // MARK: JSON

    private func json(_ index: Int) -> JSONValue? { text(index).flatMap { try? JSONValue(parsing: $0) } }

    func jsonUnquote() {
        guard let text = text(0) else { return answer(nil as String?) }
        guard text.hasPrefix("\""), case .string(let inner)? = try? JSONValue(parsing: text) else {
            return answer(text)
        }
        answer(inner)
    }

    func jsonLength() {
        guard !isNull(0) else { return answer(nil as Int64?) }
        guard let value = json(0) else { return fail("json_length: the argument is not JSON") }
        answer(Int64(value.array?.count ?? value.object?.count ?? 1))
    }

    func jsonContains() {
        guard !isNull(0), !isNull(1) else { return answer(nil as Int64?) }
        guard let target = json(0), let candidate = json(1) else {
            return fail("json_contains: an argument is not JSON")
        }
        var comparisons = 0
        let isContained = Self.contains(target, candidate, &comparisons)
        guard comparisons <= Self.maximumComparisons else {
            return fail("json_contains: the lists are too long to be compared")
        }
        answer(isContained ? Int64(1) : 0)
    }

    /// About 10 ms.
    private static let maximumComparisons = 100_000

    /// - Parameter comparisons: Counts them; past the maximum the answer means nothing.
    private static func contains(_ target: JSONValue, _ candidate: JSONValue, _ comparisons: inout Int) -> Bool {
        comparisons += 1
        guard comparisons <= maximumComparisons else { return true }
        switch (target, candidate) {
        case (.array(let items), .array(let wanted)):
            return wanted.allSatisfy { one in items.contains { contains($0, one, &comparisons) } }
        case (.array(let items), _): return items.contains { contains($0, candidate, &comparisons) }
        case (.object(let object), .object(let wanted)):
            return wanted.allSatisfy { member in
                object[member.key].map { contains($0, member.value, &comparisons) } ?? false
            }
        default: return target == candidate
        }
    }
}
