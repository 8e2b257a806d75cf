// SPDX-License-Identifier: Apache-2.0

/// Reads the values of one field of frame JSON.
struct FrameColumnReader {
    let field: FrameSchema.Field
    /// NaN and infinities, whose rows are null in the text.
    var entities: [Int: Double] = [:]
    /// Nanoseconds to add to the times, by row.
    var nanos: [JSONValue] = []

    init(field: FrameSchema.Field) {
        self.field = field
    }

    /// - Parameter bytes: A JSON array.
    func column(from bytes: UnsafeBufferPointer<UInt8>) throws(FrameError) -> Column {
        switch field.type {
        case .int8: try integers(bytes, as: Int8.self)
        case .int16: try integers(bytes, as: Int16.self)
        case .int32: try integers(bytes, as: Int32.self)
        case .int64: try integers(bytes, as: Int64.self)
        case .uint8: try integers(bytes, as: UInt8.self)
        case .uint16: try integers(bytes, as: UInt16.self)
        case .uint32: try integers(bytes, as: UInt32.self)
        case .uint64: try integers(bytes, as: UInt64.self)
        case .float32: try floats(bytes) { Float($0) }
        case .float64: try floats(bytes) { $0 }
        case .time: try times(bytes)
        case .enum: try enums(bytes)
        case .bool: try bools(bytes)
        case .string: try texts(bytes)
        case .json: try documents(bytes)
        }
    }

    /// Reads the elements of the array; `read` gets those that are not null and answers nil when one is of a wrong kind.
    private func elements<Element: ColumnElement>(
        _ bytes: UnsafeBufferPointer<UInt8>, null: (Int) -> Element? = { _ in nil },
        read: (inout JSONScanner, _ row: Int) throws(JSONError) -> Element?
    ) throws(FrameError) -> Column {
        guard let start = bytes.baseAddress, bytes.first == UInt8(ascii: "[") else {
            throw wrong("the values", "a list")
        }
        var scanner = JSONScanner(start: start, count: bytes.count)
        var builder = ColumnBuilder<Element>(isNullable: field.isNullable)
        var wrongRow: Int?
        try FrameJSONReader.wrapped { () throws(JSONError) in
            try scanner.elements(depth: 0) { (scanner: inout JSONScanner) throws(JSONError) in
                if scanner.next() == UInt8(ascii: "n") {
                    try scanner.word("null")
                    builder.append(null(builder.count))
                } else if let value = try read(&scanner, builder.count) {
                    builder.append(value)
                } else {
                    wrongRow = wrongRow ?? builder.count
                    builder.appendNull()
                }
            }
            try scanner.finish()
        }
        if let wrongRow { throw wrong("row \(wrongRow)", "\(field.type.name)") }
        return builder.finish()
    }

    private func wrong(_ what: String, _ expected: String) -> FrameError {
        FrameJSONReader.failure("\(what) of field '\(field.name)' must be \(expected)")
    }

    // MARK: - Types

    private func integers<Integer: FixedWidthInteger & FixedWidthElement>(
        _ bytes: UnsafeBufferPointer<UInt8>, as type: Integer.Type
    ) throws(FrameError) -> Column {
        try elements(bytes) { (scanner: inout JSONScanner, _) throws(JSONError) -> Integer? in
            try integer(&scanner, in: bytes)
        }
    }

    /// An integer, also one in quotes; nil for anything else that is JSON.
    private func integer<Integer: FixedWidthInteger>(
        _ scanner: inout JSONScanner, in bytes: UnsafeBufferPointer<UInt8>
    ) throws(JSONError) -> Integer? {
        if scanner.next() == UInt8(ascii: "\"") { return Integer(try scanner.string().text) }
        guard isNumber(scanner.next()) else {
            try scanner.skipValue(depth: 1)
            return nil
        }
        let start = scanner.offset
        let decimal = try scanner.number()
        if decimal.isWhole, !decimal.isTruncated, decimal.exponent == 0 {
            guard decimal.isNegative else { return Integer(exactly: decimal.mantissa) }
            return decimal.mantissa <= 1 << 63
                ? Integer(exactly: Int64(truncatingIfNeeded: 0 &- decimal.mantissa)) : nil
        }
        // More than 19 digits, or an integer with an exponent or point: rare.
        let text = String(decoding: bytes[start..<scanner.offset], as: UTF8.self)
        return Integer(text) ?? Integer(exactly: FloatParser.value(of: decimal))
    }

