// SPDX-License-Identifier: Apache-2.0

extension DataFrame {
    /// Reads frame JSON.
    ///
    /// The order of keys does not matter and unknown keys are skipped. Meta and config keep their text. A null makes its
    /// field nullable.
    ///
    /// - Parameter schema: Stands in for the `schema` of a text that has only `data`, as stream packets do.
    /// - Throws: ``FrameError`` `.invalidJSON` for text that is not frame JSON, `.invalidMetadata`, `.unsupportedType`,
    ///   `.lengthMismatch`.
    public init(json bytes: some Sequence<UInt8>, schema: FrameSchema? = nil) throws(FrameError) {
        let contiguous = bytes.withContiguousStorageIfAvailable { Self.attempt($0, schema) }
        self = try (contiguous ?? Array(bytes).withUnsafeBufferPointer { Self.attempt($0, schema) }).get()
    }

    private static func attempt(
        _ bytes: UnsafeBufferPointer<UInt8>, _ schema: FrameSchema?
    ) -> Result<DataFrame, FrameError> {
        Result { () throws(FrameError) in try FrameJSONReader(bytes: bytes).frame(schema: schema) }
    }
}

/// Reads one frame; the text is first cut into its parts, then values go straight from the text into columns.
struct FrameJSONReader {
    let bytes: UnsafeBufferPointer<UInt8>

    func frame(schema given: FrameSchema?) throws(FrameError) -> DataFrame {
        let parts = try Self.wrapped { () throws(JSONError) in try FrameJSONParts(bytes) }
        let text = parts.schema.map(part)
        guard let schema = try text.map({ part throws(FrameError) in try part.schema() }) ?? given else {
            throw Self.failure("there is no schema; the first packet of a stream needs schema and data")
        }
        guard !parts.values.isEmpty else { return schema.emptyFrame }
        return try frame(of: schema, parts)
    }

    private func part(_ range: Range<Int>) -> FrameJSONReader {
        FrameJSONReader(bytes: UnsafeBufferPointer(rebasing: bytes[range]))
    }

    // MARK: - Parts

    /// The values of an object by their keys; those that are null are left out.
    func members() throws(FrameError) -> [String: FrameJSONReader] {
        let members = try Self.wrapped { () throws(JSONError) in try JSONSlices.members(ofObjectAt: [], in: bytes) }
        var parts: [String: FrameJSONReader] = [:]
        for (key, range) in members {
            let part = FrameJSONReader(bytes: UnsafeBufferPointer(rebasing: bytes[range]))
            parts[key] = part.isNull ? nil : part
        }
        return parts
    }

    func elements() throws(FrameError) -> [FrameJSONReader] {
        let ranges = try Self.wrapped { () throws(JSONError) in try JSONSlices.elements(ofArrayAt: [], in: bytes) }
        return ranges.map { FrameJSONReader(bytes: UnsafeBufferPointer(rebasing: bytes[$0])) }
    }

    func value() throws(FrameError) -> JSONValue {
        try Self.wrapped { () throws(JSONError) in try JSONValue(parsing: bytes) }
    }

    var isNull: Bool { bytes.elementsEqual("null".utf8) }

    private var text: JSONText { JSONText(String(decoding: bytes, as: UTF8.self)) }

    static func wrapped<Result>(_ body: () throws(JSONError) -> Result) throws(FrameError) -> Result {
        do {
            return try body()
        } catch {
            throw failure(error.description)
        }
    }

    static func failure(_ fact: String) -> FrameError {
        FrameError(.invalidJSON, "not frame JSON: \(fact)")
    }

    // MARK: - Schema

    private func schema() throws(FrameError) -> FrameSchema {
        let parts = try members()
        var schema = FrameSchema(
            name: try parts["name"]?.value().string ?? "", refID: try parts["refId"]?.value().string ?? "")
        schema.meta = try parts["meta"].map { part throws(FrameError) in try FrameMeta(json: part.text) }
        for field in try parts["fields"]?.elements() ?? [] {
            schema.fields.append(try field.field())
        }
        return schema
    }

    private func field() throws(FrameError) -> FrameSchema.Field {
        let parts = try members()
        let name = try parts["name"]?.value().string ?? ""
        let info = try parts["typeInfo"]?.members() ?? [:]
        var field = FrameSchema.Field(name: name, type: .float64)
        if let typeName = try info["frame"]?.value().string {
            guard let type = FieldType(name: typeName) else {
                throw FrameError(
                    .unsupportedType, "field '\(name)' has the type '\(typeName)', which frames do not have")
            }
            field.type = type
            field.isNullable = try info["nullable"]?.value().bool ?? false
        } else {
            field.type = try Self.type(ofJS: parts["type"]?.value().string ?? "", field: name)
            field.isNullable = true
        }
        field.labels = try parts["labels"]?.value().object.map { labels throws(FrameError) in
            try Labels(labels, field: name)
        }
        field.config = try parts["config"].map { part throws(FrameError) in try FieldConfig(json: part.text) }
        return field
    }

