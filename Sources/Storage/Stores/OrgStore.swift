// SPDX-License-Identifier: Apache-2.0

/// Organisations and their members.
public struct OrgStore: Sendable {
    /// The name of the organisation that every database has.
    public static let defaultName = "Main Org."

    let database: Database
    let clock: StoreClock

    /// Makes the default organisation when there is none at all, and returns the one with the smallest id.
    public func ensureDefault() async throws -> Org {
        if let org = try await list(limit: 1).first { return org }
        let clock = clock
        return try await database.write { connection in
            let rows = try connection.query("SELECT * FROM org ORDER BY id LIMIT 1")
            if let row = rows.first { return try Org(row: row) }
            return try Self.insert(Self.defaultName, in: connection, clock: clock)
        }
    }

    /// Makes an organisation.
    ///
    /// - Throws: ``StorageError`` `.nameExists`, or `.invalidValue` for an empty name.
    public func create(name: String) async throws -> Org {
        let clock = clock
        return try await database.write { try Self.insert(name, in: $0, clock: clock) }
    }

    /// The organisation with an id.
    ///
    /// Throws `.notFound`.
    public func find(id: Int64) async throws -> Org {
        let row = try await database.read { try $0.first("SELECT * FROM org WHERE id = ?", [.integer(id)]) }
        guard let row else { throw StorageError.notFound("organisation \(id)") }
        return try Org(row: row)
    }

    /// The organisation with a name.
    ///
    /// Throws `.notFound`.
    public func find(name: String) async throws -> Org {
        let row = try await database.read { try $0.first("SELECT * FROM org WHERE name = ?", [.text(name)]) }
        guard let row else { throw StorageError.notFound("organisation '\(name)'") }
        return try Org(row: row)
    }

    /// The organisations in the order of their ids.
    public func list(limit: Int = 1000, offset: Int = 0) async throws -> [Org] {
        let page: [SQLValue] = [.integer(Int64(max(limit, 0))), .integer(Int64(max(offset, 0)))]
        let rows = try await database.read { try $0.query("SELECT * FROM org ORDER BY id LIMIT ? OFFSET ?", page) }
        return try rows.map(Org.init(row:))
    }

    /// Changes the name.
    ///
    /// Throws `.notFound` or `.nameExists`.
    public func rename(id: Int64, to name: String) async throws {
        try checkName(name, of: "organisation")
        let now = clock.now()
        let count = try await database.write { connection in
            try renamingUniqueViolation(of: "organisation", name: name, uid: nil) {
                try connection.execute(
                    "UPDATE org SET name = ?, version = version + 1, updated = ? WHERE id = ?",
                    [.text(name), .time(now), .integer(id)])
            }
        }
        guard count > 0 else { throw StorageError.notFound("organisation \(id)") }
    }

    /// Deletes an organisation with its members' places, data sources and settings.
    ///
    /// Throws `.notFound`.
    public func delete(id: Int64) async throws {
        let count = try await database.write { connection in
            try connection.execute("DELETE FROM kv_store WHERE org_id = ?", [.integer(id)])
            return try connection.execute("DELETE FROM org WHERE id = ?", [.integer(id)])
        }
        guard count > 0 else { throw StorageError.notFound("organisation \(id)") }
    }

    /// The organisations of a user, by name.
    public func memberships(userID: Int64) async throws -> [OrgMembership] {
        try await memberships("m.user_id = ? ORDER BY o.name", [.integer(userID)])
    }

    /// The members of an organisation, in the order of their ids.
    public func members(orgID: Int64) async throws -> [OrgMembership] {
        try await memberships("m.org_id = ? ORDER BY m.user_id", [.integer(orgID)])
    }

    /// The role of a user in an organisation; nil when the user is no member.
    public func role(userID: Int64, orgID: Int64) async throws -> OrgRole? {
        try await memberships("m.user_id = ? AND m.org_id = ?", [.integer(userID), .integer(orgID)]).first?.role
    }

    /// Makes a user a member, or changes the role of a member.
    ///
    /// - Throws: ``StorageError`` `.constraintViolation` when the user or the organisation does not exist.
    public func setRole(_ role: OrgRole, userID: Int64, orgID: Int64) async throws {
        let clock = clock
        try await database.write { try Self.setRole(role, userID: userID, orgID: orgID, in: $0, clock: clock) }
    }

    /// Ends a membership.
    ///
    /// Throws `.notFound`.
    public func removeMember(userID: Int64, orgID: Int64) async throws {
        let count = try await database.write { connection in
            try connection.execute(
                "DELETE FROM org_user WHERE org_id = ? AND user_id = ?", [.integer(orgID), .integer(userID)])
        }
        guard count > 0 else { throw StorageError.notFound("user \(userID) of organisation \(orgID)") }
    }

    static func setRole(
        _ role: OrgRole, userID: Int64, orgID: Int64, in connection: any DatabaseConnection, clock: StoreClock
    ) throws {
        let now = SQLValue.time(clock.now())
        let sql = connection.dialect.upsert(
            into: "org_user", columns: ["org_id", "user_id", "role", "created", "updated"],
            conflict: ["org_id", "user_id"], update: ["role", "updated"])
        try connection.execute(sql, [.integer(orgID), .integer(userID), .text(role.rawValue), now, now])
    }

    private func memberships(_ condition: String, _ values: [SQLValue]) async throws -> [OrgMembership] {
        let sql = """
            SELECT m.org_id AS org_id, o.name AS name, m.user_id AS user_id, m.role AS role
            FROM org_user m JOIN org o ON o.id = m.org_id WHERE \(condition)
            """
        let rows = try await database.read { try $0.query(sql, values) }
        return try rows.map { row in
            OrgMembership(
                orgID: try row.integer("org_id"), orgName: try row.text("name"), userID: try row.integer("user_id"),
                role: OrgRole(rawValue: try row.text("role")) ?? .none)
        }
    }

    private static func insert(_ name: String, in connection: any DatabaseConnection, clock: StoreClock) throws -> Org {
        try checkName(name, of: "organisation")
        let now = clock.now()
        let id = try renamingUniqueViolation(of: "organisation", name: name, uid: nil) {
            try connection.insert(
                "INSERT INTO org (name, version, created, updated) VALUES (?, 1, ?, ?)",
                [.text(name), .time(now), .time(now)])
        }
        return Org(id: id, name: name, created: now, updated: now)
    }
}

extension Org {
    fileprivate init(row: Row) throws {
        self.init(
            id: try row.integer("id"), name: try row.text("name"), created: try row.time("created"),
            updated: try row.time("updated"))
    }
}
