// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// One browser session of a user; the token itself is not stored.
public struct UserSession: Sendable, Equatable {
    /// The numeric id, by which a user revokes a session.
    public var id: Int64
    /// The user.
    public var userID: Int64
    /// The browser's own words.
    public var userAgent: String
    /// The address of the client at the last rotation.
    public var clientIP: String
    /// When the session began.
    public var createdAt: Date
    /// When the token was last replaced.
    public var rotatedAt: Date
    /// When the current token was first used; nil before.
    public var seenAt: Date?
    /// Whether the current token was used.
    public var isSeen: Bool
}

/// How long sessions live; `[auth]` of the settings.
public struct SessionPolicy: Sendable {
    /// A session ends this long after its last rotation; `login_maximum_inactive_lifetime_duration`.
    public var inactiveLifetime = Duration.seconds(7 * 86_400)
    /// A session ends this long after its login; `login_maximum_lifetime_duration`.
    public var lifetime = Duration.seconds(30 * 86_400)
    /// A token is replaced this long after it was made; `token_rotation_interval_minutes`.
    public var rotationInterval = Duration.seconds(600)

    /// Creates the defaults.
    public init() {}
}
