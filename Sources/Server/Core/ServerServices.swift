// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Catalog
import NIOPosix
import PluginHost
import Settings
import Storage

/// What the API groups work with.
struct ServerServices: Sendable {
    let options: ServerOptions
    let settings: Settings
    let stores: Stores
    let platform: PluginPlatform
    let administration: PluginAdministration?
    let verifiedFiles: VerifiedFiles
    let trust: ServerTrust
    let authenticator: Authenticator
    let resolver: DataSourceResolver
    let metrics: ServerMetrics
    let connections: ConnectionTable
    let proxyClients: ProxyClients
    /// Where expressions are calculated, apart from what else may block.
    let expressionThreads: NIOThreadPool
    let live: LiveChannels
    let health: HealthState
}
