// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Synchronization

/// Encrypts secrets at rest: each value under a random data key of the day and scope, each data key under the server's
/// `[security] secret_key`.
///
/// All servers of one database share the secret key.
public final class SecretsService: Sendable {
    /// How long a decrypted data key stays in memory; `[security.encryption] data_keys_cache_ttl`.
    private static let cacheLifetime: TimeInterval = 15 * 60
    private static let cacheLimit = 1024
    private static let provider = "secretKey.v1"

    private struct CachedKey {
        var key: DataKey
        var until: Date
    }

    private struct Cache {
        var byUID: [String: CachedKey] = [:]
        var byLabel: [String: CachedKey] = [:]
    }

    private let database: Database
    private let secretKey: Secret
    private let clock: StoreClock
    private let cache = Mutex(Cache())

    /// Creates the service; nothing is read yet.
    public init(database: Database, secretKey: Secret, clock: StoreClock = .system) {
        self.database = database
        self.secretKey = secretKey
        self.clock = clock
    }

    /// Fails with `.wrongSecretKey` when the newest data key does not open; for the start of the server.
    public func verify() async throws {
        let row = try await database.read { connection in
            try connection.first("SELECT uid, scope, encrypted_data FROM data_keys ORDER BY created DESC LIMIT 1")
        }
        if let row { _ = try await unwrap(row) }
    }

    /// Ends the use of all current data keys: the next value of each scope gets a new one.
    ///
    /// Old ones stay readable.
    public func rotateDataKeys() async throws {
        let now = clock.now()
        try await database.write { connection in
            try connection.execute(
                "UPDATE data_keys SET active = ?, updated = ? WHERE active = ?", [false, .time(now), true])
        }
        cache.withLock { $0 = Cache() }
    }

    /// Re-encrypts all data keys under a new secret key, in one transaction; values stay as they are.
    ///
    /// Run it while the server is stopped, then put the new key into the settings. Keys that are already under the new one
    /// are left alone, so that a second run does no harm.
    /// - Returns: The number of data keys that changed.
    /// - Throws: ``StorageError`` `.wrongSecretKey`, and nothing is changed, when a key opens under neither.
    public static func changeSecretKey(in database: Database, from old: Secret, to new: Secret) async throws -> Int {
        try await database.write { connection in
            var changed = 0
            for row in try connection.query("SELECT uid, scope, encrypted_data FROM data_keys") {
                let (uid, scope) = (try row.text("uid"), try row.text("scope"))
                let bytes = try row.blob("encrypted_data")
                if try DataKey.unwrap(bytes, uid: uid, scope: scope, under: new) != nil { continue }
                guard let key = try DataKey.unwrap(bytes, uid: uid, scope: scope, under: old) else {
                    throw StorageError(
                        .wrongSecretKey,
                        "secrets: data key '\(uid)' opens neither under the old nor under the new secret_key; give the key "
                            + "that the server used last as the old one")
                }
                try connection.execute(
                    "UPDATE data_keys SET encrypted_data = ? WHERE uid = ?",
                    [.blob(try key.wrapped(under: new, scope: scope)), .text(uid)])
                changed += 1
            }
            return changed
        }
    }

    /// The data key for new values of a scope today; made and stored when there is none.
    func currentKey(scope: String) async throws -> DataKey {
        let now = clock.now()
        let label = "\(Self.day(now))/\(scope)@\(Self.provider)"
        if let cached = cache.withLock({ $0.byLabel[label] }), cached.until > now { return cached.key }
        let select =
            "SELECT uid, scope, encrypted_data FROM data_keys WHERE label = ? AND active = ? ORDER BY uid LIMIT 1"
        let stored = try await database.read { try $0.first(select, [.text(label), true]) }
        let key =
            if let stored {
                try await unwrap(stored)
            } else {
                try await makeKey(scope: scope, label: label, select: select, now: now)
            }
        remember(key, label: label, now: now)
        return key
    }

    /// Decrypts values that belong to the given places; `values` maps place to stored bytes.
    func open(_ values: [String: [UInt8]]) async throws -> [String: Secret] {
        var secrets: [String: Secret] = [:]
        for (context, bytes) in values {
            guard let sealed = SealedValue(bytes: bytes) else {
                throw unreadable(context, "it is not in a known format")
            }
            let key = try await storedKey(sealed.dataKeyUID, context: context)
            guard let secret = sealed.open(with: key, context: context) else {
                throw unreadable(context, "it was changed or moved from another place")
            }
            secrets[context] = secret
        }
        return secrets
    }

    private func makeKey(scope: String, label: String, select: String, now: Date) async throws -> DataKey {
        let secretKey = secretKey
        let (candidate, wrapped) = try await database.offload {
            let key = DataKey.random()
            return (key, try key.wrapped(under: secretKey, scope: scope))
        }
        let earlier = try await database.write { connection -> Row? in
            if let row = try connection.first(select, [.text(label), true]) { return row }
            try connection.execute(
                """
                INSERT INTO data_keys (uid, label, active, scope, provider, encrypted_data, created, updated)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(candidate.uid), .text(label), true, .text(scope), .text(Self.provider), .blob(wrapped),
                    .time(now), .time(now),
                ])
            return nil
        }
        guard let earlier else { return candidate }
        return try await unwrap(earlier)
    }

    private func storedKey(_ uid: String, context: String) async throws -> DataKey {
        let now = clock.now()
        if let cached = cache.withLock({ $0.byUID[uid] }), cached.until > now { return cached.key }
        let row = try await database.read { connection in
            try connection.first("SELECT uid, scope, encrypted_data FROM data_keys WHERE uid = ?", [.text(uid)])
        }
        guard let row else { throw unreadable(context, "its data key '\(uid)' is gone") }
        let key = try await unwrap(row)
        remember(key, label: nil, now: now)
        return key
    }

    private func unwrap(_ row: Row) async throws -> DataKey {
        let (uid, scope) = (try row.text("uid"), try row.text("scope"))
        let bytes = try row.blob("encrypted_data")
        let secretKey = secretKey
        let key = try await database.offload {
            try DataKey.unwrap(bytes, uid: uid, scope: scope, under: secretKey)
        }
        guard let key else {
            throw StorageError(
                .wrongSecretKey,
                "secrets: data key '\(uid)' does not open under [security] secret_key; put the former secret_key back, or "
                    + "re-encrypt the data keys with both keys given")
        }
        return key
    }

    private func remember(_ key: DataKey, label: String?, now: Date) {
        let entry = CachedKey(key: key, until: now.addingTimeInterval(Self.cacheLifetime))
        cache.withLock { cache in
            if cache.byUID.count >= Self.cacheLimit { cache = Cache() }
            cache.byUID[key.uid] = entry
            if let label { cache.byLabel[label] = entry }
        }
    }

    private func unreadable(_ context: String, _ fact: String) -> StorageError {
        StorageError(.secretUnreadable, "secret '\(context)': \(fact); enter the secret again")
    }

    /// The day in UTC, such as `2025-03-01`.
    private static func day(_ date: Date) -> String {
        String(date.ISO8601Format().prefix(10))
    }
}
