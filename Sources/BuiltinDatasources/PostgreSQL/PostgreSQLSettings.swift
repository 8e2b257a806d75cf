// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI

/// What the user configured for one PostgreSQL, without secrets.
struct PostgreSQLSettings: Sendable, Equatable {
    var address: SQLAddress
    var user: String
    var database: String
    var sslMode: String
    /// Certificates come as texts from the secrets, not as paths.
    var hasCertificateTexts: Bool
    var rootCertificatePath: String
    var certificatePath: String
    var keyPath: String
    var hasTimescaleDB: Bool
    var isReadOnly: Bool
    var limits: SQLPool.Limits

    static let sslModes = ["disable", "require", "verify-ca", "verify-full"]
    /// The safe one, as in the newest Grafana.
    static let defaultSSLMode = "verify-full"

    /// - Throws: ``PluginError`` `.invalid`.
    init(_ settings: DataSourceInstanceSettings) throws {
        let json = settings.jsonData
        address = try SQLAddress(settings.url)
        user = settings.user
        let database = try SQLSetting.text("database", in: json)
        self.database = database.isEmpty ? settings.database : database
        let mode = try SQLSetting.text("sslmode", in: json)
        sslMode = mode.isEmpty ? Self.defaultSSLMode : mode
        guard Self.sslModes.contains(sslMode) else {
            throw PluginError(
                .invalid,
                "the setting sslmode is \"\(mode)\"; use one of \(Self.sslModes.joined(separator: ", "))", source: .user
            )
        }
        let method = try SQLSetting.text("tlsConfigurationMethod", in: json)
        guard ["", "file-path", "file-content"].contains(method) else {
            throw PluginError(
                .invalid, "the setting tlsConfigurationMethod is \"\(method)\"; use file-path or file-content",
                source: .user)
        }
        hasCertificateTexts = method == "file-content"
        rootCertificatePath = try SQLSetting.text("sslRootCertFile", in: json)
        certificatePath = try SQLSetting.text("sslCertFile", in: json)
        keyPath = try SQLSetting.text("sslKeyFile", in: json)
        hasTimescaleDB = try SQLSetting.flag("timescaledb", in: json)
        isReadOnly = try SQLSetting.flag("readOnly", in: json, default: true)
        limits = try SQLPool.Limits(jsonData: json)
    }

    /// The certificates for a connection.
    ///
    /// - Throws: ``PluginError`` when only one of certificate and key is there.
    func certificates(_ secret: (String) -> String?) throws -> SQLCertificates {
        guard sslMode != "disable" else { return SQLCertificates() }
        var result = SQLCertificates(root: rootCertificatePath, certificate: certificatePath, key: keyPath)
        if hasCertificateTexts {
            result = try .made(
                root: secret("tlsCACert"), certificate: secret("tlsClientCert"), key: secret("tlsClientKey"))
        }
        guard result.certificate.isEmpty == result.key.isEmpty else {
            throw PluginError(.invalid, "TLS/SSL client certificate and key must both be specified", source: .user)
        }
        if result.root.isEmpty, sslMode.hasPrefix("verify"), let roots = SQLCertificates.systemRoots {
            result.root = roots
        }
        return result
    }

    /// The parameters of libpq.
    func parameters(password: String, _ certificates: SQLCertificates) -> [(String, String)] {
        var parameters = [
            ("host", address.host), ("port", address.port.map { String($0) } ?? "5432"), ("user", user),
            ("password", password), ("dbname", database.isEmpty ? user : database), ("sslmode", sslMode),
            ("connect_timeout", "10"), ("application_name", "grafana"), ("client_encoding", "UTF8"),
            // Nothing comes from the server's environment and home.
            ("passfile", "/nonexistent"), ("options", ""), ("gssencmode", "disable"),
            // A server that is gone without a word is noticed, also by a request to cancel, which has no time-out.
            ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "30000"),
        ]
        // An empty path would mean the files in the home of the server's user.
        parameters.append(("sslrootcert", certificates.root.isEmpty ? "/nonexistent" : certificates.root))
        parameters.append(("sslcert", certificates.certificate.isEmpty ? "/nonexistent" : certificates.certificate))
        parameters.append(("sslkey", certificates.key.isEmpty ? "/nonexistent" : certificates.key))
        return parameters
    }
}
