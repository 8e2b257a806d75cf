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

    /// More came than a row may have.
    static var rowTooLarge: PluginError {
        PluginError(
            .limit,
            "db query error: the server sent more than \(SQLWait.maximumRowBytes >> 20) MiB without ending a row; select "
                + "fewer or shorter columns", source: .limit)
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
        // A place holder without a value.
        case "08P01": .invalid
        default:
            switch sqlState.prefix(2) {
            case "28": .unauthenticated
            case "08", "57": .io
            case "53": .limit
            case "0A", "22", "23", "25", "26", "34", "3D", "3F", "42", "54": .invalid
            default: .downstream
            }
        }
    }

    /// Runs the body; what its error does not tell users is told to the operator, in the server's log.
    static func logging(_ refID: String, _ context: CallContext, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as PluginError where error.message.hasSuffix(hiddenText) {
            context.log(.warn, "query failed", ["query.ref-id": refID, "reason": reason(of: error)])
            throw error
        }
    }

    /// What the details of an error say, else its message.
    static func reason(of error: PluginError) -> String {
        let details = error.details.flatMap { try? JSONValue(parsing: Array($0.text.utf8)) }
        return details?["reason"]?.string ?? error.message
    }
}
