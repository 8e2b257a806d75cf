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
        /// The `gf_status` number as it crosses the ABI.
        public var rawValue: Int32
        /// Takes any number; one that this version does not know is named and answered like ``internal``.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// Nobody wants the result any more.
        public static let cancelled = Code(rawValue: GF_CANCELLED)
        /// The work took longer than it was allowed to; another try may succeed.
        public static let timeout = Code(rawValue: GF_TIMEOUT)
        /// The user's query or configuration is wrong.
        public static let invalid = Code(rawValue: GF_INVALID)
        /// The other side does not offer what was asked for.
        public static let unsupported = Code(rawValue: GF_UNSUPPORTED)
        /// What the request names does not exist.
        public static let notFound = Code(rawValue: GF_NOT_FOUND)
        /// Credentials are missing or were not accepted.
        public static let unauthenticated = Code(rawValue: GF_UNAUTHENTICATED)
        /// Whoever asks is known but not allowed to, or `plugin.json` grants no such permission.
        public static let forbidden = Code(rawValue: GF_FORBIDDEN)
        /// A bound on size, rows or rate was passed; the message says which one.
        public static let limit = Code(rawValue: GF_LIMIT)
        /// The network or a file failed on the way; another try may succeed.
        public static let io = Code(rawValue: GF_IO)
        /// The server behind the plugin answered with a failure, whose status is in ``PluginError/httpStatus``.
        public static let downstream = Code(rawValue: GF_DOWNSTREAM)
        /// What the plugin emitted breaks a rule of the format.
        public static let badData = Code(rawValue: GF_BAD_DATA)
        /// The caller broke a rule of the ABI, such as the order of calls.
        public static let state = Code(rawValue: GF_STATE)
        /// Memory ran out; another try may succeed.
        public static let noMemory = Code(rawValue: GF_NOMEM)
        /// A failure that no other code describes, mostly a defect of the plugin.
        public static let `internal` = Code(rawValue: GF_INTERNAL)
        /// The plugin's process or library died during the call; only the host sets it.
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

    /// The class of the failure, from which the HTTP status and the default source follow.
    public var code: Code
    /// What happened and what to do about it, for a person.
    public var message: String
    /// The party to blame, for statistics and for the client's display.
    public var source: ErrorSource
    /// What the downstream server answered, 100…599.
    public var httpStatus: Int?
    /// The time to wait before another try; nil when not known.
    public var retryAfter: Duration?
    /// What the user can do, when the message does not say it.
    public var hint: String?
    /// A JSON object for programs.
    public var details: JSONText?

    /// Makes a failure to throw; without a source, the code decides who is to blame.
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
    /// The message alone, without code and hint.
    public var description: String { message }
}
