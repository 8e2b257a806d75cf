// SPDX-License-Identifier: Apache-2.0

/// How a field is shown; JSON that is passed on as it came, with typed access to the known keys.
///
/// - SeeAlso: Grafana SDK for Go, `data/field_config.go`.
public struct FieldConfig: Sendable, Equatable {
    private var document: JSONDocument

    /// The config that says nothing.
    public init() {
        document = JSONDocument()
    }

    /// Keeps the text; it is written unchanged until a key is set.
    ///
    /// - Throws: ``FrameError`` `.invalidMetadata` when the text is not a JSON object.
    public init(json: JSONText) throws(FrameError) {
        document = try JSONDocument(json, subject: "the config of a field")
    }

    /// The config of what data sources mostly say; the interval is in milliseconds.
    public init(displayNameFromDS: String? = nil, unit: String? = nil, interval: Double? = nil) {
        self.init()
        self.displayNameFromDS = displayNameFromDS
        self.unit = unit
        self.interval = interval
    }

    /// The JSON object as text.
    public var json: JSONText { document.text(order: Self.keyOrder) }

    /// Any key, known or not, such as `mappings` and `thresholds`.
    public subscript(key: String) -> JSONValue? {
        get { document[key] }
        set { document[key] = newValue }
    }

    /// The name that the user gives.
    public var displayName: String? {
        get { document["displayName"]?.string }
        set { document["displayName"] = newValue.map { .string($0) } }
    }

    /// The name that the data source gives; the user's `displayName` goes before it.
    public var displayNameFromDS: String? {
        get { document["displayNameFromDS"]?.string }
        set { document["displayNameFromDS"] = newValue.map { .string($0) } }
    }

    /// Shown as a hint beside the name.
    public var description: String? {
        get { document["description"]?.string }
        set { document["description"] = newValue.map { .string($0) } }
    }

    /// Whether values may be clicked to filter by them.
    public var filterable: Bool? {
        get { document["filterable"]?.bool }
        set { document["filterable"] = newValue.map { .bool($0) } }
    }

    /// A unit id of the front end, such as `s` or `percentunit`.
    public var unit: String? {
        get { document["unit"]?.string }
        set { document["unit"] = newValue.map { .string($0) } }
    }

    /// Digits after the point.
    public var decimals: Int? {
        get { document["decimals"]?.int.map { Int($0) } }
        set { document["decimals"] = newValue.map { .integer(Int64($0)) } }
    }

    /// The least value to expect; null reads as -∞, as in the SDK for Go.
    public var min: Double? {
        get { number("min") }
        set { document["min"] = newValue.map(JSONValue.finite) }
    }

    /// The greatest value to expect; null reads as -∞, as in the SDK for Go.
    public var max: Double? {
        get { number("max") }
        set { document["max"] = newValue.map(JSONValue.finite) }
    }

    /// The expected distance of two values in milliseconds.
    public var interval: Double? {
        get { document["interval"]?.double }
        set { document["interval"] = newValue.map(JSONValue.finite) }
    }

    /// The text in place of a missing value.
    public var noValue: String? {
        get { document["noValue"]?.string }
        set { document["noValue"] = newValue.map { .string($0) } }
    }

    /// The texts of an enum field, in the order of their index.
    public var enumTexts: [String] {
        get { (document["type"]?.object?["enum"]?.object?["text"]?.array ?? []).map { $0.string ?? "" } }
        set {
            var type = document["type"]?.object ?? JSONObject()
            var texts = type["enum"]?.object ?? JSONObject()
            texts["text"] = .array(newValue.map { .string($0) })
            type["enum"] = .object(texts)
            document["type"] = .object(type)
        }
    }

    /// Settings of the panel plugin.
    public var custom: JSONValue? {
        get { document["custom"] }
        set { document["custom"] = newValue }
    }

    private func number(_ key: String) -> Double? {
        guard let value = document[key] else { return nil }
        return value == .null ? -.infinity : value.double
    }

    /// The order in which the SDK for Go writes the keys.
    private static let keyOrder = [
        "displayName", "displayNameFromDS", "path", "description", "filterable", "writeable", "unit", "decimals",
        "min", "max", "interval", "mappings", "thresholds", "color", "links", "noValue", "type", "custom",
    ]
}
