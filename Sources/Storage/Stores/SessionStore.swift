// SPDX-License-Identifier: Apache-2.0
import Crypto
public import FoundationEssentials

/// Browser sessions: rows of `user_auth_token`, so that any server of the database serves any session.
///
/// A row keeps hex SHA-256 of token and secret key. After a rotation the token before it works too, so that requests
/// under way do not fail.
public struct SessionStore: Sendable {
    let database: Database
    let secretKey: Secret
    /// How long sessions live.
    public let policy: SessionPolicy
    let clock: StoreClock

    /// A token that was never used is replaced after this time: its cookie was probably lost.
    private static let unseenRotation: TimeInterval = 60
    /// Of two servers that replace a token at once, the second finds a row rotated less than this ago, and keeps off.
    private static let rotationGuard: TimeInterval = 30

    /// Begins a session.
    ///
    /// The token is 32 hex digits and goes into the cookie; it cannot be read again.
    public func create(
        userID: Int64, userAgent: String, clientIP: String
    ) async throws -> (token: Secret, session: UserSession) {
        let token = Self.newToken()
        let hash = hash(token)
        let now = clock.now()
        let id = try await database.write { connection in
            try connection.insert(
                """
                INSERT INTO user_auth_token (user_id, auth_token, prev_auth_token, user_agent, client_ip, auth_token_seen,
                    seen_at, rotated_at, created_at, updated_at, revoked_at)
                VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, NULL)
                """,
                [
                    .integer(userID), .text(hash), .text(hash), .text(userAgent), .text(clientIP), false, .time(now),
                    .time(now), .time(now),
                ])
        }
        let session = UserSession(
            id: id, userID: userID, userAgent: userAgent, clientIP: clientIP, createdAt: now, rotatedAt: now,
            seenAt: nil,
            isSeen: false)
        return (token, session)
    }

    /// The session that a token belongs to.
    ///
    /// The first use of a new token is noted.
    ///
    /// - Throws: ``StorageError`` `.sessionInvalid` when there is none, or it is revoked or past a lifetime.
    public func find(token: Secret) async throws -> UserSession {
        let hash = hash(token)
        let row = try await database.read { connection in
            try connection.first(
                "SELECT * FROM user_auth_token WHERE auth_token = ? OR prev_auth_token = ? ORDER BY id DESC LIMIT 1",
                [.text(hash), .text(hash)])
        }
        guard let row, try row.optionalTime("revoked_at") == nil else { throw invalid("it is unknown or revoked") }
        var session = try UserSession(row: row)
        let now = clock.now()
        guard isAlive(session, at: now) else { throw invalid("it is too old") }
        guard !session.isSeen, try row.text("auth_token") == hash else { return session }
        let id = session.id
        try await database.write { connection in
            try connection.execute(
                "UPDATE user_auth_token SET auth_token_seen = ?, seen_at = ? WHERE id = ? AND auth_token = ?",
                [true, .time(now), .integer(id), .text(hash)])
        }
        session.isSeen = true
        session.seenAt = now
        return session
    }

    /// When the token of a session is due to be replaced, for the expiry cookie.
    public func nextRotation(of session: UserSession) -> Date {
        session.rotatedAt.addingTimeInterval(session.isSeen ? policy.rotationInterval.seconds : Self.unseenRotation)
    }

    /// Replaces the token when that is due.
    ///
    /// - Returns: The new token for the cookie; nil when nothing is due or another server was faster, and the old token
    ///   stays good.
    public func rotateIfDue(_ session: UserSession, userAgent: String, clientIP: String) async throws -> Secret? {
        guard clock.now() >= nextRotation(of: session) else { return nil }
        return try await rotate(session, userAgent: userAgent, clientIP: clientIP)
    }

