// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// A public key that may sign plugins, with its grants, as the trust folder would have it in a file.
public struct PluginTrustKey: Sendable, Equatable {
    /// The fingerprint in upper-case hex digits, which names the key.
    public var fingerprint: String
    /// The key's file: what it may sign, and the key itself.
    public var content: String
    /// When it was added.
    public var created: Date
    /// When its content changed last.
    public var updated: Date

    /// Makes a key.
    public init(fingerprint: String, content: String, created: Date, updated: Date) {
        self.fingerprint = fingerprint
        self.content = content
        self.created = created
        self.updated = updated
    }
}

/// The list of revoked keys and files.
public struct PluginRevocations: Sendable, Equatable {
    /// Rises with every list; an older one is never taken.
    public var serial: Int64
    /// The signed list.
    public var content: String

    /// Makes a list.
    public init(serial: Int64, content: String) {
        self.serial = serial
        self.content = content
    }
}

/// Everything that the database says about who may sign plugins, as of one moment.
public struct PluginTrust: Sendable, Equatable {
    /// Counts changes, from 0: a server that sees another number than before reads again.
    public var revision: Int64
    /// Sorted by fingerprint.
    public var keys: [PluginTrustKey]
    /// nil before the first list.
    public var revocations: PluginRevocations?

    /// Makes a trust.
    public init(revision: Int64, keys: [PluginTrustKey], revocations: PluginRevocations?) {
        self.revision = revision
        self.keys = keys
        self.revocations = revocations
    }
}

/// Who may sign plugins, for all servers that share the database.
///
/// The store keeps texts and judges none of them: what is put in was verified by the caller.
public struct PluginTrustStore: Sendable {
    /// More bytes than a key with its grants or a list of revocations has.
    public static let largestContent = 16 << 20

    let database: Database
    let clock: StoreClock

    /// The number of the last change: cheap enough to be asked every second.
    public func revision() async throws -> Int64 {
        try await database.read { try Self.state(in: $0).revision }
    }

    /// All keys and the revocations, of the same moment.
    public func find() async throws -> PluginTrust {
        try await database.read { connection in
            let (revision, revocations) = try Self.state(in: connection)
            let rows = try connection.query(
                "SELECT fingerprint, content, created, updated FROM plugin_trust_key ORDER BY fingerprint")
            let keys = try rows.map { row in
                PluginTrustKey(
                    fingerprint: try row.text("fingerprint"), content: try row.text("content"),
                    created: try row.time("created"), updated: try row.time("updated"))
            }
            return PluginTrust(revision: revision, keys: keys, revocations: revocations)
        }
    }

    /// Adds a key, or replaces the content of the one with the same fingerprint.
    ///
    /// - Returns: whether that changed something.
    /// - Throws: ``StorageError`` `.invalidValue` for a fingerprint that is none, or a content that is empty or too large.
    @discardableResult
    public func setKey(fingerprint: String, content: String) async throws -> Bool {
        try Self.check(fingerprint: fingerprint)
        try Self.check(content: content, of: "key '\(fingerprint)'")
        let now = SQLValue.time(clock.now())
        return try await database.write { connection in
            let stored = try connection.first(
                "SELECT content FROM plugin_trust_key WHERE fingerprint = ?", [.text(fingerprint)])
            if try stored?.text("content") == content { return false }
            let sql = connection.dialect.upsert(
                into: "plugin_trust_key", columns: ["fingerprint", "content", "created", "updated"],
                conflict: ["fingerprint"], update: ["content", "updated"])
            try connection.execute(sql, [.text(fingerprint), .text(content), now, now])
            try Self.countChange(in: connection, now)
            return true
        }
    }

    /// Removes a key; false when there was none.
    @discardableResult
    public func removeKey(fingerprint: String) async throws -> Bool {
        let now = SQLValue.time(clock.now())
        return try await database.write { connection in
            let removed = try connection.execute(
                "DELETE FROM plugin_trust_key WHERE fingerprint = ?", [.text(fingerprint)])
            if removed > 0 { try Self.countChange(in: connection, now) }
            return removed > 0
        }
    }

    /// Takes a newer list of revocations in the place of the one before.
    ///
    /// - Returns: false when this very list is there already.
    /// - Throws: ``StorageError`` `.versionMismatch` when the serial is not higher than that of the list that is there.
    @discardableResult
    public func setRevocations(_ revocations: PluginRevocations) async throws -> Bool {
        try Self.check(content: revocations.content, of: "list of revocations \(revocations.serial)")
        let now = SQLValue.time(clock.now())
        return try await database.write { connection in
            if let stored = try Self.state(in: connection).revocations {
                if stored == revocations { return false }
                guard revocations.serial > stored.serial else {
                    throw StorageError(
                        .versionMismatch,
                        "list of revocations \(revocations.serial): list \(stored.serial) is known already and serials only "
                            + "rise; sign a list with a higher serial that has everything which is revoked")
                }
            }
            try Self.countChange(in: connection, now)
            try connection.execute(
                "UPDATE plugin_trust_state SET revocation_serial = ?, revocations = ? WHERE id = 1",
                [.integer(revocations.serial), .text(revocations.content)])
            return true
        }
    }

    private static func state(
        in connection: any DatabaseConnection
    ) throws -> (revision: Int64, revocations: PluginRevocations?) {
        let sql = "SELECT revision, revocation_serial, revocations FROM plugin_trust_state WHERE id = 1"
        guard let row = try connection.first(sql) else { return (0, nil) }
        let revocations = try row.optionalInteger("revocation_serial").map {
            PluginRevocations(serial: $0, content: try row.text("revocations"))
        }
        return (try row.integer("revision"), revocations)
    }

    private static func countChange(in connection: any DatabaseConnection, _ now: SQLValue) throws {
        let counted = try connection.execute(
            "UPDATE plugin_trust_state SET revision = revision + 1, updated = ? WHERE id = 1", [now])
        guard counted == 0 else { return }
        try connection.execute(
            "INSERT INTO plugin_trust_state (id, revision, revocations, updated) VALUES (1, 1, '', ?)", [now])
    }

    private static func check(fingerprint: String) throws {
        let isHex = fingerprint.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x46).contains($0) }
        guard isHex, fingerprint.utf8.count == 40 else {
            throw StorageError(
                .invalidValue, "key: its fingerprint must be 40 upper-case hex digits; give the whole fingerprint")
        }
    }

    private static func check(content: String, of subject: String) throws {
        guard !content.isEmpty, content.utf8.count <= largestContent else {
            throw StorageError(
                .invalidValue, "\(subject): it has \(content.utf8.count) bytes; give 1 to \(largestContent)")
        }
    }
}
