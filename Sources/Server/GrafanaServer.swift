// SPDX-License-Identifier: Apache-2.0
public import Catalog
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
public import PluginHost
public import ServiceLifecycle
public import Settings
public import Storage

/// The HTTP server: one service for the service group of the composition root.
///
/// ```swift
/// let server = try GrafanaServer(settings: settings, stores: stores, platform: platform, logger: logger)
/// try await ServiceGroup(services: [platform, server], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
/// A graceful shutdown lets running requests finish and ends the event streams.
public struct GrafanaServer: Service, CustomStringConvertible {
    /// Its name in the log, which would show all its parts otherwise.
    public var description: String { "server" }

    /// Where the server listens.
    public enum Address: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unixSocket(path: String)
    }

    private let services: ServerServices
    private let logger: Logger
    private let onServerRunning: @Sendable (Address) async -> Void

    /// A server with the options of the settings.
    ///
    /// - Parameters:
    ///   - administration: Installs and removes plugins; nil: the API has no such calls.
    ///   - trust: Who may sign plugins, as the platform's verifier has it; nil for Grafana's own key and the database.
    ///   - onServerRunning: Called once, with the port that was bound.
    /// - Throws: `SettingsError` for a value that does not fit its key.
    public init(
        settings: Settings, stores: Stores, platform: PluginPlatform, administration: PluginAdministration? = nil,
        trust: ServerTrust? = nil, logger: Logger,
        onServerRunning: @escaping @Sendable (Address) async -> Void = { _ in }
    ) throws {
        self.init(
            options: try ServerOptions(settings: settings), settings: settings, stores: stores, platform: platform,
            administration: administration, trust: trust, logger: logger, onServerRunning: onServerRunning)
    }

    /// A server with options of the caller's.
    public init(
        options: ServerOptions, settings: Settings, stores: Stores, platform: PluginPlatform,
        administration: PluginAdministration? = nil, trust: ServerTrust? = nil, logger: Logger,
        onServerRunning: @escaping @Sendable (Address) async -> Void = { _ in }
    ) {
        self.init(
            options: options, settings: settings, stores: stores, platform: platform, administration: administration,
            trust: trust,
            livePolicy: LivePolicy(), logger: logger, onServerRunning: onServerRunning)
    }

    init(
        options: ServerOptions, settings: Settings, stores: Stores, platform: PluginPlatform,
        administration: PluginAdministration? = nil, trust: ServerTrust? = nil, livePolicy: LivePolicy, logger: Logger,
        onServerRunning: @escaping @Sendable (Address) async -> Void
    ) {
        let resolver = DataSourceResolver(stores: stores, platform: platform, sql: options.sql)
        services = ServerServices(
            options: options, settings: settings, stores: stores, platform: platform, administration: administration,
            verifiedFiles: VerifiedFiles(),
            trust: trust ?? ServerTrust(folder: nil, stores: stores, logger: logger),
            authenticator: Authenticator(options: options, stores: stores), resolver: resolver,
            metrics: ServerMetrics(),
            connections: ConnectionTable(), proxyClients: ProxyClients(options: options.proxy),
            expressionThreads: NIOThreadPool(numberOfThreads: max(4, System.coreCount)),
            live: LiveChannels(platform: platform, resolver: resolver, policy: livePolicy, logger: logger),
            health: HealthState())
        self.logger = logger
        self.onServerRunning = onServerRunning
    }

    /// Data sources were changed without this server's API, by provisioning for example.
    public func dataSourcesChanged() {
        services.resolver.invalidate()
    }

    /// Serves until the service group shuts down.
    ///
    /// - Throws: An error of the operating system when the address cannot be bound, or ``APIError`` for bad TLS files.
    public func run() async throws {
        let health = services.health
        services.expressionThreads.start()
        let responder = SubPathResponder(
            inner: RouteTable(services: services).router.buildResponder(), options: services.options)
        let transport = ServerTransport(options: services.options, connections: services.connections)
        let channel = try transport.channel(responder, logger: logger)
        let listener = HTTPListener(
            socket: try ListeningSocket(address), maxConnections: services.options.limits.connections, logger: logger
        ) {
            await serverRuns(on: $0)
        }
        let group = ServiceGroup(
            services: [services.live, Listening(listener: listener, child: channel, services: services)], logger: logger
        )
        do {
            try await withGracefulShutdownHandler {
                try await group.run()
            } onGracefulShutdown: {
                health.end()
            }
        } catch {
            await shutDown()
            throw error
        }
        await shutDown()
    }

    private func shutDown() async {
        await services.proxyClients.shutDown()
        try? await services.expressionThreads.shutdownGracefully()
    }

    private var address: Address {
        switch services.options.address {
        case .tcp(let host, let port): .tcp(host: host, port: port)
        case .unixSocket(let path, _, _): .unixSocket(path: path)
        }
    }

    private struct Listening: Service, CustomStringConvertible {
        /// Its name in the log, which would show all its parts otherwise.
        var description: String { "listener" }

        let listener: HTTPListener
        let child: any ServerChildChannel
        let services: ServerServices

        func run() async throws {
            try await withThrowingTaskGroup(of: Bool.self) { tasks in
                tasks.addTask {
                    try await listener.run(child)
                    return true
                }
                tasks.addTask {
                    try await gracefulShutdown()
                    try await Task.sleep(for: services.options.limits.shutdownPeriod)
                    // Again and again: a request may make one call after the other.
                    while true {
                        services.platform.endCalls()
                        try await Task.sleep(for: .milliseconds(200))
                    }
                }
                defer { tasks.cancelAll() }
                while try await tasks.next() == false {}
            }
        }
    }

    private func serverRuns(on channel: any Channel) async {
        switch services.options.address {
        case .tcp(let host, let port):
            await onServerRunning(.tcp(host: host, port: channel.localAddress?.port ?? port))
        case .unixSocket(let path, let mode, let group):
            UnixSocketFile(path: path).setAccess(mode: mode, group: group, logger: logger)
            await onServerRunning(.unixSocket(path: path))
        }
        // Connections are accepted from here on; a balancer waits for the plugins, but not for one that hangs.
        Task {
            await services.platform.waitUntilLoaded(atMost: .seconds(10))
            services.health.begin()
        }
    }
}
