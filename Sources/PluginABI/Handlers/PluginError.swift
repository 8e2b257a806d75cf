// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI

/// Who is to blame for a failure.
public enum ErrorSource: UInt32, Sendable {
    case plugin = 0
    case downstream = 1
    case user = 2
    case host = 3
    case limit = 4

    /// The word that Grafana's clients know: everything that is not the downstream server counts as the plugin.
    public var grafanaName: String { self == .downstream ? "downstream" : "plugin" }
}

/// A failure of a call to a plugin, or of one query in it.
///
/// The SDK turns a thrown `PluginError` into a `gf_error`; the host turns a `gf_error` back into it.
public struct PluginError: Error, Sendable {
    /// The class of a failure; a status code of the ABI.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public var rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }

        public static let cancelled = Code(rawValue: GF_CANCELLED)
        public static let timeout = Code(rawValue: GF_TIMEOUT)
        public static let invalid = Code(rawValue: GF_INVALID)
        public static let unsupported = Code(rawValue: GF_UNSUPPORTED)
        public static let notFound = Code(rawValue: GF_NOT_FOUND)
        public static let unauthenticated = Code(rawValue: GF_UNAUTHENTICATED)
        public static let forbidden = Code(rawValue: GF_FORBIDDEN)
        public static let limit = Code(rawValue: GF_LIMIT)
        public static let io = Code(rawValue: GF_IO)
        public static let downstream = Code(rawValue: GF_DOWNSTREAM)
        public static let badData = Code(rawValue: GF_BAD_DATA)
        public static let state = Code(rawValue: GF_STATE)
        public static let noMemory = Code(rawValue: GF_NOMEM)
        public static let `internal` = Code(rawValue: GF_INTERNAL)
        public static let crashed = Code(rawValue: GF_CRASHED)

        /// The HTTP status that stands for the code; unknown codes are 500.
        public var httpStatus: Int {
            switch self {
            case .cancelled: 499
            case .timeout: 504
            case .invalid: 400
            case .unsupported: 501
            case .notFound: 404
            case .unauthenticated: 401
            case .forbidden: 403
            case .limit: 413
            case .io, .downstream, .badData: 502
            case .noMemory, .crashed: 503
            default: 500
            }
        }

        /// The stable kebab-case name, as in logs and in `docs/troubleshooting.md`.
        public var name: String {
            switch self {
            case .cancelled: "cancelled"
            case .timeout: "timeout"
            case .invalid: "invalid"
            case .unsupported: "unsupported"
            case .notFound: "not-found"
            case .unauthenticated: "unauthenticated"
            case .forbidden: "forbidden"
            case .limit: "limit"
            case .io: "io"
            case .downstream: "downstream"
            case .badData: "bad-data"
            case .state: "state"
            case .noMemory: "no-memory"
            case .crashed: "crashed"
            default: "internal"
            }
        }

        /// Whether another try may succeed without a change by the user.
        public var isRetryable: Bool {
            self == .timeout || self == .io || self == .noMemory || self == .crashed
        }
    }

    public var code: Code
    /// What happened and what to do about it, for a person.
    public var message: String
    public var source: ErrorSource
    /// What the downstream server answered, 100…599.
    public var httpStatus: Int?
    public var retryAfter: Duration?
    public var hint: String?
    /// A JSON object for programs.
    public var details: JSONText?

    public init(
        _ code: Code, _ message: String, source: ErrorSource? = nil, httpStatus: Int? = nil,
        retryAfter: Duration? = nil, hint: String? = nil, details: JSONText? = nil
    ) {
        self.code = code
        self.message = message
        self.source = source ?? Self.defaultSource(of: code)
        self.httpStatus = httpStatus
        self.retryAfter = retryAfter
        self.hint = hint
        self.details = details
    }

    private static func defaultSource(of code: Code) -> ErrorSource {
        switch code {
        case .io, .downstream, .timeout, .cancelled: .downstream
        case .invalid: .user
        case .limit: .limit
        case .crashed, .noMemory: .host
        default: .plugin
        }
    }
}

extension PluginError: CustomStringConvertible {
    public var description: String { message }
}
