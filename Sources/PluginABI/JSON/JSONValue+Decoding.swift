// SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// Makes a value of a plugin's own type, such as the model of its queries.
    ///
    /// Keys that the type does not know are ignored; a number decodes to an integer type if it is whole and fits.
    ///
    /// - Throws: ``JSONError`` `.typeMismatch`, `.missingKey` or `.outOfRange`, with the path of the key in the message:
    ///   `queries[0].expr: expected a string, found a number`; also what the type's own `init(from:)` throws.
    public func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        do {
            return try ValueDecoder(value: self, codingPath: []).decode(type)
        } catch let error as DecodingError {
            throw JSONError(error)
        }
    }
}

extension JSONValue: Decodable {
    /// Takes a value as it is, for members that have no fixed shape.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? ValueDecoder {
            self = decoder.value
            return
        }
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(JSONObject(try container.decode([String: JSONValue].self).map { ($0.key, $0.value) }))
        }
    }
}

extension JSONError {
    fileprivate init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            self.init(.missingKey, "\(Self.text(context.codingPath + [key])): the key is missing")
        case .valueNotFound(_, let context), .typeMismatch(_, let context):
            self.init(.typeMismatch, "\(Self.text(context.codingPath)): \(context.debugDescription)")
        case .dataCorrupted(let context):
            self.init(.outOfRange, "\(Self.text(context.codingPath)): \(context.debugDescription)")
        @unknown default:
            self.init(.typeMismatch, "the JSON value has another shape: \(error)")
        }
    }

    private static func text(_ path: [any CodingKey]) -> String {
        var text = ""
        for key in path {
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : "." + key.stringValue
            }
        }
        return text.isEmpty ? "the JSON value" : text
    }
}

/// A place in a list.
struct IndexKey: CodingKey {
    let index: Int

    init(_ index: Int) { self.index = index }
    init?(intValue: Int) { index = intValue }
    init?(stringValue: String) { nil }

    var intValue: Int? { index }
    var stringValue: String { String(index) }
}

/// A key made of text.
struct NameKey: CodingKey {
    let stringValue: String

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }

    var intValue: Int? { nil }
}
