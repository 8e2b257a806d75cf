// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// Users and their passwords.
public struct UserStore: Sendable {
    let database: Database
    let clock: StoreClock

    private static let saltLength = 10

    /// Makes a user and the membership in the organisation.
    ///
    /// - Throws: ``StorageError`` `.nameExists` when the login or the e-mail address is taken, `.invalidValue` when both are
    ///   empty, `.constraintViolation` when the organisation does not exist.
    public func create(_ draft: NewUser) async throws -> User {
        let login = Self.normalized(draft.login.isEmpty ? draft.email : draft.login)
        let email = Self.normalized(draft.email.isEmpty ? draft.login : draft.email)
        try checkName(login, of: "user")
        try checkName(email, of: "user")
        let (salt, hash) = try await hashed(draft.password)
        let clock = clock
        return try await database.write { connection in
            try Self.insert(draft, login: login, email: email, salt: salt, hash: hash, in: connection, clock: clock)
        }
    }

    /// Makes the first administrator when there is no user at all; nil when there are users.
    public func ensureAdmin(_ draft: NewUser) async throws -> User? {
        guard try await count() == 0 else { return nil }
        var draft = draft
        draft.isAdmin = true
        draft.role = .admin
        do {
            return try await create(draft)
        } catch let error as StorageError where error.code == .nameExists {
            // Another server of the same database was faster.
            return nil
        }
    }

    /// The user with an id.
    ///
    /// Throws `.notFound`.
    public func find(id: Int64) async throws -> User {
        let row = try await database.read { try $0.first("SELECT * FROM \"user\" WHERE id = ?", [.integer(id)]) }
        guard let row else { throw StorageError.notFound("user \(id)") }
        return try User(row: row)
    }

    /// The user with a login or e-mail address, in any case; a login goes before an equal address.
    ///
    /// Throws `.notFound`.
    public func find(loginOrEmail: String) async throws -> User {
        guard let row = try await row(loginOrEmail: loginOrEmail) else {
            throw StorageError.notFound("user '\(loginOrEmail)'")
        }
        return try User(row: row)
    }

    /// The users whose login, e-mail address or name contains `query`, by login.
    public func list(query: String = "", limit: Int = 1000, offset: Int = 0) async throws -> [User] {
        let pattern = containsPattern(query)
        let values = [pattern, pattern, pattern, .integer(Int64(max(limit, 0))), .integer(Int64(max(offset, 0)))]
        let rows = try await database.read { connection in
            try connection.query(
                "SELECT * FROM \"user\" WHERE \(Self.matchesQuery) ORDER BY login LIMIT ? OFFSET ?", values)
        }
        return try rows.map(User.init(row:))
    }

    /// The number of users whose login, e-mail address or name contains `query`.
    public func count(query: String = "") async throws -> Int {
        let pattern = containsPattern(query)
        return try await database.read { connection in
            try connection.count(
                "SELECT COUNT(*) AS n FROM \"user\" WHERE \(Self.matchesQuery)", [pattern, pattern, pattern])
        }
    }

    /// The user with this login or e-mail address and password, or nil when they do not fit or the user is disabled.
    ///
    /// An unknown login takes the time of a wrong password, so that answers do not tell which logins exist.
    public func authenticate(loginOrEmail: String, password: Secret) async throws -> User? {
        let row = try await row(loginOrEmail: loginOrEmail)
        let salt = try row?.text("salt") ?? "0000000000"
        let hash = try row?.text("password") ?? ""
        let matches = try await database.offload { try PasswordHash.matches(password, salt: salt, hash: hash) }
        guard matches, let row else { return nil }
        let user = try User(row: row)
        return user.isDisabled ? nil : user
    }

    /// Sets a new password, with a new salt.
    ///
    /// Throws `.notFound`.
    public func setPassword(id: Int64, to password: Secret, mustChange: Bool = false) async throws {
        let (salt, hash) = try await hashed(password)
        try await update(
            id, "password = ?, salt = ?, must_change_password = ?", [.text(hash), .text(salt), .bool(mustChange)])
    }

    /// Changes login, e-mail address and name; nil keeps a value.
    ///
    /// Throws `.notFound` or `.nameExists`.
    public func updateProfile(
        id: Int64, login: String? = nil, email: String? = nil, name: String? = nil, theme: String? = nil
    ) async throws -> User {
        if let login { try checkName(login, of: "user") }
        if let email { try checkName(email, of: "user") }
        try await update(
            id,
            "login = COALESCE(?, login), email = COALESCE(?, email), name = COALESCE(?, name), theme = COALESCE(?, theme)",
            [
                .optional(login.map(Self.normalized)), .optional(email.map(Self.normalized)), .optional(name),
                .optional(theme),
            ], taken: login ?? email ?? "")
        return try await find(id: id)
    }

