// SPDX-License-Identifier: Apache-2.0
import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import Settings

/// How bytes become requests: HTTP/1.1, in TLS when that is configured, within the limits.
struct ServerTransport {
    let options: ServerOptions
    let connections: ConnectionTable

    /// - Throws: `SettingsError` `.badValue` for TLS files that cannot be used.
    var builder: HTTPServerBuilder {
        get throws {
            let limits = options.limits
            let table = connections
            let readPeriod = TimeAmount.nanoseconds(limits.readPeriod.nanosecondsClamped)
            let writePeriod = TimeAmount.nanoseconds(limits.writePeriod.nanosecondsClamped)
            let http = HTTPServerBuilder.http1(
                configuration: .init(
                    additionalChannelHandlers: [
                        ConnectionGuard(table: table, readPeriod: readPeriod, writePeriod: writePeriod)
                    ],
                    idleTimeout: .nanoseconds(limits.idleTimeout.nanosecondsClamped),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: limits.headerFieldBytes, maxHeaderListSize: limits.headerListBytes,
                        maxHeaderFieldCount: limits.headerFieldCount)))
            guard let files = options.tls else { return http }
            return try .tls(http, tlsConfiguration: Self.configuration(files))
        }
    }

    private static func configuration(_ files: ServerOptions.TLSFiles) throws -> TLSConfiguration {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(files.certificate)
            let key = try NIOSSLPrivateKey(file: files.key, format: .pem) { respond in
                respond(Array(files.password.utf8))
            }
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            tls.minimumTLSVersion = files.minimumVersion == "TLS1.3" ? .tlsv13 : .tlsv12
            tls.applicationProtocols = ["http/1.1"]
            return tls
        } catch {
            throw SettingsError(
                .badValue,
                "[server] cert_file '\(files.certificate)' and cert_key '\(files.key)': \(error); "
                    + "name PEM files of a certificate chain and its key")
        }
    }
}

/// The file of a unix socket.
struct UnixSocketFile {
    let path: String

    /// Sets who may connect.
    func setAccess(mode: UInt32, group: Int, logger: Logger) {
        if chmod(path, mode) != 0 { warn("mode", logger) }
        if group >= 0, chown(path, uid_t.max, gid_t(truncatingIfNeeded: group)) != 0 { warn("group", logger) }
    }

    private func warn(_ what: String, _ logger: Logger) {
        logger.warning(
            "The socket's access could not be set",
            metadata: ["path": "\(path)", "what": "\(what)", "error": "\(String(cString: strerror(errno)))"])
    }
}
