// SPDX-License-Identifier: Apache-2.0
import CPostgreSQL
import PluginABI

/// PostgreSQL's failures in the words of the SDK.
enum PostgreSQLFailure {
    /// A failure of a statement, as Grafana's driver words it: `ERROR: relation "x" does not exist (SQLSTATE 42P01)`.
    static func statement(_ result: OpaquePointer?, _ handle: OpaquePointer) -> PluginError {
        func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
        guard let sqlState = field(codeOfState), let message = field(codeOfMessage) else {
            let text = String(cString: PQerrorMessage(handle))
            return PluginError(
                .io, "db query error: the connection to the server was lost: \(firstLine(text))", source: .downstream)
        }
        var more: JSONObject = [:]
        if let detail = field(codeOfDetail) { more["detail"] = .string(detail) }
        if let hint = field(codeOfHint) { more["hint"] = .string(hint) }
        if let position = field(codeOfPosition).flatMap({ Int64($0) }) { more["position"] = .integer(position) }
        let severity = field(codeOfSeverity) ?? "ERROR"
        return SQLFailure.query("\(severity): \(message) (SQLSTATE \(sqlState))", sqlState: sqlState, more: more)
    }

    // PG_DIAG_…, which are characters in C.
    private static let codeOfSeverity = Int32(UInt8(ascii: "S"))
    private static let codeOfState = Int32(UInt8(ascii: "C"))
    private static let codeOfMessage = Int32(UInt8(ascii: "M"))
    private static let codeOfDetail = Int32(UInt8(ascii: "D"))
    private static let codeOfHint = Int32(UInt8(ascii: "H"))
    private static let codeOfPosition = Int32(UInt8(ascii: "P"))

    /// A failure to connect; `text` is libpq's.
    static func connection(_ text: String) -> PluginError {
        let kind = Kind(text)
        let details = JSONText(
            JSONValue.object([
                "kind": .string(kind.name), "reason": .string(reason(text)),
                "sqlState": .string(kind.sqlState ?? "08001"),
            ]).encoded())
        switch kind {
        case .network, .tls:
            var error = SQLFailure.unreachable(reason(text))
            error.details = details
            return error
        case .server(let message, let sqlState, _):
            return PluginError(
                SQLFailure.code(of: sqlState), "db query error: FATAL: \(message) (SQLSTATE \(sqlState))",
                source: .downstream, details: details)
        }
    }

    /// Why no connection was made.
    enum Kind {
        case network(String)
        case tls(String)
        /// The server's words, their SQLSTATE and its name.
        case server(String, String, String?)

        private static let serverTexts: [(part: String, sqlState: String, name: String)] = [
            ("password authentication failed", "28P01", "invalid_password"),
            ("no password supplied", "28P01", "invalid_password"),
            ("does not exist", "3D000", "invalid_catalog_name"),
            ("pg_hba.conf", "28000", "invalid_authorization_specification"),
            ("certificate authentication failed", "28000", "invalid_authorization_specification"),
            ("too many clients", "53300", "too_many_connections"),
            ("too many connections", "53300", "too_many_connections"),
            ("remaining connection slots", "53300", "too_many_connections"),
            ("starting up", "57P03", "cannot_connect_now"), ("shutting down", "57P03", "cannot_connect_now"),
        ]

        init(_ text: String) {
            let lower = text.lowercased()
            if let fatal = text.firstRange(of: "FATAL:  ") ?? text.firstRange(of: "fe_sendauth: ") {
                let message = PostgreSQLFailure.firstLine(String(text[fatal.upperBound...]))
                let role = lower.contains("role \"")
                let known = Self.serverTexts.first { lower.contains($0.part) }
                self = .server(
                    message, role ? "28000" : known?.sqlState ?? "08004",
                    role ? "invalid_authorization_specification" : known?.name)
            } else if ["ssl", "tls", "certificate"].contains(where: { lower.contains($0) }) {
                self = .tls(PostgreSQLFailure.reason(text))
            } else {
                self = .network(PostgreSQLFailure.reason(text))
            }
        }

        var name: String {
            switch self {
            case .network: "network"
            case .tls: "tls"
            case .server: "server"
            }
        }

        var sqlState: String? {
            if case .server(_, let state, _) = self { state } else { nil }
        }

        /// What a health check tells an administrator.
        var healthMessage: String {
            switch self {
            case .network(let text):
                let reason = ["could not translate host name", "Name or service not known"].contains {
                    text.contains($0)
                }
                return
                    "Network error: Failed to connect to the server. Error message: \(reason ? "no such host" : text)"
            case .tls: return "SSL error: Failed to connect to the server"
            case .server(_, _, let name):
                return "Database error: Failed to connect to the postgres server"
                    + (name.map { ". Postgres error code: \($0)" } ?? "")
            }
        }
    }

    /// What the last of the addresses that were tried answered.
    static func reason(_ text: String) -> String {
        let lines = text.split(separator: "\n")
        return String((lines.last { $0.contains("failed: ") } ?? lines.first ?? "").prefix(500))
    }

    static func firstLine(_ text: String) -> String {
        let line = text.split(separator: "\n").first ?? ""
        return String(line.prefix(500))
    }
}
