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

/// Reads one frame; each object is first cut into its parts, and values go straight from the text into columns.
struct FrameJSONReader {
    let bytes: UnsafeBufferPointer<UInt8>

    func frame(schema given: FrameSchema?) throws(FrameError) -> DataFrame {
        let parts = try members()
        guard let schema = try parts["schema"].map({ part throws(FrameError) in try part.schema() }) ?? given else {
            throw Self.failure("there is no schema; the first packet of a stream needs schema and data")
        }
        guard let data = parts["data"] else { return schema.emptyFrame }
        return try data.frame(of: schema)
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

    private func frame(of schema: FrameSchema) throws(FrameError) -> DataFrame {
        let parts = try members()
        let values = try parts["values"]?.elements() ?? []
        guard values.count == schema.fields.count || values.isEmpty else {
            throw FrameError(
                .lengthMismatch,
                "\(values.count) columns of values for \(schema.fields.count) fields; they have to match")
        }
        guard !values.isEmpty else { return schema.emptyFrame }
        let entities = try parts["entities"]?.elements() ?? []
        let nanos = try parts["nanos"]?.elements() ?? []
        var columns: [Column] = []
        for (index, field) in schema.fields.enumerated() {
            var reader = FrameColumnReader(field: field)
            if index < entities.count { reader.entities = try entities[index].entities() }
            if index < nanos.count, !nanos[index].isNull { reader.nanos = try nanos[index].value().array ?? [] }
            columns.append(try reader.column(from: values[index].bytes))
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
