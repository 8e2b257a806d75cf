// SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// The value as JSON text without white space, as Go's encoders write it.
    ///
    /// `<`, `>`, `&`, U+2028 and U+2029 in strings are escaped; numbers look as ``FloatText`` says.
    ///
    /// - Parameter sortedKeys: Orders the members by the bytes of their keys instead of keeping their order.
    public func encoded(sortedKeys: Bool = false) -> String {
        var writer = ByteWriter()
        write(into: &writer, sortedKeys: sortedKeys)
        return writer.string()
    }

    /// Appends the value as JSON text; see ``encoded(sortedKeys:)``.
    public func write(into writer: inout ByteWriter, sortedKeys: Bool = false) {
        switch self {
        case .null: writer.append(literal: "null")
        case .bool(let value): writer.append(literal: value ? "true" : "false")
        case .integer(let value): writer.append(decimal: value)
        case .number(let value):
            if value.isFinite { writer.append(decimal: value) } else { writer.append(literal: "null") }
        case .string(let value): writer.append(jsonString: value)
        case .array(let values): Self.write(values, into: &writer, sortedKeys)
        case .object(let value): Self.write(value, into: &writer, sortedKeys)
        }
    }

    private static func write(_ values: [JSONValue], into writer: inout ByteWriter, _ sortedKeys: Bool) {
        writer.append(UInt8(ascii: "["))
        var isFirst = true
        for value in values {
            if !isFirst { writer.append(UInt8(ascii: ",")) }
            isFirst = false
            value.write(into: &writer, sortedKeys: sortedKeys)
        }
        writer.append(UInt8(ascii: "]"))
    }

    private static func write(_ object: JSONObject, into writer: inout ByteWriter, _ sortedKeys: Bool) {
        writer.append(UInt8(ascii: "{"))
        if sortedKeys {
            let members = object.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            write(members: members, into: &writer, sortedKeys)
        } else {
            write(members: object, into: &writer, sortedKeys)
        }
        writer.append(UInt8(ascii: "}"))
    }

    private static func write(
        members: some Sequence<JSONObject.Member>, into writer: inout ByteWriter, _ sortedKeys: Bool
    ) {
        var isFirst = true
        for (key, value) in members {
            if !isFirst { writer.append(UInt8(ascii: ",")) }
            isFirst = false
            writer.append(jsonString: key)
            writer.append(UInt8(ascii: ":"))
            value.write(into: &writer, sortedKeys: sortedKeys)
        }
    }
}

extension JSONValue: CustomStringConvertible {
    /// The JSON text.
    public var description: String { encoded() }
}
