// SPDX-License-Identifier: Apache-2.0

/// Data sources and their secrets.
public struct DataSourceStore: Sendable {
    let database: Database
    let secretsService: SecretsService
    let clock: StoreClock

    init(database: Database, secrets: SecretsService, clock: StoreClock) {
        self.database = database
        secretsService = secrets
        self.clock = clock
    }

    /// Makes a data source.
    ///
    /// - Parameter uid: Nil or empty for a generated one.
    /// - Throws: ``StorageError`` `.nameExists`, `.uidExists`, or `.invalidValue` for an empty name or type.
    public func add(
        orgID: Int64, _ fields: DataSourceFields, uid: String? = nil, secrets: [String: Secret] = [:],
        isReadOnly: Bool = false
    ) async throws -> DataSource {
        let uid = uid.flatMap { $0.isEmpty ? nil : $0 } ?? RandomText.uid()
        try Self.check(fields, uid: uid)
        let key = try await dataKey(for: secrets, orgID: orgID)
        let now = clock.now()
        return try await database.write { connection in
            if fields.isDefault { try Self.unsetDefault(orgID: orgID, in: connection) }
            let id = try renamingUniqueViolation(of: "data source", name: fields.name, uid: uid) {
                try connection.insert(
                    Self.insertStatement,
                    Self.values(fields) + [
                        .text(uid), .integer(orgID), 1, .bool(isReadOnly), "{}", .time(now), .time(now),
                    ])
            }
            if let key {
                var sealed = SecretFields()
                try sealed.set(secrets, under: key, place: Self.place(id))
                try connection.execute(
                    "UPDATE data_source SET secure_json_data = ? WHERE id = ?", [.text(try sealed.json), .integer(id)])
            }
            return try Self.one(.id(id), orgID: orgID, in: connection)
        }
    }

    /// Changes a data source and counts its version up.
    ///
    /// - Throws: ``StorageError`` `.notFound`, `.versionMismatch`, `.readOnly`, `.nameExists` or `.uidExists`.
    public func update(orgID: Int64, _ which: DataSourceKey, _ update: DataSourceUpdate) async throws -> DataSource {
        if let uid = update.uid { try Self.check(update.fields, uid: uid) }
        try Self.check(update.fields, uid: "-")
        let key = try await dataKey(for: update.secrets, orgID: orgID)
        let now = clock.now()
        return try await database.write { connection in
            let stored = try Self.row(which, orgID: orgID, in: connection)
            let current = try DataSource(row: stored)
            try Self.check(update, against: current)
            if update.fields.isDefault { try Self.unsetDefault(orgID: orgID, in: connection) }
            var sealed =
                update.replacesAllSecrets
                ? SecretFields() : try SecretFields(json: try stored.text("secure_json_data"))
            if let key { try sealed.set(update.secrets, under: key, place: Self.place(current.id)) }
            let uid = update.uid ?? current.uid
            let values =
                Self.values(update.fields) + [
                    .text(uid), .integer(Int64(current.version) + 1), .bool(update.isReadOnly ?? current.isReadOnly),
                    .text(try sealed.json), .time(now), .integer(current.id), .integer(Int64(current.version)),
                ]
            let count = try renamingUniqueViolation(of: "data source", name: update.fields.name, uid: uid) {
                try connection.execute(Self.updateStatement, values)
            }
            guard count > 0 else { throw Self.versionMismatch(current.fields.name, current.version) }
            return try Self.one(.id(current.id), orgID: orgID, in: connection)
        }
    }

    /// Deletes a data source and returns what it was.
    ///
    /// Throws `.notFound` or `.readOnly`.
    @discardableResult
    public func delete(orgID: Int64, _ which: DataSourceKey, isProvisioning: Bool = false) async throws -> DataSource {
        try await database.write { connection in
            let source = try Self.one(which, orgID: orgID, in: connection)
            guard !source.isReadOnly || isProvisioning else { throw Self.readOnly(source.fields.name) }
            try connection.execute("DELETE FROM data_source WHERE id = ?", [.integer(source.id)])
            return source
        }
    }

    /// One data source of an organisation.
    ///
    /// Throws `.notFound`.
    public func find(orgID: Int64, _ which: DataSourceKey) async throws -> DataSource {
        try await database.read { try Self.one(which, orgID: orgID, in: $0) }
    }

    /// The default source of an organisation; nil when none is set.
    public func findDefault(orgID: Int64) async throws -> DataSource? {
        try await database.read { connection in
            try connection.first(
                "SELECT * FROM data_source WHERE org_id = ? AND is_default = ?", [.integer(orgID), true]
            ).map(DataSource.init(row:))
        }
    }

    /// The sources of an organisation by name, at most `limit`.
    public func list(orgID: Int64, limit: Int = 5000) async throws -> [DataSource] {
        let rows = try await database.read { connection in
            try connection.query(
                "SELECT * FROM data_source WHERE org_id = ? ORDER BY name, id LIMIT ?",
                [.integer(orgID), .integer(Int64(max(limit, 0)))])
        }
        return try rows.map(DataSource.init(row:))
    }

    /// The number of sources of an organisation, for quotas.
    public func count(orgID: Int64) async throws -> Int {
        try await database.read { connection in
            try connection.count("SELECT COUNT(*) AS n FROM data_source WHERE org_id = ?", [.integer(orgID)])
        }
    }

