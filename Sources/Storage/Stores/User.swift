// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// A user, without the password.
public struct User: Sendable, Equatable {
    /// The numeric id.
    public var id: Int64
    /// The uid.
    public var uid: String
    /// The login, unique, compared without regard to case.
    public var login: String
    /// The e-mail address, unique, compared without regard to case.
    public var email: String
    /// The name to show.
    public var name: String
    /// The organisation that the user works in.
    public var orgID: Int64
    /// Whether the user administers the whole server.
    public var isAdmin: Bool
    /// Whether the user may not log in.
    public var isDisabled: Bool
    /// Whether the next login asks for a new password.
    public var mustChangePassword: Bool
    /// The theme; empty for the default.
    public var theme: String
    /// When the user was made.
    public var created: Date
    /// When the user was last changed.
    public var updated: Date
    /// When the user last sent a request; the time of creation before the first.
    public var lastSeenAt: Date
}

/// What a new user is made of.
public struct NewUser: Sendable {
    /// The login; taken from the e-mail address when empty.
    public var login: String
    /// The e-mail address; taken from the login when empty.
    public var email: String
    /// The name to show.
    public var name: String
    /// The password.
    public var password: Secret
    /// The organisation that the user joins.
    public var orgID: Int64
    /// The role there.
    public var role: OrgRole
    /// Whether the user administers the whole server.
    public var isAdmin = false
    /// Whether the first login asks for a new password.
    public var mustChangePassword = false

    /// Describes a new user.
    public init(
        login: String, email: String = "", name: String = "", password: Secret, orgID: Int64 = 1,
        role: OrgRole = .viewer
    ) {
        self.login = login
        self.email = email
        self.name = name
        self.password = password
        self.orgID = orgID
        self.role = role
    }
}
