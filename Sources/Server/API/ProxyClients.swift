// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import HTTPTypes
import NIOCore
import NIOPosix
import NIOSSL
import PluginABI
import PluginHost
import Storage
import Synchronization

/// HTTP clients for the data source proxy: one for all sources without TLS settings, else one a source.
final class ProxyClients: Sendable {
    private struct Entry {
        var version: Int
        var client: ProxyClient
    }

    private let options: ServerOptions.Proxy
    /// Made when the first request needs it, so that a server that never ran has nothing to shut down.
    private let shared = Mutex<ProxyClient?>(nil)
    private let own = Mutex<[Int64: Entry]>([:])
    /// Clients of settings that have changed; they end with the server, as requests may still use them.
    private let replaced = Mutex<[ProxyClient]>([])

    init(options: ServerOptions.Proxy) {
        self.options = options
    }

    /// The client for a source.
    ///
    /// - Throws: ``APIError`` 502 when its certificates cannot be read.
    func client(for source: ResolvedDataSource) throws -> ProxyClient {
        guard let tls = try ProxyTLS.configuration(of: source) else {
            return shared.withLock { shared in
                let client = shared ?? Self.client(options, tls: nil)
                shared = client
                return client
            }
        }
        let (client, old) = own.withLock { own -> (ProxyClient, ProxyClient?) in
            if let entry = own[source.source.id], entry.version == source.source.version { return (entry.client, nil) }
            let client = Self.client(options, tls: tls)
            let old = own.updateValue(Entry(version: source.source.version, client: client), forKey: source.source.id)
            return (client, old?.client)
        }
        if let old { replaced.withLock { $0.append(old) } }
        return client
    }

    /// Ends all clients, after the last request.
    func shutDown() async {
        let clients =
            own.withLock { $0.values.map(\.client) } + replaced.withLock { $0 }
            + shared.withLock { $0.map { [$0] } ?? [] }
        for client in clients { try? await client.shutdown() }
    }

    private static func client(_ options: ServerOptions.Proxy, tls: TLSConfiguration?) -> ProxyClient {
        var configuration = ProxyClient.Configuration()
        configuration.tlsConfiguration = tls
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .nanoseconds(options.dialTimeout.nanosecondsClamped)
        configuration.connectionPool.idleTimeout = .seconds(90)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        // A server that is down is told at once, not after the dial time-out.
        configuration.connectionPool.retryConnectionEstablishment = false
        return ProxyClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }
}

/// The TLS settings of a data source's `jsonData`.
enum ProxyTLS {
    /// nil when the source has none.
    static func configuration(of source: ResolvedDataSource) throws -> TLSConfiguration? {
        let data = source.configuration.settings.jsonData
        let skips = data["tlsSkipVerify"]?.bool ?? false
        let hasAuthority = data["tlsAuthWithCACert"]?.bool ?? false
        let hasCertificate = data["tlsAuth"]?.bool ?? false
        guard skips || hasAuthority || hasCertificate else { return nil }
        var tls = TLSConfiguration.makeClientConfiguration()
        if skips { tls.certificateVerification = .none }
        do {
            let secrets = source.configuration.secrets
            if hasAuthority {
                tls.trustRoots = .certificates(
                    try NIOSSLCertificate.fromPEMBytes(Array((secrets["tlsCACert"] ?? "").utf8)))
            }
            if hasCertificate {
                let chain = try NIOSSLCertificate.fromPEMBytes(Array((secrets["tlsClientCert"] ?? "").utf8))
                tls.certificateChain = chain.map { .certificate($0) }
                let key = try NIOSSLPrivateKey(bytes: Array((secrets["tlsClientKey"] ?? "").utf8), format: .pem)
                tls.privateKey = .privateKey(key)
            }
        } catch {
            throw APIError(
                .badGateway, "The certificates of data source '\(source.source.fields.name)' are not valid PEM",
                messageID: "datasource.tls")
        }
        return tls
    }
}

extension Duration {
    /// In nanoseconds; what does not fit is the largest number.
    var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isTooLong) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || isTooLong ? .max : sum
    }
}
