// SPDX-License-Identifier: Apache-2.0

/// What a frame says about itself; JSON that is passed on as it came, with typed access to the known keys.
///
/// - SeeAlso: Grafana SDK for Go, `data/frame_meta.go`.
public struct FrameMeta: Sendable, Equatable {
    private var document: JSONDocument

    /// The meta that says nothing: type version 0.0.
    public init() {
        document = JSONDocument()
        document["typeVersion"] = .array([.integer(0), .integer(0)])
    }

    /// Keeps the text; it is written unchanged until a key is set.
    ///
    /// - Throws: ``FrameError`` `.invalidMetadata` when the text is not a JSON object.
    public init(json: JSONText) throws(FrameError) {
        document = try JSONDocument(json, subject: "the meta of a frame")
    }

    /// The meta of a frame with a type of the data-plane contract, such as `timeseries-multi` 0.1.
    public init(type: String, version: TypeVersion = TypeVersion(0, 1)) {
        self.init()
        self.type = type
        typeVersion = version
    }

    /// The JSON object as text.
    public var json: JSONText { document.text(order: Self.keyOrder) }

    /// Any key, known or not.
    public subscript(key: String) -> JSONValue? {
        get { document[key] }
        set { document[key] = newValue }
    }

    /// The version of a frame type; 0.0 is from before the contract.
    public struct TypeVersion: Hashable, Sendable {
        /// Raised by incompatible changes.
        public var major: Int
        /// Raised by additions.
        public var minor: Int

        /// The version `major.minor`.
        public init(_ major: Int, _ minor: Int) {
            self.major = major
            self.minor = minor
        }
    }

    /// Such as `timeseries-wide`, `numeric-long`, `log-lines`.
    public var type: String? {
        get { document["type"]?.string }
        set { document["type"] = newValue.map { .string($0) } }
    }

    /// Always written; 0.0 when it was missing.
    public var typeVersion: TypeVersion {
        get {
            let parts = document["typeVersion"]?.array ?? []
            guard parts.count == 2, let major = parts[0].int, let minor = parts[1].int else { return TypeVersion(0, 0) }
            return TypeVersion(Int(major), Int(minor))
        }
        set { document["typeVersion"] = .array([.integer(Int64(newValue.major)), .integer(Int64(newValue.minor))]) }
    }

    /// The folder that a directory listing shows.
    public var path: String? {
        get { document["path"]?.string }
        set { document["path"] = newValue.map { .string($0) } }
    }

    /// What the data source wants to say beyond the known keys.
    public var custom: JSONValue? {
        get { document["custom"] }
        set { document["custom"] = newValue }
    }

    /// Numbers about the query: field configurations with a `value`.
    public var stats: [JSONValue] {
        get { document["stats"]?.array ?? [] }
        set { document["stats"] = newValue.isEmpty ? nil : .array(newValue) }
    }

    /// Remarks about the result.
    public var notices: [Notice] {
        get { (document["notices"]?.array ?? []).compactMap(Notice.init(json:)) }
        set { document["notices"] = newValue.isEmpty ? nil : .array(newValue.map(\.json)) }
    }

    /// The Live channel that goes on where the frame ends: `scope/namespace/path`.
    public var channel: String? {
        get { document["channel"]?.string }
        set { document["channel"] = newValue.map { .string($0) } }
    }

    /// `graph`, `table`, `logs`, `trace`, `nodeGraph` or `flamegraph`.
    public var preferredVisualisationType: String? {
        get { document["preferredVisualisationType"]?.string }
        set { document["preferredVisualisationType"] = newValue.map { .string($0) } }
    }

    /// The panel plugin to show the frame with in Explore.
    public var preferredVisualisationPluginID: String? {
        get { document["preferredVisualisationPluginId"]?.string }
        set { document["preferredVisualisationPluginId"] = newValue.map { .string($0) } }
    }

    /// The query as it was sent, after variables were filled in.
    public var executedQueryString: String? {
        get { document["executedQueryString"]?.string }
        set { document["executedQueryString"] = newValue.map { .string($0) } }
    }

    /// `annotations`, or nil for series.
    public var dataTopic: String? {
        get { document["dataTopic"]?.string }
        set { document["dataTopic"] = newValue.map { .string($0) } }
    }

    /// Indexes of the fields that together identify a row.
    public var uniqueRowIDFields: [Int] {
        get { (document["uniqueRowIdFields"]?.array ?? []).compactMap { $0.int.map { Int($0) } } }
        set {
            document["uniqueRowIdFields"] = newValue.isEmpty ? nil : .array(newValue.map { .integer(Int64($0)) })
        }
    }

    /// The order in which the SDK for Go writes the keys.
    private static let keyOrder = [
        "type", "typeVersion", "path", "pathSeparator", "custom", "stats", "notices", "channel",
        "preferredVisualisationType", "preferredVisualisationPluginId", "executedQueryString", "dataTopic",
        "uniqueRowIdFields",
    ]
}

/// A remark about a result, shown in a corner of the panel.
public struct Notice: Sendable, Equatable {
    /// How much it matters.
    public enum Severity: String, Sendable, CaseIterable {
        case info, warning, error
    }

    /// How much it matters.
    public var severity: Severity
    /// For a person.
    public var text: String
    /// A URL.
    public var link: String?
    /// The tab of the inspector to open: 1 meta, 2 error, 3 data, 4 stats.
    public var inspect: Int?

    /// A remark, with a link and a tab of the inspector if they help.
    public init(severity: Severity = .info, text: String, link: String? = nil, inspect: Int? = nil) {
        self.severity = severity
        self.text = text
        self.link = link
        self.inspect = inspect
    }

    /// Reads a notice; an unknown severity counts as info.
    ///
    /// - Returns: nil when the value is not an object.
    public init?(json: JSONValue) {
        guard let object = json.object else { return nil }
        severity = object["severity"]?.string.flatMap(Severity.init(rawValue:)) ?? .info
        text = object["text"]?.string ?? ""
        link = object["link"]?.string
        inspect = object["inspect"]?.int.map { Int($0) }
    }

    /// The object of frame JSON.
    public var json: JSONValue {
        var object = JSONObject()
        object["severity"] = .string(severity.rawValue)
        object["text"] = .string(text)
        object["link"] = link.map { .string($0) }
        object["inspect"] = inspect.map { .integer(Int64($0)) }
        return .object(object)
    }
}
