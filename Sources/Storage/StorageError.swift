// SPDX-License-Identifier: Apache-2.0

/// A failure of the store: of the database itself, of a rule that the stored objects obey, or of the secrets.
public struct StorageError: Error, Sendable {
    /// The class of failure; tests and the API compare it.
    public var code: Code
    /// Subject, fact and remedy, for a person.
    ///
    /// Holds no secret and no stored value but names and ids.
    public var message: String
    /// For ``Code/uniqueViolation``: the index or columns that were violated, as the database names them.
    public var constraint: String?

    /// Creates an error.
    public init(_ code: Code, _ message: String, constraint: String? = nil) {
        self.code = code
        self.message = message
        self.constraint = constraint
    }

    /// A stable class of failure.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The kebab-case name that the API and the documents use.
        public var rawValue: String

        /// Creates a code from its kebab-case name.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }
    }
}

extension StorageError.Code {
    /// The object does not exist, or not in this organisation.
    public static let notFound = Self(rawValue: "not-found")
    /// Another object of the organisation has this name, login or e-mail.
    public static let nameExists = Self(rawValue: "name-exists")
    /// Another object of the organisation has this uid.
    public static let uidExists = Self(rawValue: "uid-exists")
    /// Somebody else changed the object since the caller read it.
    public static let versionMismatch = Self(rawValue: "version-mismatch")
    /// The object is provisioned and may not be changed over the API, or the database is read-only.
    public static let readOnly = Self(rawValue: "read-only")
    /// A field has a value that cannot be stored.
    public static let invalidValue = Self(rawValue: "invalid-value")
    /// A size limit would be exceeded.
    public static let quotaExceeded = Self(rawValue: "quota-exceeded")
    /// Another server has the database open, or another program holds a lock on it for too long.
    public static let databaseLocked = Self(rawValue: "database-locked")
    /// The disk or the database's page limit is full.
    public static let diskFull = Self(rawValue: "disk-full")
    /// The file is not a database or is damaged.
    public static let corrupt = Self(rawValue: "corrupt")
    /// The database file cannot be opened or created.
    public static let cannotOpen = Self(rawValue: "cannot-open")
    /// The database has been closed.
    public static let closed = Self(rawValue: "closed")
    /// A unique index refused the write and no store has given the fact a better name.
    public static let uniqueViolation = Self(rawValue: "unique-violation")
    /// A foreign key, NOT NULL or CHECK rule refused the write.
    public static let constraintViolation = Self(rawValue: "constraint-violation")
    /// A schema migration failed; the server must not start.
    public static let migrationFailed = Self(rawValue: "migration-failed")
    /// The tables were written by another program.
    public static let foreignDatabase = Self(rawValue: "foreign-database")
    /// The stored data keys were encrypted under another `secret_key`.
    public static let wrongSecretKey = Self(rawValue: "wrong-secret-key")
    /// A stored secret was changed, moved to another place, or its data key is gone.
    public static let secretUnreadable = Self(rawValue: "secret-unreadable")
    /// The session does not exist, is revoked, or is past one of its lifetimes.
    public static let sessionInvalid = Self(rawValue: "session-invalid")
    /// Any other failure of the database library.
    public static let databaseFailure = Self(rawValue: "database-failure")
}

extension StorageError: CustomStringConvertible {
    /// The code and the message.
    public var description: String { "\(code.rawValue): \(message)" }
}

extension StorageError {
    /// The error for an object that does not exist.
    static func notFound(_ subject: String) -> StorageError {
        StorageError(
            .notFound, "\(subject) not found; it was never created, was deleted, or is in another organisation")
    }
}