    /// The decrypted secrets of a data source by name.
    ///
    /// - Throws: ``StorageError`` `.notFound`, `.secretUnreadable` or `.wrongSecretKey`.
    public func secrets(of source: DataSource) async throws -> [String: Secret] {
        let row = try await database.read { try Self.row(.id(source.id), orgID: source.orgID, in: $0) }
        let sealed = try SecretFields(json: try row.text("secure_json_data"))
        return try await sealed.open(place: Self.place(source.id), with: secretsService)
    }

    private func dataKey(for secrets: [String: Secret], orgID: Int64) async throws -> DataKey? {
        secrets.isEmpty ? nil : try await secretsService.currentKey(scope: "org:\(orgID)")
    }
}

extension DataSourceStore {
    static func place(_ id: Int64) -> String { "data_source/\(id)" }

    private static let fieldColumns = [
        "name", "type", "access", "url", "user", "database", "basic_auth", "basic_auth_user", "with_credentials",
        "is_default", "api_version", "json_data",
    ]

    private static let insertStatement: String = {
        let columns =
            fieldColumns + ["uid", "org_id", "version", "read_only", "secure_json_data", "created", "updated"]
        let names = columns.map { "\"\($0)\"" }.joined(separator: ", ")
        return "INSERT INTO data_source (\(names)) VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))"
    }()

    private static let updateStatement: String = {
        let columns = fieldColumns + ["uid", "version", "read_only", "secure_json_data", "updated"]
        let changes = columns.map { "\"\($0)\" = ?" }.joined(separator: ", ")
        return "UPDATE data_source SET \(changes) WHERE id = ? AND version = ?"
    }()

    private static func values(_ fields: DataSourceFields) -> [SQLValue] {
        [
            .text(fields.name), .text(fields.type), .text(fields.access), .text(fields.url), .text(fields.user),
            .text(fields.database), .bool(fields.basicAuth), .text(fields.basicAuthUser), .bool(fields.withCredentials),
            .bool(fields.isDefault), .text(fields.apiVersion), .text(fields.jsonData),
        ]
    }

    private static func row(_ which: DataSourceKey, orgID: Int64, in connection: any DatabaseConnection) throws -> Row {
        let (column, value, subject): (String, SQLValue, String) =
            switch which {
            case .id(let id): ("id", .integer(id), "\(id)")
            case .uid(let uid): ("uid", .text(uid), "'\(uid)'")
            case .name(let name): ("name", .text(name), "'\(name)'")
            }
        let sql = "SELECT * FROM data_source WHERE org_id = ? AND \(column) = ?"
        guard let row = try connection.first(sql, [.integer(orgID), value]) else {
            throw StorageError.notFound("data source \(subject)")
        }
        return row
    }

    private static func one(
        _ which: DataSourceKey, orgID: Int64, in connection: any DatabaseConnection
    ) throws -> DataSource {
        try DataSource(row: try row(which, orgID: orgID, in: connection))
    }

    private static func unsetDefault(orgID: Int64, in connection: any DatabaseConnection) throws {
        try connection.execute(
            "UPDATE data_source SET is_default = ? WHERE org_id = ? AND is_default = ?", [false, .integer(orgID), true])
    }

    private static func check(_ fields: DataSourceFields, uid: String) throws {
        try checkName(fields.name, of: "data source")
        try checkName(fields.type, of: "data source type")
        try checkUID(uid, of: "data source '\(fields.name)'")
        guard fields.access == "proxy" || fields.access == "direct" else {
            throw StorageError(
                .invalidValue, "data source '\(fields.name)': access '\(fields.access)' is unknown; use proxy or direct"
            )
        }
    }

    private static func check(_ update: DataSourceUpdate, against current: DataSource) throws {
        guard !current.isReadOnly || update.isProvisioning else { throw readOnly(current.fields.name) }
        if let expected = update.expectedVersion, expected != current.version {
            throw versionMismatch(current.fields.name, current.version)
        }
    }

    private static func readOnly(_ name: String) -> StorageError {
        StorageError(.readOnly, "data source '\(name)': it is provisioned; change the provisioning file instead")
    }

    private static func versionMismatch(_ name: String, _ version: Int) -> StorageError {
        StorageError(
            .versionMismatch,
            "data source '\(name)': somebody changed it meanwhile, it is at version \(version); read it again and repeat"
        )
    }
}

extension DataSource {
    fileprivate init(row: Row) throws {
        var fields = DataSourceFields(name: try row.text("name"), type: try row.text("type"))
        fields.access = try row.text("access")
        fields.url = try row.text("url")
        fields.user = try row.text("user")
        fields.database = try row.text("database")
        fields.basicAuth = try row.bool("basic_auth")
        fields.basicAuthUser = try row.text("basic_auth_user")
        fields.withCredentials = try row.bool("with_credentials")
        fields.isDefault = try row.bool("is_default")
        fields.apiVersion = try row.text("api_version")
        fields.jsonData = try row.text("json_data")
        self.init(
            id: try row.integer("id"), uid: try row.text("uid"), orgID: try row.integer("org_id"),
            version: Int(try row.integer("version")), fields: fields, isReadOnly: try row.bool("read_only"),
            secureFieldNames: try SecretFields(json: try row.text("secure_json_data")).names,
            created: try row.time("created"), updated: try row.time("updated"))
    }
}