    /// Replaces the token now, unless another server did within the last 30 s and the new one was not used yet (then nil).
    public func rotate(_ session: UserSession, userAgent: String, clientIP: String) async throws -> Secret? {
        let token = Self.newToken()
        let hash = hash(token)
        let now = clock.now()
        let changed = try await database.write { connection in
            // A token that nobody used is dropped, and the one before it, which the client has, is kept.
            try connection.execute(
                """
                UPDATE user_auth_token
                SET prev_auth_token = CASE WHEN auth_token_seen = ? THEN auth_token ELSE prev_auth_token END,
                    auth_token = ?, auth_token_seen = ?, seen_at = NULL, user_agent = ?, client_ip = ?, rotated_at = ?,
                    updated_at = ?
                WHERE id = ? AND revoked_at IS NULL AND rotated_at = ? AND (auth_token_seen = ? OR rotated_at < ?)
                """,
                [
                    true, .text(hash), false, .text(userAgent), .text(clientIP), .time(now), .time(now),
                    .integer(session.id), .time(session.rotatedAt), true,
                    .time(now.addingTimeInterval(-Self.rotationGuard)),
                ])
        }
        return changed > 0 ? token : nil
    }

    /// The living sessions of a user, the newest first.
    public func list(userID: Int64) async throws -> [UserSession] {
        let rows = try await database.read { connection in
            try connection.query(
                "SELECT * FROM user_auth_token WHERE user_id = ? AND revoked_at IS NULL ORDER BY id DESC",
                [.integer(userID)])
        }
        let now = clock.now()
        return try rows.map(UserSession.init(row:)).filter { isAlive($0, at: now) }
    }

    /// Ends a session of a user.
    ///
    /// Throws `.notFound` when it is not a living one of that user.
    public func revoke(id: Int64, userID: Int64) async throws {
        let now = clock.now()
        let count = try await database.write { connection in
            try connection.execute(
                "UPDATE user_auth_token SET revoked_at = ?, updated_at = ? WHERE id = ? AND user_id = ? AND revoked_at IS NULL",
                [.time(now), .time(now), .integer(id), .integer(userID)])
        }
        guard count > 0 else { throw StorageError.notFound("session \(id)") }
    }

    /// Ends all sessions of a user and returns how many there were.
    @discardableResult
    public func revokeAll(userID: Int64) async throws -> Int {
        let now = clock.now()
        return try await database.write { connection in
            try connection.execute(
                "UPDATE user_auth_token SET revoked_at = ?, updated_at = ? WHERE user_id = ? AND revoked_at IS NULL",
                [.time(now), .time(now), .integer(userID)])
        }
    }

    /// Removes the rows of sessions that are over; to be run once in a while.
    @discardableResult
    public func deleteExpired() async throws -> Int {
        let now = clock.now()
        let created = now.addingTimeInterval(-policy.lifetime.seconds)
        let rotated = now.addingTimeInterval(-policy.inactiveLifetime.seconds)
        return try await database.write { connection in
            try connection.execute(
                "DELETE FROM user_auth_token WHERE created_at <= ? OR rotated_at <= ? OR revoked_at <= ?",
                [.time(created), .time(rotated), .time(rotated)])
        }
    }

    private func isAlive(_ session: UserSession, at now: Date) -> Bool {
        now < session.createdAt.addingTimeInterval(policy.lifetime.seconds)
            && now < session.rotatedAt.addingTimeInterval(policy.inactiveLifetime.seconds)
    }

    private static func newToken() -> Secret { Secret(RandomText.hex(RandomText.bytes(16))) }

    private func hash(_ token: Secret) -> String {
        RandomText.hex(SHA256.hash(data: Array((token.clearText + secretKey.clearText).utf8)))
    }

    private func invalid(_ fact: String) -> StorageError {
        StorageError(.sessionInvalid, "session: \(fact); log in again")
    }
}

extension UserSession {
    fileprivate init(row: Row) throws {
        self.init(
            id: try row.integer("id"), userID: try row.integer("user_id"), userAgent: try row.text("user_agent"),
            clientIP: try row.text("client_ip"), createdAt: try row.time("created_at"),
            rotatedAt: try row.time("rotated_at"), seenAt: try row.optionalTime("seen_at"),
            isSeen: try row.bool("auth_token_seen"))
    }
}

extension Duration {
    /// The duration in seconds.
    var seconds: TimeInterval {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