    /// The type of a field that has no `typeInfo`.
    private static func type(ofJS name: String, field: String) throws(FrameError) -> FieldType {
        switch name {
        case "number": return .float64
        case "string": return .string
        case "boolean": return .bool
        case "time": return .time
        case "other": return .json
        case "enum": return .enum
        default:
            throw FrameError(.unsupportedType, "field '\(field)' has neither a typeInfo nor a known type ('\(name)')")
        }
    }

    // MARK: - Data

    private func frame(of schema: FrameSchema, _ parts: FrameJSONParts) throws(FrameError) -> DataFrame {
        let count = parts.values.count
        guard count == schema.fields.count else {
            throw FrameError(
                .lengthMismatch, "\(count) columns of values for \(schema.fields.count) fields; they have to match")
        }
        var columns: [Column] = []
        for (index, field) in schema.fields.enumerated() {
            var reader = FrameColumnReader(field: field)
            if index < parts.entities.count { reader.entities = try part(parts.entities[index]).entities() }
            if index < parts.nanos.count {
                let nanos = part(parts.nanos[index])
                reader.nanos = nanos.isNull ? [] : try nanos.value().array ?? []
            }
            columns.append(try reader.column(from: part(parts.values[index]).bytes))
        }
        let frame = schema.frame(columns: columns)
        try frame.checkLengths()
        return frame
    }

    /// The floats that JSON has no number for, by row.
    private func entities() throws(FrameError) -> [Int: Double] {
        guard !isNull, let object = try value().object else { return [:] }
        var entities: [Int: Double] = [:]
        for (name, value) in [("NaN", Double.nan), ("Inf", .infinity), ("NegInf", -.infinity)] {
            for row in object[name]?.array ?? [] {
                guard let row = row.int else { continue }
                entities[Int(row)] = value
            }
        }
        return entities
    }
}

/// Where the parts of frame JSON lie; one pass over the text, which is checked on the way.
private struct FrameJSONParts {
    var schema: Range<Int>?
    /// By field, as the next two.
    var values: [Range<Int>] = []
    var entities: [Range<Int>] = []
    var nanos: [Range<Int>] = []

    init(_ bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) {
        guard let start = bytes.baseAddress else { throw JSONError(.malformed, offset: 0, "the text is empty") }
        try JSONError.checkSize(bytes.count, JSONValue.maximumBytes)
        var scanner = JSONScanner(start: start, count: bytes.count)
        guard scanner.next() == UInt8(ascii: "{") else { throw scanner.unexpected("an object") }
        var parts = self
        try scanner.members(depth: 0) { (scanner: inout JSONScanner, key) throws(JSONError) in
            switch key.text {
            case "schema" where scanner.next() == UInt8(ascii: "{"): parts.schema = try Self.skip(&scanner, depth: 1)
            case "data" where scanner.next() == UInt8(ascii: "{"): try parts.readData(&scanner)
            default: _ = try Self.skip(&scanner, depth: 1)
            }
        }
        try scanner.finish()
        self = parts
    }

    private mutating func readData(_ scanner: inout JSONScanner) throws(JSONError) {
        var parts = self
        try scanner.members(depth: 1) { (scanner: inout JSONScanner, key) throws(JSONError) in
            switch key.text {
            case "values": parts.values = try Self.elements(&scanner)
            case "entities": parts.entities = try Self.elements(&scanner)
            case "nanos": parts.nanos = try Self.elements(&scanner)
            default: _ = try Self.skip(&scanner, depth: 2)
            }
        }
        self = parts
    }

    /// The elements of a list; none when it is null.
    private static func elements(_ scanner: inout JSONScanner) throws(JSONError) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        if scanner.next() == UInt8(ascii: "n") {
            try scanner.word("null")
            return []
        }
        guard scanner.next() == UInt8(ascii: "[") else { throw scanner.unexpected("a list") }
        try scanner.elements(depth: 2) { (scanner: inout JSONScanner) throws(JSONError) in
            ranges.append(try skip(&scanner, depth: 3))
        }
        return ranges
    }

    private static func skip(_ scanner: inout JSONScanner, depth: Int) throws(JSONError) -> Range<Int> {
        _ = scanner.next()
        let start = scanner.offset
        try scanner.skipValue(depth: depth)
        return start..<scanner.offset
    }
}
