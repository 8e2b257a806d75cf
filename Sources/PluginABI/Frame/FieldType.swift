// SPDX-License-Identifier: Apache-2.0

/// The type of the values of a field; each may be nullable or not.
///
/// - SeeAlso: Grafana SDK for Go, `data/field_type.go`; the raw values are our own.
public enum FieldType: UInt8, CaseIterable, Sendable {
    case int8 = 1
    case int16, int32, int64, uint8, uint16, uint32, uint64
    case float32, float64
    case string, bool, time, json
    case `enum`

    /// The item type as frame JSON writes it in `typeInfo.frame`, such as `float64` or `time.Time`.
    public var name: String {
        switch self {
        case .int8: "int8"
        case .int16: "int16"
        case .int32: "int32"
        case .int64: "int64"
        case .uint8: "uint8"
        case .uint16: "uint16"
        case .uint32: "uint32"
        case .uint64: "uint64"
        case .float32: "float32"
        case .float64: "float64"
        case .string: "string"
        case .bool: "bool"
        case .time: "time.Time"
        case .json: "json.RawMessage"
        case .enum: "enum"
        }
    }

    /// The type in the browser: `number`, `string`, `boolean`, `time`, `other` or `enum`.
    public var jsType: String {
        switch self {
        case .string: "string"
        case .bool: "boolean"
        case .time: "time"
        case .json: "other"
        case .enum: "enum"
        default: "number"
        }
    }

    /// Reads an item type string; the short names `int`, `double`, `float`, `boolean`, `time`, `json` count too.
    ///
    /// A leading `*`, which marks the nullable form, is not part of the name.
    public init?(name: String) {
        switch name {
        case "int": self = .int64
        case "double", "float": self = .float64
        case "boolean": self = .bool
        case "time": self = .time
        case "json": self = .json
        default:
            guard let type = FieldType.allCases.first(where: { $0.name == name }) else { return nil }
            self = type
        }
    }

    /// Whether values are integers or floats; times and enums are not.
    public var isNumeric: Bool { rawValue <= FieldType.float64.rawValue }

    /// The bytes of one value, 0 for text (offsets and bytes) and for bool (one bit).
    @inlinable public var byteWidth: Int {
        switch self {
        case .int8, .uint8: 1
        case .int16, .uint16, .enum: 2
        case .int32, .uint32, .float32: 4
        case .int64, .uint64, .float64, .time: 8
        case .string, .json, .bool: 0
        }
    }

    /// Whether values lie as offsets and bytes.
    @inlinable public var isText: Bool { self == .string || self == .json }
}
