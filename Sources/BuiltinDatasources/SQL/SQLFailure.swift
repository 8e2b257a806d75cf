// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The words that PostgreSQL and MySQL share for failures.
enum SQLFailure {
    /// What users read in the place of a text that may tell too much about the server.
    static let hiddenText = "please inspect Grafana server log for details"

    /// The server could not be reached, or the line to it broke.
    static func unreachable(_ reason: String) -> PluginError {
        PluginError(
            .io, "db query error: failed to connect to server - \(hiddenText)", source: .downstream,
            details: JSONText(JSONValue.object(["reason": .string(reason)]).encoded()))
    }

    /// The server's own failure of a statement.
    static func query(_ text: String, sqlState: String, more: JSONObject = [:]) -> PluginError {
        var details: JSONObject = ["sqlState": .string(sqlState)]
        for (key, value) in more { details[key] = value }
        return PluginError(
            code(of: sqlState), "db query error: \(text)", source: .downstream,
            details: JSONText(JSONValue.object(details).encoded()))
    }

    /// The class of an SQLSTATE.
    static func code(of sqlState: String) -> PluginError.Code {
        switch sqlState {
        case "57014": .cancelled
        case "42501": .forbidden
        case "25006": .forbidden
        default:
            switch sqlState.prefix(2) {
            case "28": .unauthenticated
            case "08", "57": .io
            case "53": .limit
            case "22", "23", "25", "26", "34", "3D", "3F", "42": .invalid
            default: .downstream
            }
        }
    }
}
