// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// A status that SQLite returned, to be told as a ``StorageError``.
struct SQLiteFailure {
    /// The extended result code.
    var status: Int32
    var handle: OpaquePointer?
    var path: String

    var storageError: StorageError {
        let text = handle.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? "status \(status)"
        let subject = "database '\(path)'"
        switch status & 0xFF {
        case SQLITE_CONSTRAINT:
            return constraintError(text)
        case SQLITE_BUSY, SQLITE_LOCKED:
            return StorageError(
                .databaseLocked, "\(subject): another program holds a lock on it; close tools that have the file open")
        case SQLITE_FULL:
            return StorageError(
                .diskFull, "\(subject): no space is left (\(text)); free space on its disk and try again")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return StorageError(
                .corrupt, "\(subject): the file is damaged or not a database (\(text)); restore a backup of it")
        case SQLITE_READONLY, SQLITE_PERM:
            return StorageError(.readOnly, "\(subject): it cannot be written (\(text)); check its owner and mode")
        case SQLITE_CANTOPEN, SQLITE_AUTH:
            return StorageError(.cannotOpen, "\(subject): it cannot be opened (\(text)); check its folder and owner")
        case SQLITE_TOOBIG, SQLITE_RANGE, SQLITE_MISMATCH:
            return StorageError(.invalidValue, "\(subject): a value cannot be stored (\(text)); make it smaller")
        default:
            return StorageError(.databaseFailure, "\(subject): \(text) (SQLite code \(status))")
        }
    }

    private func constraintError(_ text: String) -> StorageError {
        // "UNIQUE constraint failed: data_source.org_id, data_source.uid"
        let constraint = text.split(separator: ": ", maxSplits: 1).last.map(String.init)
        if status == uniqueStatus || status == primaryKeyStatus {
            return StorageError(
                .uniqueViolation, "database: an equal row exists (\(constraint ?? text)); choose another value",
                constraint: constraint)
        }
        return StorageError(
            .constraintViolation,
            "database: a rule of the tables refused the row (\(text)); check the ids that it names",
            constraint: constraint)
    }
}

// The extended codes are expressions that Swift does not import: base code plus number times 256.
private let primaryKeyStatus = SQLITE_CONSTRAINT | (6 << 8)
private let uniqueStatus = SQLITE_CONSTRAINT | (8 << 8)
