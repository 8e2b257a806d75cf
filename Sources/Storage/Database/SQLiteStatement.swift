// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// Moves values in and out of prepared statements.
enum SQLiteStatement {
    /// Tells SQLite to copy the bytes before the call returns: the C macro is a cast that Swift does not import.
    private static var copiesBytes: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    /// Binds a value to the placeholder with this number, from 1.
    ///
    /// Returns SQLite's status.
    static func bind(_ value: SQLValue, to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(statement, index)
        case .bool(let flag): return sqlite3_bind_int64(statement, index, flag ? 1 : 0)
        case .integer(let number): return sqlite3_bind_int64(statement, index, number)
        case .real(let number): return sqlite3_bind_double(statement, index, number)
        case .text(var text):
            return text.withUTF8 { bytes in
                // An empty Swift buffer may be a null pointer, which SQLite would take for NULL.
                guard let start = bytes.baseAddress else {
                    return sqlite3_bind_text(statement, index, "", 0, copiesBytes)
                }
                return start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
                    sqlite3_bind_text64(statement, index, $0, UInt64(bytes.count), copiesBytes, UInt8(SQLITE_UTF8))
                }
            }
        case .blob(let bytes):
            return bytes.withUnsafeBytes { buffer in
                guard let start = buffer.baseAddress, !buffer.isEmpty else {
                    return sqlite3_bind_zeroblob(statement, index, 0)
                }
                return sqlite3_bind_blob64(statement, index, start, UInt64(buffer.count), copiesBytes)
            }
        }
    }

    /// The names of the answer's columns.
    static func columnNames(_ statement: OpaquePointer) -> [String] {
        (0..<sqlite3_column_count(statement)).map { index in
            sqlite3_column_name(statement, index).map { String(cString: $0) } ?? ""
        }
    }

    /// The current row.
    static func values(_ statement: OpaquePointer) -> [SQLValue] {
        (0..<sqlite3_column_count(statement)).map { index in
            switch sqlite3_column_type(statement, index) {
            case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, index))
            case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, index))
            case SQLITE_TEXT:
                // The pointer comes before the length: asking for the text may convert it.
                let start = sqlite3_column_text(statement, index)
                return .text(
                    String(
                        decoding: UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, index))),
                        as: UTF8.self))
            case SQLITE_BLOB:
                let start = sqlite3_column_blob(statement, index)
                let count = Int(sqlite3_column_bytes(statement, index))
                return .blob([UInt8](UnsafeRawBufferPointer(start: start, count: count)))
            default: return .null
            }
        }
    }
}
