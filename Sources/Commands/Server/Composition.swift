// SPDX-License-Identifier: Apache-2.0
import BuiltinDatasources
import Catalog
import FoundationEssentials
import Glibc
import Logging
import NIOCore
import PluginHost
import Server
import ServiceLifecycle
import Settings
import Signing
import Storage
import UnixSignals

/// The one place where the server's parts are put together.
enum Composition {
    /// The plugins that are part of the server; they come through the same entry as any other.
    static let builtins = [
        BuiltinPlugin(descriptorJSON: LokiPlugin.descriptorJSON, entry: { loki_entry($0) }),
        BuiltinPlugin(descriptorJSON: PrometheusPlugin.descriptorJSON, entry: { prometheus_entry($0) }),
        BuiltinPlugin(descriptorJSON: TestDataPlugin.descriptorJSON, entry: { testdata_entry($0) }),
        BuiltinPlugin(descriptorJSON: MySQLPlugin.descriptorJSON, entry: { mysql_entry($0) }),
        BuiltinPlugin(descriptorJSON: PostgreSQLPlugin.descriptorJSON, entry: { postgresql_entry($0) }),
        BuiltinPlugin(descriptorJSON: SQLitePlugin.descriptorJSON, entry: { sqlite_entry($0) }),
    ]

    /// Builds the server from its settings and runs it until it is told to stop.
    ///
    /// - Parameters:
    ///   - recovery: what the image of this process left that a plugin crashed.
    ///   - readSettings: reads the settings again, for those that count at the next reload of plugins.
    /// - Throws: ``SettingsError``, ``StorageError``, ``CommandFailure``.
    static func run(
        _ settings: Settings, recovery: CrashRecovery, readSettings: @escaping @Sendable () throws -> Settings
    ) async throws {
        let logs = try LogOutput(settings)
        LoggingSystem.bootstrap { label in LogfmtHandler(label: label, output: logs) }
        let logger = Logger(label: "grafana")
        for warning in settings.warnings { logger.warning("Setting is not used", metadata: ["reason": "\(warning)"]) }

        // What does not fit is told before anything is made.
        let options = try ServerOptions(settings: settings)
        let stores = try await openStores(settings)
        do {
            try await FirstStart(settings: settings, stores: stores, logger: logger).prepare()
            let trust = try TrustServices(settings, stores)
            await trust.trust.reload()
            var configuration = try await platformConfiguration(settings, stores, recovery)
            configuration.readIsolation = { try PluginSettings(try readSettings()).isolation }
            let platform = PluginPlatform(
                configuration: configuration, builtins: builtins,
                keyValues: KeyValueBridge(store: stores.keyValues), logger: Logger(label: "plugins"),
                verifier: trust.verifier)
            let administration = try administration(settings, stores, platform, trust.trust)
            do {
                try await administration.preinstallBlocking()
            } catch {
                await platform.shutDown()
                throw error
            }
            // A plugin that takes its time, or hangs, does not keep the server from answering.
            let loading = Task { await platform.load() }
            await platform.waitUntilLoaded(atMost: .seconds(1))
            defer { loading.cancel() }
            let server = try GrafanaServer(
                settings: settings, stores: stores, platform: platform, administration: administration,
                trust: trust.trust, logger: Logger(label: "server")
            ) { address in
                logger.info(
                    "HTTP server listens",
                    metadata: ["address": "\(Self.text(of: address))", "home": "\(settings.homePath)"])
            }
            let running: [any Service] =
                [CleanUp(stores: stores), platform, PluginSupply(administration: administration)]
                + trust.services(platform) + [server]
            var group = ServiceGroupConfiguration(
                services: running.map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
            // Calls are ended before; this is for what does not even hear that.
            group.maximumGracefulShutdownDuration = options.limits.shutdownPeriod + .seconds(10)
            let services = ServiceGroup(configuration: group)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await Signals.watch(logs: logs, logger: logger) }
                try await services.run()
                tasks.cancelAll()
            }
        } catch {
            await stores.close()
            throw explained(error, settings)
        }
        await stores.close()
        logger.info("Server stopped")
    }

    private static func text(of address: GrafanaServer.Address) -> String {
        switch address {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host.isEmpty ? "*" : host):\(port)"
        case .unixSocket(let path): path
        }
    }

    /// The words for an address that cannot be bound.
    private static func explained(_ error: any Error, _ settings: Settings) -> any Error {
        guard let error = error as? IOError else { return error }
        let reason = String(cString: strerror(error.errnoCode)).lowercased()
        let address = "\(settings.string("server", "http_addr")):\(settings.string("server", "http_port"))"
        return CommandFailure(
            .unavailable,
            "the server cannot listen on '\(address)': \(reason); stop the program that uses it, or choose another port "
                + "with cfg:server.http_port=3001")
    }

    private static func administration(
        _ settings: Settings, _ stores: Stores, _ platform: PluginPlatform, _ trust: ServerTrust
    ) throws -> PluginAdministration {
        let folder = PluginsFolder(path: try PluginSettings(settings).folder)
        var configuration = try CatalogSettings.configuration(settings, folder: folder, origin: "api")
        // The keys of the database count as well, and what was revoked a moment ago.
        configuration.trust.source = { () throws(SigningError) in try trust.current.store }
        return PluginAdministration(
            configuration: configuration,
            desired: stores.desiredPlugins, link: PlatformLink(platform: platform),
            preinstalled: try CatalogSettings.preinstall(settings), logger: Logger(label: "plugins.install"))
    }

    private static func openStores(_ settings: Settings) async throws -> Stores {
        let access = try DatabaseAccess(settings: settings)
        try Folder.make(settings.path("paths", "data"))
        var policy = SessionPolicy()
        policy.inactiveLifetime =
            try settings.duration("auth", "login_maximum_inactive_lifetime_duration") ?? policy.inactiveLifetime
        policy.lifetime = try settings.duration("auth", "login_maximum_lifetime_duration") ?? policy.lifetime
        policy.rotationInterval = .seconds(
            60 * (try settings.int("auth", "token_rotation_interval_minutes", in: 1...1440)))
        return try await Stores.open(path: access.path, secretKey: access.secretKey, sessionPolicy: policy)
    }

    private static func caching(_ settings: Settings) throws -> CachingSettings {
        var caching = CachingSettings()
        caching.isEnabled = try settings.bool("caching", "enabled")
        caching.lifetime = try settings.duration("caching", "ttl") ?? caching.lifetime
        caching.longestLifetime = try settings.duration("caching", "max_ttl") ?? caching.longestLifetime
        caching.answerBytes = try settings.int("caching", "max_value_mb", in: 1...1_048_576) << 20
        caching.totalBytes = try settings.int("caching.memory", "max_size_mb", in: 1...1_048_576) << 20
        return caching
    }

    private static func platformConfiguration(
        _ settings: Settings, _ stores: Stores, _ recovery: CrashRecovery
    ) async throws -> PlatformConfiguration {
        let plugins = try PluginSettings(settings)
        try Folder.make(plugins.folder)
        let http = HTTPDefaults(
            timeout: .seconds(try settings.int("dataproxy", "timeout", in: 1...86_400)),
            dialTimeout: .seconds(try settings.int("dataproxy", "dialTimeout", in: 1...86_400)),
            idleTimeout: .seconds(try settings.int("dataproxy", "idle_conn_timeout_seconds", in: 1...86_400)),
            userAgent: "Grafana/\(ServerOptions.announcedVersion)")
        var pluginSettings = plugins.pluginSettings
        let database = URL(filePath: DatabaseAccess.path(settings)).path
        for id in ServerDatabase.plugins { pluginSettings[id, default: [:]][ServerDatabase.setting] = database }
        let disabled = try await stores.keyValues.keys(orgID: 0, namespace: KeyValueStore.disabledPlugins)
        return PlatformConfiguration(
            coreFolder: RunnerSettings.corePlugins, pluginsFolder: plugins.folder, pluginPaths: plugins.paths,
            loading: plugins.loading,
            serverVersion: ServerOptions.announcedVersion, http: http, disabledIDs: Set(disabled),
            rowLimit: try settings.int("dataproxy", "row_limit", in: 1...1_000_000_000),
            caching: try caching(settings),
            isolation: plugins.isolation, runner: plugins.runner,
            goPlugins: plugins.goPlugins, pluginSettings: pluginSettings, controlGroups: plugins.controlGroups,
            quarantine: plugins.survivesCrashes ? .on(recovery) : .off)
    }
}
