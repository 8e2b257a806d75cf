// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// One row of an answer.
///
/// Columns are asked for by name; a column that is absent or has another type throws ``StorageError/Code/corrupt``,
/// since only a schema that is not ours can cause it.
public struct Row: Sendable {
    let columns: [String]
    let values: [SQLValue]

    /// The value of a column.
    public func value(_ column: String) throws -> SQLValue {
        // Answers have few columns: a scan beats a dictionary.
        guard let index = columns.firstIndex(of: column) else { throw mismatch(column, "is missing") }
        return values[index]
    }

    /// A whole number.
    public func integer(_ column: String) throws -> Int64 {
        switch try value(column) {
        case .integer(let number): return number
        case .bool(let flag): return flag ? 1 : 0
        default: throw mismatch(column, "is not a whole number")
        }
    }

    /// A flag; databases without a boolean type store 0 and 1.
    public func bool(_ column: String) throws -> Bool { try integer(column) != 0 }

    /// A text.
    public func text(_ column: String) throws -> String {
        guard case .text(let text) = try value(column) else { throw mismatch(column, "is not a text") }
        return text
    }

    /// Bytes.
    public func blob(_ column: String) throws -> [UInt8] {
        guard case .blob(let bytes) = try value(column) else { throw mismatch(column, "is not a byte string") }
        return bytes
    }

    /// A time, stored as milliseconds since 1970 UTC.
    public func time(_ column: String) throws -> Date { Date(epochMilliseconds: try integer(column)) }

    /// A whole number, or nil where the column is null.
    public func optionalInteger(_ column: String) throws -> Int64? {
        try value(column) == .null ? nil : integer(column)
    }

    /// A time, or nil where the column is null.
    public func optionalTime(_ column: String) throws -> Date? {
        try value(column) == .null ? nil : time(column)
    }

    private func mismatch(_ column: String, _ fact: String) -> StorageError {
        StorageError(
            .corrupt,
            "database: column '\(column)' \(fact); another program changed the tables; restore a backup of the database"
        )
    }
}
