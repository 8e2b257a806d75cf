// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import PluginABI
import Storage

/// A request that is answered with an error.
///
/// Clients know two shapes of error bodies: the old `{"message", "status"?}` with a text as `status`, and the new
/// `{"message", "messageId", "statusCode", "traceID"}`. An error with a ``messageID`` is written in the new one.
struct APIError: Error, Sendable {
    /// The HTTP status.
    var status: HTTPStatus
    /// What happened, for a person.
    var message: String
    /// The stable name of the new shape, such as `auth.unauthorized`; nil for the old shape.
    var messageID: String?
    /// The `status` of the old shape, such as `version-mismatch`.
    var statusText: String?
    /// Further members of the body.
    var extra: JSONObject = [:]
    /// Header fields of the answer.
    var headers: HTTPFields = [:]

    init(_ status: HTTPStatus, _ message: String, messageID: String? = nil, statusText: String? = nil) {
        self.status = status
        self.message = message
        self.messageID = messageID
        self.statusText = statusText
    }

    /// The JSON body.
    func body(traceID: String) -> JSONValue {
        var object: JSONObject = ["message": .string(message)]
        if let messageID {
            object["messageId"] = .string(messageID)
            object["statusCode"] = .integer(Int64(status.code))
            object["traceID"] = .string(traceID)
        }
        if let statusText { object["status"] = .string(statusText) }
        for (key, value) in extra { object[key] = value }
        return .object(object)
    }
}

extension APIError {
    /// An unknown path or object.
    static let notFound = APIError(.notFound, "Not found")
    /// A body that is not the JSON that the call needs.
    static let badRequestData = APIError(.badRequest, "bad request data")
    /// No credentials.
    static let unauthorized = APIError(.unauthorized, "Unauthorized", messageID: "auth.unauthorized")
    /// Wrong credentials, whatever is wrong about them.
    static let invalidLogin = APIError(
        .unauthorized, "Invalid username or password", messageID: "password-auth.failed")
    static let dataSourceNotFound = APIError(.notFound, "Data source not found")
    static let payloadTooLarge = APIError(.contentTooLarge, "Request body too large")

    /// A caller who may not do that.
    static func accessDenied(_ permissions: String) -> APIError {
        var error = APIError(
            .forbidden,
            "You'll need additional permissions to perform this action. Permissions needed: \(permissions)")
        error.extra = ["accessErrorId": .string(accessErrorID()), "title": "Access denied"]
        return error
    }

    private static func accessErrorID() -> String {
        "ACE" + String((0..<10).map { _ in Character(UnicodeScalar(UInt8.random(in: 48...57))) })
    }
}

extension APIError {
    /// The answer to a failed call of a plugin: a hook that it lacks is 404, a plugin that is not there 503.
    init(_ error: PluginError, fallback: String = "An error occurred within the plugin") {
        switch error.code {
        case .unsupported, .notFound:
            self.init(.notFound, "Not found", messageID: "plugin.notImplemented")
        case .cancelled:
            self.init(HTTPStatus(code: 499, reasonPhrase: "Client Closed Request"), "Request cancelled")
            messageID = "plugin.requestCanceled"
        case .timeout:
            self.init(.gatewayTimeout, error.message, messageID: "plugin.timeout")
        case .state, .crashed, .noMemory:
            self.init(.serviceUnavailable, "Plugin unavailable", messageID: "plugin.unavailable")
        case .invalid, .forbidden, .unauthenticated, .limit:
            self.init(HTTPStatus(code: error.code.httpStatus), error.message, messageID: "plugin.refused")
        default:
            self.init(.internalServerError, fallback, messageID: "plugin.requestFailureError")
        }
        extra["error"] = .string(error.message)
    }

    /// The answer to a failure of the store; `notFound` is the text for an object that does not exist.
    init(_ error: StorageError, notFound: String) {
        switch error.code {
        case .notFound: self.init(.notFound, notFound)
        case .nameExists, .uidExists: self.init(.conflict, error.message, statusText: "name-exists")
        case .versionMismatch: self.init(.conflict, error.message, statusText: "version-mismatch")
        case .readOnly: self.init(.forbidden, error.message)
        case .invalidValue, .constraintViolation: self.init(.badRequest, error.message)
        case .quotaExceeded: self.init(.forbidden, "Quota reached")
        case .databaseLocked, .diskFull, .closed: self.init(.serviceUnavailable, error.message)
        default: self.init(.internalServerError, "Internal server error")
        }
    }
}
