// SPDX-License-Identifier: Apache-2.0

/// All stores over one database.
public struct Stores: Sendable {
    /// The database itself, for health checks and for closing.
    public let database: Database
    /// Encryption of secrets, and its rotation.
    public let secrets: SecretsService
    /// Organisations and their members.
    public let orgs: OrgStore
    /// Users and their passwords.
    public let users: UserStore
    /// Browser sessions.
    public let sessions: SessionStore
    /// Failed logins.
    public let loginAttempts: LoginAttemptStore
    /// Data sources.
    public let dataSources: DataSourceStore
    /// Settings of plugins, one row an organisation and plugin.
    public let pluginSettings: PluginSettingStore
    /// Values that plugins and the server keep by key.
    public let keyValues: KeyValueStore
    /// The plugins that all servers of the database should have.
    public let desiredPlugins: DesiredPluginStore
    /// Who may sign plugins.
    public let pluginTrust: PluginTrustStore

    /// Creates the stores over an open database.
    public init(
        database: Database, secretKey: Secret, sessionPolicy: SessionPolicy = SessionPolicy(),
        clock: StoreClock = .system
    ) {
        self.database = database
        secrets = SecretsService(database: database, secretKey: secretKey, clock: clock)
        orgs = OrgStore(database: database, clock: clock)
        users = UserStore(database: database, clock: clock)
        sessions = SessionStore(database: database, secretKey: secretKey, policy: sessionPolicy, clock: clock)
        loginAttempts = LoginAttemptStore(database: database, clock: clock)
        dataSources = DataSourceStore(database: database, secrets: secrets, clock: clock)
        pluginSettings = PluginSettingStore(database: database, secrets: secrets, clock: clock)
        keyValues = KeyValueStore(database: database, clock: clock)
        desiredPlugins = DesiredPluginStore(database: database, clock: clock)
        pluginTrust = PluginTrustStore(database: database, clock: clock)
    }

    /// Opens the database, migrates it, checks that the secret key fits, and makes sure of the organisation with id 1.
    ///
    /// - Throws: What ``Database/open(path:options:)`` throws, and ``StorageError`` `.wrongSecretKey`. Then nothing stays open.
    public static func open(
        path: String, secretKey: Secret, options: DatabaseOptions = DatabaseOptions(),
        sessionPolicy: SessionPolicy = SessionPolicy(), clock: StoreClock = .system
    ) async throws -> Stores {
        let database = try await Database.open(path: path, options: options)
        let stores = Stores(database: database, secretKey: secretKey, sessionPolicy: sessionPolicy, clock: clock)
        do {
            try await stores.secrets.verify()
            _ = try await stores.orgs.ensureDefault()
            return stores
        } catch {
            await database.close()
            throw error
        }
    }

    /// Closes the database.
    public func close() async {
        await database.close()
    }
}