    private func isNumber(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "-") || (byte >= 0x30 && byte <= 0x39) }

    /// A number, also one in quotes; nil for anything else that is JSON.
    private func number(_ scanner: inout JSONScanner) throws(JSONError) -> Double? {
        if scanner.next() == UInt8(ascii: "\"") { return FloatParser.parse(try scanner.string().text) }
        guard isNumber(scanner.next()) else {
            try scanner.skipValue(depth: 1)
            return nil
        }
        return FloatParser.value(of: try scanner.number())
    }

    private func floats<Float: FixedWidthElement>(
        _ bytes: UnsafeBufferPointer<UInt8>, convert: (Double) -> Float
    ) throws(FrameError) -> Column {
        try elements(bytes, null: { entities[$0].map(convert) }) {
            (scanner: inout JSONScanner, _) throws(JSONError) -> Float? in
            try number(&scanner).map(convert)
        }
    }

    private func times(_ bytes: UnsafeBufferPointer<UInt8>) throws(FrameError) -> Column {
        try elements(bytes) { (scanner: inout JSONScanner, row: Int) throws(JSONError) -> Timestamp? in
            let milliseconds: Int64? = try integer(&scanner, in: bytes)
            guard let milliseconds else { return nil }
            let rest = row < nanos.count ? nanos[row].int.map { Int64($0) } ?? 0 : 0
            let whole = Timestamp(milliseconds: milliseconds).nanoseconds
            let (sum, overflow) = whole.addingReportingOverflow(rest)
            return Timestamp(nanoseconds: overflow ? whole : sum)
        }
    }

    private func enums(_ bytes: UnsafeBufferPointer<UInt8>) throws(FrameError) -> Column {
        try elements(bytes) { (scanner: inout JSONScanner, _) throws(JSONError) -> EnumIndex? in
            let index: UInt16? = try integer(&scanner, in: bytes)
            return index.map { EnumIndex($0) }
        }
    }

    private func bools(_ bytes: UnsafeBufferPointer<UInt8>) throws(FrameError) -> Column {
        try elements(bytes) { (scanner: inout JSONScanner, _) throws(JSONError) -> Bool? in
            switch scanner.next() {
            case UInt8(ascii: "t"):
                try scanner.word("true")
                return true
            case UInt8(ascii: "f"):
                try scanner.word("false")
                return false
            default:
                try scanner.skipValue(depth: 1)
                return nil
            }
        }
    }

    private func texts(_ bytes: UnsafeBufferPointer<UInt8>) throws(FrameError) -> Column {
        try elements(bytes) { (scanner: inout JSONScanner, _) throws(JSONError) -> String? in
            guard scanner.next() == UInt8(ascii: "\"") else {
                try scanner.skipValue(depth: 1)
                return nil
            }
            return try scanner.string().text
        }
    }

    /// JSON values as their text; null is a value where the field is not nullable.
    private func documents(_ bytes: UnsafeBufferPointer<UInt8>) throws(FrameError) -> Column {
        try elements(bytes, null: { _ in field.isNullable ? nil : JSONText("null") }) {
            (scanner: inout JSONScanner, _) throws(JSONError) -> JSONText? in
            _ = scanner.next()
            let start = scanner.offset
            try scanner.skipValue(depth: 1)
            return JSONText(String(decoding: bytes[start..<scanner.offset], as: UTF8.self))
        }
    }
}
