// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import PluginABI
import PluginHost
import Storage
import Synchronization

/// A stored data source with what the platform needs to call it.
struct ResolvedDataSource: Sendable {
    var source: StoredDataSource
    var configuration: DataSourceConfiguration
}

/// Finds data sources with their decrypted secrets, and remembers them for a short while, as every query asks for them.
///
/// Changes through this server show at once; those of another server on the same database within five seconds.
final class DataSourceResolver: Sendable {
    private struct Key: Hashable {
        var orgID: Int64
        var reference: DataSourceReference
    }

    private struct Entry {
        var resolved: ResolvedDataSource
        var until: ContinuousClock.Instant
    }

    private static let lifetime = Duration.seconds(5)
    private static let capacity = 10_000

    private let stores: Stores
    private let platform: PluginPlatform
    private let sql: ServerOptions.SQL
    private let entries = Mutex<[Key: Entry]>([:])
    /// Counts the changes, so that a look-up that began before one is not remembered after it.
    private let changes = Mutex(0)

    init(stores: Stores, platform: PluginPlatform, sql: ServerOptions.SQL) {
        self.stores = stores
        self.platform = platform
        self.sql = sql
    }

    /// A data source of an organisation.
    ///
    /// - Throws: ``APIError/dataSourceNotFound``.
    func find(_ reference: DataSourceReference, orgID: Int64) async throws -> ResolvedDataSource {
        let key = Key(orgID: orgID, reference: reference)
        let now = ContinuousClock.now
        if let entry = entries.withLock({ $0[key] }), entry.until > now { return entry.resolved }
        let change = changes.withLock { $0 }
        let source = try await stored(reference, orgID: orgID)
        let secrets = try await stores.dataSources.secrets(of: source)
        let resolved = ResolvedDataSource(source: source, configuration: configuration(of: source, secrets))
        guard changes.withLock({ $0 }) == change else { return resolved }
        entries.withLock { entries in
            if entries.count >= Self.capacity { entries.removeAll() }
            entries[key] = Entry(resolved: resolved, until: now + Self.lifetime)
        }
        return resolved
    }

    /// Forgets everything, after a change.
    func invalidate() {
        changes.withLock { $0 += 1 }
        entries.withLock { $0.removeAll() }
    }

    private func stored(_ reference: DataSourceReference, orgID: Int64) async throws -> StoredDataSource {
        do {
            switch reference {
            case .uid(let uid): return try await stores.dataSources.find(orgID: orgID, .uid(uid))
            case .id(let id): return try await stores.dataSources.find(orgID: orgID, .id(id))
            case .name(let name):
                // Old dashboards name a source by its uid or its name, and the default one by this word.
                if name == "default", let source = try await stores.dataSources.findDefault(orgID: orgID) {
                    return source
                }
                if let source = try? await stores.dataSources.find(orgID: orgID, .uid(name)) { return source }
                return try await stores.dataSources.find(orgID: orgID, .name(name))
            case .expression: throw APIError.dataSourceNotFound
            }
        } catch let error as StorageError where error.code == .notFound {
            throw APIError.dataSourceNotFound
        }
    }

    private func configuration(of source: StoredDataSource, _ secrets: [String: Secret]) -> DataSourceConfiguration {
        let fields = source.fields
        var jsonData = (try? JSONValue(parsing: fields.jsonData)) ?? .object([:])
        let plugin = platform.plugin(id: fields.type)
        if plugin?.descriptor.category == "sql" { addDefaults(to: &jsonData) }
        let settings = DataSourceInstanceSettings(
            id: source.id, orgID: source.orgID, uid: source.uid, name: fields.name,
            pluginID: plugin?.id ?? fields.type, url: fields.url, user: fields.user,
            database: fields.database, basicAuthEnabled: fields.basicAuth, basicAuthUser: fields.basicAuthUser,
            jsonData: jsonData, updated: Timestamp(milliseconds: source.updated.epochMilliseconds))
        return DataSourceConfiguration(
            settings: settings, secrets: secrets.mapValues(\.clearText), version: source.version)
    }

    /// The connections that `[sql_datasources]` grants where a data source says nothing.
    private func addDefaults(to jsonData: inout JSONValue) {
        let defaults = [
            ("maxOpenConns", sql.maxOpenConnections), ("maxIdleConns", sql.maxIdleConnections),
            ("connMaxLifetime", sql.maxLifetime),
        ]
        for (key, value) in defaults where jsonData[key]?.isNull ?? true { jsonData[key] = .integer(Int64(value)) }
    }
}

extension Date {
    /// Milliseconds since 1970.
    var epochMilliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }
    /// RFC 3339 in UTC.
    var rfc3339: String { RFC3339.text(milliseconds: epochMilliseconds) }
}
