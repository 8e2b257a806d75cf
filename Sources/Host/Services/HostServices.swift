// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Logging
internal import NIOCore
public import PluginABI
internal import Processes
internal import Synchronization

/// What all plugins of one platform share.
final class HostServices: Sendable {
    let logger: Logger
    let watchdog: Watchdog
    let keyValues: any KeyValueBackend
    let eventLoops: any EventLoopGroup
    let http: AsyncHTTPClient.HTTPClient
    let httpDefaults: HTTPDefaults
    /// What the operator set for plugins, by plugin id and key.
    let pluginSettings: [String: [String: String]]
    /// Where the control groups of processes are made; nil: nowhere.
    let groups: ControlGroups?
    /// Whether the server ends its calls: what does not obey at once is no hang then.
    let isEnding = Atomic<Bool>(false)
    /// Told of what a plugin in the server's own process did.
    let incidents: AsyncStream<PluginIncident>.Continuation

    init(
        logger: Logger, watchdog: Watchdog, keyValues: any KeyValueBackend, eventLoops: any EventLoopGroup,
        http: AsyncHTTPClient.HTTPClient, httpDefaults: HTTPDefaults, pluginSettings: [String: [String: String]],
        groups: ControlGroups?, incidents: AsyncStream<PluginIncident>.Continuation
    ) {
        self.groups = groups
        self.incidents = incidents
        self.logger = logger
        self.watchdog = watchdog
        self.keyValues = keyValues
        self.eventLoops = eventLoops
        self.http = http
        self.httpDefaults = httpDefaults
        self.pluginSettings = pluginSettings
    }
}

extension HostServices {
    /// A control group for one process of a plugin; nil where there are none, or the system refuses one more.
    func makeGroup(_ id: String, _ limits: ControlGroup.Limits) -> ControlGroup? {
        guard let groups else { return nil }
        do {
            return try groups.make(id, limits: limits)
        } catch {
            logger.error(
                "A plugin's process runs without a control group",
                metadata: ["plugin.id": "\(id)", "reason": "\(error)"])
            return nil
        }
    }
}

/// Timeouts and names of outgoing requests; `[dataproxy]` in the configuration.
public struct HTTPDefaults: Sendable {
    /// Of a whole exchange, where the data source sets none.
    public var timeout: Duration
    /// How long a connection may take to be made.
    public var dialTimeout: Duration
    /// How long an unused connection stays open for the next request.
    public var idleTimeout: Duration
    /// The soft limit of HTTP/1.1 connections to one host, of all plugins together.
    public var maxConnectionsPerHost: Int
    /// The `User-Agent` of requests that set none.
    public var userAgent: String

    /// Takes 30 s for an exchange, 10 s to connect, 90 s idle and 64 connections where nothing is given.
    public init(
        timeout: Duration = .seconds(30), dialTimeout: Duration = .seconds(10), idleTimeout: Duration = .seconds(90),
        maxConnectionsPerHost: Int = 64, userAgent: String = "Grafana"
    ) {
        self.timeout = timeout
        self.dialTimeout = dialTimeout
        self.idleTimeout = idleTimeout
        self.maxConnectionsPerHost = maxConnectionsPerHost
        self.userAgent = userAgent
    }
}

/// A little persistent memory for plugins.
///
/// Functions may block: they are called on threads of plugins only.
public protocol KeyValueBackend: Sendable {
    func get(scope: String, key: String) throws -> (value: [UInt8], version: Int64)?

    /// - Parameter version: what is stored must have it: 0 for nothing, nil for anything.
    /// - Returns: the new version.
    /// - Throws: ``PluginError`` `.state` when another version is stored.
    func put(scope: String, key: String, value: [UInt8], version: Int64?) throws -> Int64
    func remove(scope: String, key: String) throws

    /// The keys with a prefix, ascending.
    func keys(scope: String, prefix: String) throws -> [String]

    /// The bytes of all keys and values of a scope.
    func totalBytes(scope: String) throws -> Int
}

/// One data source as the server stores it, with its secrets in clear.
public struct DataSourceConfiguration: Sendable {
    /// The row of the data source as its plugin sees it, without secrets.
    public var settings: DataSourceInstanceSettings
    /// Decrypted `secureJsonData`.
    public var secrets: [String: String]
    /// Differs when the settings differ: an instance of another version is replaced.
    public var version: Int

    /// Pairs settings with their decrypted secrets; `version` must change whenever either does.
    public init(settings: DataSourceInstanceSettings, secrets: [String: String] = [:], version: Int) {
        self.settings = settings
        self.secrets = secrets
        self.version = version
    }
}

extension DataSourceConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The data source's name in the organisation; never its secrets.
    public var description: String { "data source \(settings.uid) of organisation \(settings.orgID)" }
    /// As ``description``.
    public var debugDescription: String { description }
    /// A mirror without children.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
