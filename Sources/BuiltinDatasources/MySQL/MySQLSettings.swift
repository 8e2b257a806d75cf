// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What the user configured for one MySQL or MariaDB, without secrets.
struct MySQLSettings: Sendable, Equatable {
    var address: SQLAddress
    var user: String
    var database: String
    /// The session's `time_zone`; empty: the server's.
    var timezone: String
    var hasClientCertificate: Bool
    var hasRootCertificate: Bool
    var skipsVerification: Bool
    var allowsCleartextPasswords: Bool
    var isReadOnly: Bool
    var limits: SQLPool.Limits

    /// - Throws: ``PluginError`` `.invalid`.
    init(_ settings: DataSourceInstanceSettings) throws {
        let json = settings.jsonData
        address = try SQLAddress(settings.url)
        user = settings.user
        let database = try SQLSetting.text("database", in: json)
        self.database = database.isEmpty ? settings.database : database
        timezone = try SQLSetting.text("timezone", in: json)
        hasClientCertificate = try SQLSetting.flag("tlsAuth", in: json)
        hasRootCertificate = try SQLSetting.flag("tlsAuthWithCACert", in: json)
        skipsVerification = try SQLSetting.flag("tlsSkipVerify", in: json)
        allowsCleartextPasswords = try SQLSetting.flag("allowCleartextPasswords", in: json)
        isReadOnly = try SQLSetting.flag("readOnly", in: json, default: true)
        limits = try SQLPool.Limits(jsonData: json)
    }

    /// Whether the connection is encrypted.
    var usesTLS: Bool { hasClientCertificate || hasRootCertificate || skipsVerification }

    /// The certificates for a connection.
    ///
    /// - Throws: ``PluginError`` `.invalid` when a certificate that a setting asks for is missing.
    func certificates(_ secret: (String) -> String?) throws -> SQLCertificates {
        guard usesTLS else { return SQLCertificates() }
        func text(_ key: String, if isAsked: Bool, _ setting: String) throws -> String? {
            guard isAsked else { return nil }
            guard let text = secret(key), !text.isEmpty else {
                throw PluginError(
                    .invalid, "the setting \(setting) is on and the secret \(key) is missing", source: .user)
            }
            return text
        }
        var result = try SQLCertificates.made(
            root: text("tlsCACert", if: hasRootCertificate, "tlsAuthWithCACert"),
            certificate: text("tlsClientCert", if: hasClientCertificate, "tlsAuth"),
            key: text("tlsClientKey", if: hasClientCertificate, "tlsAuth"))
        if result.root.isEmpty, !skipsVerification, let roots = SQLCertificates.systemRoots { result.root = roots }
        return result
    }
}
