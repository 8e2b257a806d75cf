// SPDX-License-Identifier: Apache-2.0

/// A data source plugin: one value for each configured data source.
///
/// What it can do it says by conforming to the handler protocols: ``QueryHandler``, ``CheckHealthHandler``,
/// ``CallResourceHandler``, ``StreamHandler``, ``StateHandler``. Handlers run concurrently on threads of the plugin.
public protocol DataSource: Sendable {
    /// Makes the instance for one saved configuration; a changed configuration makes a new instance.
    ///
    /// - Throws: ``PluginError`` `.invalid` for a configuration that cannot work.
    init(settings: DataSourceInstanceSettings, host: Host) throws
}

/// Answers queries.
public protocol QueryHandler: DataSource {
    /// Answers one query by sending frames.
    ///
    /// The queries of a request run concurrently. A thrown error fails this query alone; frames sent before it stay.
    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws
}

/// Says whether the data source is usable.
public protocol CheckHealthHandler: DataSource {
    func checkHealth(context: CallContext) async throws -> HealthResult
}

/// Answers HTTP-like requests below `/api/datasources/uid/:uid/resources/`.
public protocol CallResourceHandler: DataSource {
    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws
}

/// Feeds live channels.
public protocol StreamHandler: DataSource {
    /// Decides whether a client may listen to a path.
    func subscribeStream(_ request: StreamRequest, context: CallContext) async throws -> SubscribeResult

    /// Produces for all listeners of a path until its task is cancelled.
    func runStream(_ request: StreamRequest, context: CallContext, into sender: StreamSender) async throws

    /// Takes a message from a client. The default refuses every one.
    func publishStream(_ request: StreamRequest, context: CallContext) async throws -> PublishResult
}

extension StreamHandler {
    /// Refuses every message, for channels that clients only listen to.
    public func publishStream(_ request: StreamRequest, context: CallContext) async throws -> PublishResult {
        .permissionDenied
    }
}

/// Hands the memory of an instance over to its successor at a reload.
public protocol StateHandler: DataSource {
    func saveState() async throws -> [UInt8]

    /// Takes over what a predecessor saved. The bytes may come from another version of the plugin, or be damaged:
    /// throwing is fine, the instance then starts empty.
    func loadState(_ bytes: [UInt8]) async throws
}

/// One data source as its user configured it.
///
/// Secrets are read with ``Host/secret(_:)``.
public struct DataSourceInstanceSettings: Sendable {
    /// The row number in the server's database; ``uid`` is what URLs and dashboards use.
    public var id: Int64
    /// The number of the organization that owns the data source.
    public var orgID: Int64
    /// The stable identifier in URLs and dashboards, unique in the organization.
    public var uid: String
    /// The title that users see and may change.
    public var name: String
    /// The `id` in `plugin.json` of the plugin that serves it.
    public var pluginID: String
    /// The server's address as entered; may be empty.
    public var url: String
    /// The login name at the server behind the plugin; may be empty.
    public var user: String
    /// The default database or bucket at the server; may be empty.
    public var database: String
    /// Whether HTTP requests of this data source use basic authentication.
    public var basicAuthEnabled: Bool
    /// The login name for basic authentication; its password is a secret.
    public var basicAuthUser: String
    /// The plugin's own settings: an object.
    public var jsonData: JSONValue
    /// When the settings were last saved.
    public var updated: Timestamp

    /// Makes settings by hand, as in tests; the host makes those of real instances.
    public init(
        id: Int64 = 0, orgID: Int64 = 1, uid: String, name: String, pluginID: String, url: String = "",
        user: String = "", database: String = "", basicAuthEnabled: Bool = false, basicAuthUser: String = "",
        jsonData: JSONValue = .object([:]), updated: Timestamp = Timestamp(nanoseconds: 0)
    ) {
        self.id = id
        self.orgID = orgID
        self.uid = uid
        self.name = name
        self.pluginID = pluginID
        self.url = url
        self.user = user
        self.database = database
        self.basicAuthEnabled = basicAuthEnabled
        self.basicAuthUser = basicAuthUser
        self.jsonData = jsonData
        self.updated = updated
    }
}

