// SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// The most bytes that are read without asking for more: 1 GiB.
    public static let maximumBytes = 1 << 30

    /// Reads a JSON text (RFC 8259, strictly) from UTF-8 bytes.
    ///
    /// A number without fraction and exponent that fits 64 bits becomes ``integer(_:)``, any other ``number(_:)``. Of
    /// equal keys the last wins. Half of a surrogate pair in `\u` escapes becomes U+FFFD.
    ///
    /// - Throws: ``JSONError`` with the offset: `.malformed`, also for bytes that are not UTF-8; `.tooDeep` beyond
    ///   ``maximumDepth``; `.tooLarge` beyond `maximumBytes`; `.outOfRange` for a number that no Double comes near.
    public init(
        parsing bytes: some Sequence<UInt8>, maximumBytes: Int = JSONValue.maximumBytes
    ) throws(JSONError) {
        let attempt = bytes.withContiguousStorageIfAvailable { Self.attempt($0, maximumBytes) }
        if let attempt {
            self = try attempt.get()
        } else {
            self = try Array(bytes).withUnsafeBufferPointer { Self.attempt($0, maximumBytes) }.get()
        }
    }

    /// Reads a JSON text.
    ///
    /// - Throws: As ``init(parsing:maximumBytes:)-(Sequence<UInt8>,_)`` does.
    public init(parsing text: String, maximumBytes: Int = JSONValue.maximumBytes) throws(JSONError) {
        try self.init(parsing: text.utf8, maximumBytes: maximumBytes)
    }

    private static func attempt(
        _ bytes: UnsafeBufferPointer<UInt8>, _ maximumBytes: Int
    ) -> Result<JSONValue, JSONError> {
        Result { () throws(JSONError) in
            try JSONError.checkSize(bytes.count, maximumBytes)
            guard let start = bytes.baseAddress else {
                throw JSONError(.malformed, offset: 0, "the JSON text is empty")
            }
            var scanner = JSONScanner(start: start, count: bytes.count)
            let value = try scanner.value(depth: 0)
            try scanner.finish()
            return value
        }
    }
}

extension JSONError {
    static func checkSize(_ count: Int, _ maximum: Int) throws(JSONError) {
        guard count <= maximum else {
            throw JSONError(.tooLarge, "the JSON text has \(count) bytes, more than the \(maximum) allowed")
        }
    }
}

extension JSONScanner {
    /// Reads any value.
    fileprivate mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        switch next() {
        case 0x22: return .string(try string().text)
        case 0x7B: return try object(depth: depth)
        case 0x5B: return try array(depth: depth)
        case 0x74:
            try word("true")
            return .bool(true)
        case 0x66:
            try word("false")
            return .bool(false)
        case 0x6E:
            try word("null")
            return .null
        default: return try numberValue()
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        var values: [JSONValue] = []
        try elements(depth: depth) { (scanner: inout JSONScanner) throws(JSONError) in
            values.append(try scanner.value(depth: depth + 1))
        }
        return .array(values)
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        var object = JSONObject()
        try members(depth: depth) { (scanner: inout JSONScanner, key: StringToken) throws(JSONError) in
            let value = try scanner.value(depth: depth + 1)
            if object.isEmpty { object.reserveCapacity(4) }
            object[key.text] = value
        }
        return .object(object)
    }

    private mutating func numberValue() throws(JSONError) -> JSONValue {
        let begin = offset
        let decimal = try number()
        if decimal.isWhole && !decimal.isTruncated && decimal.exponent == 0 {
            if decimal.isNegative {
                if decimal.mantissa == 0 { return .number(-0.0) }
                if decimal.mantissa <= 1 << 63 { return .integer(Int64(truncatingIfNeeded: 0 &- decimal.mantissa)) }
            } else if let value = Int64(exactly: decimal.mantissa) {
                return .integer(value)
            }
        }
        let value = FloatParser.value(of: decimal)
        guard value.isFinite else {
            throw JSONError(.outOfRange, offset: begin, "the JSON text has a number too large for a 64-bit float")
        }
        return .number(value)
    }
}