    /// Makes the user a server administrator, or takes that away.
    ///
    /// Throws `.notFound`.
    public func setAdmin(id: Int64, _ isAdmin: Bool) async throws {
        try await update(id, "is_admin = ?", [.bool(isAdmin)])
    }

    /// Lets the user in or keeps the user out.
    ///
    /// Throws `.notFound`.
    public func setDisabled(id: Int64, _ isDisabled: Bool) async throws {
        try await update(id, "is_disabled = ?", [.bool(isDisabled)])
    }

    /// Changes the organisation that the user works in; membership is the caller's check.
    ///
    /// Throws `.notFound`.
    public func setOrg(id: Int64, orgID: Int64) async throws {
        try await update(id, "org_id = ?", [.integer(orgID)])
    }

    /// Notes that the user is active.
    public func markSeen(id: Int64, at time: Date) async throws {
        try await database.write { connection in
            try connection.execute(
                "UPDATE \"user\" SET last_seen_at = ? WHERE id = ?", [.time(time), .integer(id)])
        }
    }

    /// Deletes the user with all sessions and memberships.
    ///
    /// Throws `.notFound`.
    public func delete(id: Int64) async throws {
        let count = try await database.write { try $0.execute("DELETE FROM \"user\" WHERE id = ?", [.integer(id)]) }
        guard count > 0 else { throw StorageError.notFound("user \(id)") }
    }

    private static let matchesQuery = "(login LIKE ? ESCAPE '!' OR email LIKE ? ESCAPE '!' OR name LIKE ? ESCAPE '!')"

    static func normalized(_ text: String) -> String { text.lowercased() }

    private func row(loginOrEmail: String) async throws -> Row? {
        let text = SQLValue.text(Self.normalized(loginOrEmail))
        return try await database.read { connection in
            try connection.first("SELECT * FROM \"user\" WHERE login = ?", [text])
                ?? connection.first("SELECT * FROM \"user\" WHERE email = ?", [text])
        }
    }

    private func hashed(_ password: Secret) async throws -> (salt: String, hash: String) {
        let salt = RandomText.salt(length: Self.saltLength)
        return (salt, try await database.offload { try PasswordHash.hex(password, salt: salt) })
    }

    private func update(_ id: Int64, _ changes: String, _ values: [SQLValue], taken: String = "") async throws {
        let values = values + [.time(clock.now()), .integer(id)]
        let count = try await database.write { connection in
            try renamingUniqueViolation(of: "user", name: taken, uid: nil) {
                try connection.execute("UPDATE \"user\" SET \(changes), updated = ? WHERE id = ?", values)
            }
        }
        guard count > 0 else { throw StorageError.notFound("user \(id)") }
    }
}

extension UserStore {
    private static func insert(
        _ draft: NewUser, login: String, email: String, salt: String, hash: String,
        in connection: any DatabaseConnection, clock: StoreClock
    ) throws -> User {
        let now = clock.now()
        let uid = RandomText.uid()
        let id = try renamingUniqueViolation(of: "user", name: login, uid: nil) {
            try connection.insert(
                """
                INSERT INTO "user" (uid, login, email, name, password, salt, org_id, is_admin, is_disabled,
                    must_change_password, theme, created, updated, last_seen_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(uid), .text(login), .text(email), .text(draft.name), .text(hash), .text(salt),
                    .integer(draft.orgID), .bool(draft.isAdmin), false, .bool(draft.mustChangePassword), "", .time(now),
                    .time(now), .time(now),
                ])
        }
        try OrgStore.setRole(draft.role, userID: id, orgID: draft.orgID, in: connection, clock: clock)
        guard let row = try connection.first("SELECT * FROM \"user\" WHERE id = ?", [.integer(id)]) else {
            throw StorageError.notFound("user \(id)")
        }
        return try User(row: row)
    }
}

extension User {
    fileprivate init(row: Row) throws {
        self.init(
            id: try row.integer("id"), uid: try row.text("uid"), login: try row.text("login"),
            email: try row.text("email"),
            name: try row.text("name"), orgID: try row.integer("org_id"), isAdmin: try row.bool("is_admin"),
            isDisabled: try row.bool("is_disabled"), mustChangePassword: try row.bool("must_change_password"),
            theme: try row.text("theme"), created: try row.time("created"), updated: try row.time("updated"),
            lastSeenAt: try row.time("last_seen_at"))
    }
}
