// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc
import PluginABI

/// SQLite's functions on texts whose time grows with the product of two lengths, written again so that it does not.
///
/// SQLite cannot be interrupted inside a function: with values of some MiB, its own take hours.
enum SQLiteFunctions {
    private typealias Arguments = UnsafeMutablePointer<OpaquePointer?>
    private typealias Function = @convention(c) (OpaquePointer?, Int32, Arguments?) -> Void

    /// Puts the functions in the place of SQLite's.
    ///
    /// - Throws: ``PluginError``.
    static func install(on handle: OpaquePointer) throws {
        let flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS
        let functions: [(name: String, count: Int32, function: Function)] = [
            ("instr", 2, { SQLiteFunctions.finding($0, $2) }), ("replace", 3, { SQLiteFunctions.replacing($0, $2) }),
            ("trim", 2, { SQLiteFunctions.trimming($0, $2, atStart: true, atEnd: true) }),
            ("ltrim", 2, { SQLiteFunctions.trimming($0, $2, atStart: true, atEnd: false) }),
            ("rtrim", 2, { SQLiteFunctions.trimming($0, $2, atStart: false, atEnd: true) }),
        ]
        for (name, count, function) in functions {
            let status = sqlite3_create_function_v2(handle, name, count, flags, nil, function, nil, nil, nil)
            guard status == SQLITE_OK else { throw SQLiteFailure.error(status, handle, doing: "opening the file") }
        }
    }

    /// The bytes of an argument, as a text unless a BLOB is asked for; nil for NULL.
    private static func bytes(_ value: OpaquePointer?, asBlob: Bool = false) -> UnsafeBufferPointer<UInt8>? {
        guard sqlite3_value_type(value) != SQLITE_NULL else { return nil }
        let start =
            asBlob
            ? sqlite3_value_blob(value)?.assumingMemoryBound(to: UInt8.self) : sqlite3_value_text(value)
        return UnsafeBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_value_bytes(value)))
    }

    /// Where a text begins in another one; the C library looks at each byte a few times at the most.
    private static func place(of part: UnsafeBufferPointer<UInt8>, in whole: UnsafeBufferPointer<UInt8>.SubSequence)
        -> Int?
    {
        let whole = UnsafeBufferPointer(rebasing: whole)
        guard !part.isEmpty else { return 0 }
        guard let start = whole.baseAddress,
            let found = gf_sqlite_find(start, whole.count, part.baseAddress, part.count)
        else { return nil }
        return found - UnsafeRawPointer(start)
    }

    /// `instr(whole, part)`: the place of the first occurrence, counted from 1 in characters, or in bytes of BLOBs.
    private static func finding(_ context: OpaquePointer?, _ arguments: Arguments?) {
        guard let arguments else { return }
        let isBlob = sqlite3_value_type(arguments[0]) == SQLITE_BLOB && sqlite3_value_type(arguments[1]) == SQLITE_BLOB
        guard let whole = bytes(arguments[0], asBlob: isBlob), let part = bytes(arguments[1], asBlob: isBlob) else {
            return
        }
        guard let place = place(of: part, in: whole[...]) else { return sqlite3_result_int64(context, 0) }
        let before = isBlob ? place : whole[..<place].count { $0 & 0xC0 != 0x80 }
        sqlite3_result_int64(context, Int64(before) + 1)
    }

    /// `replace(whole, part, other)`.
    private static func replacing(_ context: OpaquePointer?, _ arguments: Arguments?) {
        guard let arguments, let whole = bytes(arguments[0]), let part = bytes(arguments[1]),
            let other = bytes(arguments[2])
        else { return }
        guard !part.isEmpty else { return sqlite3_result_value(context, arguments[0]) }
        let limit = Int(sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1))
        var result: [UInt8] = []
        var rest = whole[...]
        while let place = place(of: part, in: rest) {
            result += rest.prefix(place)
            result += other
            rest = rest.dropFirst(place + part.count)
            guard result.count <= limit else { return sqlite3_result_error_toobig(context) }
        }
        result += rest
        give(result[...], context)
    }

    /// The characters of the second argument, which are looked through for each one of the first.
    private static let maximumSetBytes = 256

    /// `trim(whole, set)`: without the characters of the set at its start, its end, or both.
    private static func trimming(_ context: OpaquePointer?, _ arguments: Arguments?, atStart: Bool, atEnd: Bool) {
        guard let arguments, let whole = bytes(arguments[0]), let set = bytes(arguments[1]) else { return }
        guard set.count <= maximumSetBytes else {
            return sqlite3_result_error(context, "trim takes \(maximumSetBytes) bytes of characters at the most", -1)
        }
        let characters = characters(of: set)
        var rest = whole[...]
        while atStart, let found = characters.first(where: { rest.starts(with: $0) }) {
            rest = rest.dropFirst(found.count)
        }
        while atEnd, let found = characters.first(where: { rest.suffix($0.count).elementsEqual($0) }) {
            rest = rest.dropLast(found.count)
        }
        give(Array(rest)[...], context)
    }

    private static func characters(of text: UnsafeBufferPointer<UInt8>) -> [[UInt8]] {
        text.reduce(into: []) { characters, byte in
            if byte & 0xC0 == 0x80, !characters.isEmpty {
                characters[characters.count - 1].append(byte)
            } else {
                characters.append([byte])
            }
        }
    }

    /// SQLite's own copy of the text is the result.
    private static func give(_ text: ArraySlice<UInt8>, _ context: OpaquePointer?) {
        text.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress, !bytes.isEmpty else { return sqlite3_result_text(context, "", 0, nil) }
            start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
                // -1 is SQLITE_TRANSIENT, which C writes as a cast that Swift does not import.
                let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
                sqlite3_result_text64(context, $0, UInt64(bytes.count), transient, UInt8(SQLITE_UTF8))
            }
        }
    }
}
