// SPDX-License-Identifier: Apache-2.0
public import PluginABI
public import PluginHost

/// One call that is made at every place, and how its result is read.
///
/// The result must be the same everywhere.
public struct ConformanceCase: Sendable {
    /// Unique in a run: the call and how it is read, such as `query 1: slowly`.
    public var name: String
    /// What the case proves: a rule of the ABI with its number, or a sentence.
    public var rule: String
    /// What is asked.
    public var call: ConformanceCall
    /// What the reader does with the answer.
    public var reading: ConformanceReading
    /// What the call may use.
    public var limits: CallLimits
    /// The plugin's own settings in this case; nil: those of all cases.
    public var jsonData: JSONValue?
    /// Whether the call has to fail as a whole.
    public var mustFail = false

    /// Makes a case; its time is long enough for a busy machine, and short enough to end a plugin that hangs.
    public init(
        _ name: String, proves rule: String, _ call: ConformanceCall, reading: ConformanceReading = .toTheEnd,
        limits: CallLimits = .conformance, jsonData: JSONValue? = nil
    ) {
        self.name = name
        self.rule = rule
        self.call = call
        self.reading = reading
        self.limits = limits
        self.jsonData = jsonData
    }
}

extension CallLimits {
    /// Of cases that are not about limits.
    public static let conformance = CallLimits(time: .seconds(60), grace: .seconds(30))
}

/// What is asked of a plugin.
public enum ConformanceCall: Sendable {
    /// One request; its queries get the ref ids A, B, and so on.
    case queries([ConformanceQuery])
    case health
    case resource(ResourceCall)
    case subscribe(StreamRequest)
    case publish(StreamRequest)
    case run(ConformanceStream)
}

/// How the answer to a call is read, and what happens meanwhile.
public enum ConformanceReading: String, Sendable, CaseIterable {
    /// At once and whole.
    case toTheEnd = "to the end"
    /// With a small window, and one event only after another call has been answered.
    case slowly = "slowly"
    /// The call is cancelled before it begins, and again after each of its events.
    case cancelledAtEachEvent = "cancelled at each event"
    /// Sixteen of the same call at once.
    case together = "sixteen at once"
    /// Calls with two versions of the data source's settings, all at once.
    case whileSettingsChange = "while the settings change"
    /// The data source is deleted when the first event has come.
    case whileForgotten = "while the data source is deleted"
    /// The deadline is over before the call begins.
    case withoutTime = "without time"
    /// The deadline comes in the middle, if the call takes longer than a millisecond.
    case withLittleTime = "with a millisecond"
}

/// One query; a string literal is its JSON.
///
/// The answer must be the same each time, so that places can be compared: ask for fixed times and nothing random.
public struct ConformanceQuery: Sendable, ExpressibleByStringLiteral {
    /// The query as a user would save it: a JSON object.
    public var json: String
    /// Names it in reports; empty: its number.
    public var name: String
    /// The plugin's own kind of query; may be empty.
    public var queryType: String
    /// The time range: by default the first two hours of 2026.
    public var from = Timestamp(milliseconds: 1_767_225_600_000)
    /// The end of the time range.
    public var to = Timestamp(milliseconds: 1_767_232_800_000)
    /// The spacing of points.
    public var interval = Duration.seconds(60)
    /// The number of points per series.
    public var maxDataPoints = 120
    /// The most rows; nil: no bound.
    public var maxRows: Int?

    /// Makes a query over the first two hours of 2026.
    public init(_ json: String, name: String = "", queryType: String = "") {
        self.json = json
        self.name = name
        self.queryType = queryType
    }

    /// Makes a query of its JSON.
    public init(stringLiteral json: String) { self.init(json) }

    func query(refID: String) -> DataQuery {
        DataQuery(
            refID: refID, queryType: queryType, json: JSONText(json),
            model: (try? JSONValue(parsing: json)) ?? .object([:]), from: from, to: to, interval: interval,
            maxDataPoints: maxDataPoints, maxRows: maxRows)
    }
}

/// A live channel of which the first events are compared.
public struct ConformanceStream: Sendable {
    /// What the channel is asked for.
    public var request: StreamRequest
    /// How many events are read: frames, packets and checkpoints.
    public var events: Int
    /// Whether values are the same each time; if not, only names, types and metadata are compared.
    public var isSteady: Bool

    /// Makes a stream that is stopped when that many events have come.
    public init(_ request: StreamRequest, events: Int, isSteady: Bool = true) {
        self.request = request
        self.events = events
        self.isSteady = isSteady
    }
}

/// Where a plugin is known to differ, and why.
///
/// The cases run all the same: an exception that is not needed fails the run, so that none outlives its reason.
public struct ConformanceException: Sendable {
    /// Where.
    public var place: ConformancePlace
    /// The beginning of the names of the cases; empty: all.
    public var cases: String
    /// Why, for the reader of the report.
    public var reason: String

    /// Declares that cases differ at a place.
    public init(at place: ConformancePlace, _ cases: String = "", because reason: String) {
        self.place = place
        self.cases = cases
        self.reason = reason
    }

    func covers(_ name: String, at place: ConformancePlace) -> Bool {
        self.place == place && (cases.isEmpty || name.hasPrefix(cases))
    }
}
