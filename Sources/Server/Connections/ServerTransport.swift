// SPDX-License-Identifier: Apache-2.0
import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Settings
import Storage

/// How bytes become requests: HTTP/1.1, in TLS when that is configured, within the limits.
struct ServerTransport {
    let options: ServerOptions
    let connections: ConnectionTable

    /// What becomes of each connection.
    ///
    /// - Throws: `SettingsError` `.badValue` for TLS files that cannot be used.
    func channel(_ responder: some HTTPResponder<APIContext>, logger: Logger) throws -> any ServerChildChannel {
        let limits = options.limits
        let table = connections
        let readPeriod = TimeAmount.nanoseconds(limits.readPeriod.nanosecondsClamped)
        let writePeriod = TimeAmount.nanoseconds(limits.writePeriod.nanosecondsClamped)
        let http = HTTP1Channel(
            responder: Self.answer(responder, logger),
            configuration: .init(
                additionalChannelHandlers: [
                    ConnectionGuard(table: table, readPeriod: readPeriod, writePeriod: writePeriod)
                ],
                idleTimeout: .nanoseconds(limits.idleTimeout.nanosecondsClamped),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: limits.headerFieldBytes, maxHeaderListSize: limits.headerListBytes,
                    maxHeaderFieldCount: limits.headerFieldCount)))
        guard let files = options.tls else { return http }
        return try TLSChannel(http, tlsConfiguration: Self.configuration(files))
    }

    /// One request and its answer, as hummingbird's `Application` has them.
    private static func answer(
        _ responder: some HTTPResponder<APIContext>, _ logger: Logger
    ) -> HTTPChannelHandler.Responder {
        let date = HTTPDate()
        return { request, writer, channel in
            var logger = logger
            logger[metadataKey: "hb.request.id"] = .stringConvertible(RequestID())
            let context = APIContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
            var response: Response
            do {
                response = try await responder.respond(to: request, context: context)
            } catch let error as HTTPParserError {
                throw error
            } catch {
                logger.debug("Unrecognised error", metadata: ["error.type": "\(error)"])
                response = Response(status: .internalServerError)
            }
            response.headers[.date] = date.now
            do {
                try await writer.write(response: response.head, body: response.body)
            } catch is HTTPParserError {
                // The answer has begun, so there is no other one.
                throw BrokenRequest()
            }
        }
    }

    /// The request turned out to be malformed while it was being answered.
    private struct BrokenRequest: Error {}

    private static func configuration(_ files: ServerOptions.TLSFiles) throws -> TLSConfiguration {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(files.certificate)
            let key = try NIOSSLPrivateKey(file: files.key, format: .pem) { respond in
                respond(Array(files.password.clearText.utf8))
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
