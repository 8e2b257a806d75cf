// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// Failed logins, and the rule that slows guessing: too many within five minutes block a login.
public struct LoginAttemptStore: Sendable {
    /// The window that counts.
    private static let window: TimeInterval = 5 * 60
    /// Rows older than this are of no use.
    private static let retention: TimeInterval = 10 * 60

    let database: Database
    let clock: StoreClock

    /// Notes a failed login.
    public func record(login: String, clientIP: String) async throws {
        let now = clock.now()
        let name = UserStore.normalized(login)
        try await database.write { connection in
            try connection.insert(
                "INSERT INTO login_attempt (username, ip_address, created) VALUES (?, ?, ?)",
                [.text(name), .text(clientIP), .time(now)])
        }
    }

    /// Whether a login has had `limit` failures or more in the last five minutes.
    public func isBlocked(login: String, limit: Int = 5) async throws -> Bool {
        let since = clock.now().addingTimeInterval(-Self.window)
        let name = UserStore.normalized(login)
        return try await database.read { connection in
            try connection.count(
                "SELECT COUNT(*) AS n FROM login_attempt WHERE username = ? AND created > ?",
                [.text(name), .time(since)])
                >= max(limit, 1)
        }
    }

    /// Forgets the failures of a login, after it succeeded or an administrator asked for it.
    public func reset(login: String) async throws {
        let name = UserStore.normalized(login)
        try await database.write { try $0.execute("DELETE FROM login_attempt WHERE username = ?", [.text(name)]) }
    }

    /// Removes rows older than ten minutes; to be run once in a while.
    public func deleteOld() async throws {
        let before = clock.now().addingTimeInterval(-Self.retention)
        try await database.write { try $0.execute("DELETE FROM login_attempt WHERE created <= ?", [.time(before)]) }
    }
}
