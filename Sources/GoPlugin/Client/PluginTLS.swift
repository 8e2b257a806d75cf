// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import FoundationEssentials
internal import NIOCore
internal import NIOSSL
internal import SwiftASN1
internal import X509

/// The certificate with which a host introduces itself to one plugin process, or a plugin to its host (`AutoMTLS`).
///
/// Both sides make one for themselves and trust that of the other alone.
package struct PluginIdentity: Sendable {
    /// The certificate for the variable `PLUGIN_CLIENT_CERT`.
    package let certificatePEM: String
    /// The same for a handshake.
    package let certificateDER: [UInt8]
    private let key: P521.Signing.PrivateKey

    /// Makes a key and a certificate that is valid for a year.
    package init() throws {
        key = P521.Signing.PrivateKey()
        let name = try DistinguishedName {
            CommonName("localhost")
            OrganizationName("HashiCorp")
        }
        let now = Date()
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
            notValidBefore: now.addingTimeInterval(-30), notValidAfter: now.addingTimeInterval(365 * 86_400),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA512,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(digitalSignature: true, keyEncipherment: true, keyAgreement: true, keyCertSign: true))
                try ExtendedKeyUsage([.clientAuth, .serverAuth])
                SubjectAlternativeNames([.dnsName("localhost")])
            }, issuerPrivateKey: .init(key))
        let document = try certificate.serializeAsPEM()
        certificatePEM = document.pemString
        certificateDER = document.derBytes
    }

    /// The settings for a connection to the plugin whose handshake had this certificate.
    package func tls(trusting plugin: [UInt8]) throws -> PluginTLS {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2"]
        configuration.trustRoots = .certificates([try NIOSSLCertificate(bytes: plugin, format: .der)])
        configuration.certificateChain = [try ownCertificate]
        configuration.privateKey = try ownKey
        configuration.allowGoKeys()
        return PluginTLS(context: try NIOSSLContext(configuration: configuration))
    }

    /// The settings for a server that answers the host of `PLUGIN_CLIENT_CERT` alone.
    ///
    /// - Throws: NIOSSL's error for a text that holds no certificate.
    package func serverTLS(trusting hostPEM: String) throws -> ServerTLS {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [try ownCertificate], privateKey: try ownKey)
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2"]
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(hostPEM.utf8)))
        configuration.allowGoKeys()
        return ServerTLS(context: try NIOSSLContext(configuration: configuration))
    }

    private var ownCertificate: NIOSSLCertificateSource {
        get throws { .certificate(try NIOSSLCertificate(bytes: certificateDER, format: .der)) }
    }

    private var ownKey: NIOSSLPrivateKeySource {
        get throws { .privateKey(try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem)) }
    }
}

/// TLS to one plugin process.
package struct PluginTLS: Sendable {
    let context: NIOSSLContext

    func handler() throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: "localhost")
    }
}

/// TLS of a plugin that serves.
package struct ServerTLS: Sendable {
    let context: NIOSSLContext

    func handler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: context) }
}

extension TLSConfiguration {
    /// go-plugin's keys are on P-521, which BoringSSL offers to verify only when asked.
    fileprivate mutating func allowGoKeys() {
        verifySignatureAlgorithms = [.ecdsaSecp521R1Sha512, .ecdsaSecp384R1Sha384, .ecdsaSecp256R1Sha256]
        signingSignatureAlgorithms = [.ecdsaSecp521R1Sha512]
    }
}