/// One query of a request.
public struct DataQuery: Sendable {
    /// Names the query in its request; not empty.
    public var refID: String
    /// The plugin's own kind of query, from the query editor; may be empty.
    public var queryType: String
    /// The whole query object as the user saved it.
    public var json: JSONText
    /// The same, parsed: an object.
    public var model: JSONValue
    /// The time range, UTC: `from` ≤ `to`.
    public var from: Timestamp
    /// The end of the time range, UTC.
    public var to: Timestamp
    /// The spacing of points that the panel can show; more than 0.
    public var interval: Duration
    /// The number of points per series that the panel can show.
    public var maxDataPoints: Int
    /// The most rows over all frames of the query; nil: no bound but the call's budget.
    public var maxRows: Int?

    /// Makes a query by hand, as in tests; `model` must be what `json` parses to.
    public init(
        refID: String, queryType: String = "", json: JSONText, model: JSONValue, from: Timestamp, to: Timestamp,
        interval: Duration, maxDataPoints: Int, maxRows: Int? = nil
    ) {
        self.refID = refID
        self.queryType = queryType
        self.json = json
        self.model = model
        self.from = from
        self.to = to
        self.interval = interval
        self.maxDataPoints = maxDataPoints
        self.maxRows = maxRows
    }

    /// Decodes the query object.
    ///
    /// - Throws: ``PluginError`` `.invalid`; the message names the key that does not fit.
    public func decode<T: Decodable>(_ type: T.Type) throws -> T {
        do {
            return try model.decode(type)
        } catch {
            throw PluginError(.invalid, "query \(refID): \(error)")
        }
    }
}

/// Who asks; nil fields of a call mean that the server itself asks.
public struct Principal: Sendable, Equatable {
    /// The number of the organization that the user acts in.
    public var orgID: Int64
    /// The unique name that the user signs in with.
    public var login: String
    /// The full name for display; may be empty.
    public var name: String
    /// The mail address; may be empty.
    public var email: String
    /// `Viewer`, `Editor`, `Admin` or empty.
    public var role: String

    /// Makes a user by hand, as in tests; texts that are left out are empty.
    public init(orgID: Int64, login: String, name: String = "", email: String = "", role: String = "") {
        self.orgID = orgID
        self.login = login
        self.name = name
        self.email = email
        self.role = role
    }
}

/// The outcome of a health check.
public struct HealthResult: Sendable, Equatable {
    /// The verdict, with the numbers of the ABI.
    public enum Status: Int32, Sendable {
        case unknown = 0
        case ok = 1
        case error = 2

        /// `UNKNOWN`, `OK` or `ERROR`, as in Grafana's API.
        public var name: String {
            switch self {
            case .unknown: "UNKNOWN"
            case .ok: "OK"
            case .error: "ERROR"
            }
        }
    }

    /// The verdict, which programs read instead of the message.
    public var status: Status
    /// For a person.
    public var message: String
    /// An object, or nil.
    public var details: JSONValue?

    /// Makes an outcome; the message is shown to the user even on success.
    public init(_ status: Status, _ message: String, details: JSONValue? = nil) {
        self.status = status
        self.message = message
        self.details = details
    }
}

/// A request for a live channel.
public struct StreamRequest: Sendable {
    /// The channel's path below the data source.
    public var path: String
    /// What the client sent along.
    public var data: [UInt8]
    /// Where the run goes on: the last token of ``StreamSender/checkpoint(_:)``, empty at the first run.
    public var resumeToken: [UInt8]

    /// Makes a request by hand, as in tests; by default a first run without data.
    public init(path: String, data: [UInt8] = [], resumeToken: [UInt8] = []) {
        self.path = path
        self.data = data
        self.resumeToken = resumeToken
    }
}

/// The answer to a subscription.
public enum SubscribeResult: Sendable {
    /// Allowed; the frame, if any, is the channel's first message.
    case ok(initial: DataFrame? = nil)
    /// Allowed, with a first message of the plugin's own format.
    case okBytes([UInt8])
    case notFound
    case permissionDenied
}

/// The answer to a client's message.
public enum PublishResult: Sendable {
    /// Taken; the bytes, if any, go to all listeners.
    case ok([UInt8] = [])
    case notFound
    case permissionDenied
}
