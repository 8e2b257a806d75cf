// SPDX-License-Identifier: Apache-2.0

/// The key-value metadata of an Arrow schema or field, in order.
struct ArrowMetadata {
    var pairs: [(key: String, value: String)] = []

    subscript(key: String) -> String? { pairs.last { $0.key == key }?.value }

    /// The metadata of a frame: `name` and `refId` always, `meta` when set.
    init(frame schema: FrameSchema) {
        pairs = [("name", schema.name), ("refId", schema.refID)]
        if let meta = schema.meta { pairs.append(("meta", meta.json.text)) }
    }

    /// The metadata of a field: `tstype` always, `labels` and `config` when set.
    init(field: FrameSchema.Field) {
        pairs = [("tstype", field.type.jsType)]
        if let labels = field.labels { pairs.append(("labels", labels.json)) }
        if let config = field.config { pairs.append(("config", config.json.text)) }
    }

    init(pairs: [(key: String, value: String)] = []) { self.pairs = pairs }

    var isEnum: Bool { self["tstype"] == "enum" }
}

extension FrameSchema {
    /// Takes the name, the query and the meta of a frame from the metadata of its Arrow schema.
    init(metadata: ArrowMetadata, fields: [Field]) throws(FrameError) {
        self.init(name: metadata["name"] ?? "", refID: metadata["refId"] ?? "", fields: fields)
        if let text = metadata["meta"], !text.isEmpty, text != "null" {
            meta = try FrameMeta(json: JSONText(text))
        }
    }
}

extension FrameSchema.Field {
    /// Takes labels and config of a field from its metadata.
    init(name: String, arrow: ArrowType, isNullable: Bool, metadata: ArrowMetadata) throws(FrameError) {
        self.init(name: name, type: arrow.type, isNullable: isNullable)
        layout = arrow.layout
        if let text = metadata["labels"], !text.isEmpty, text != "null" {
            labels = try Labels(json: text, field: name)
        }
        if let text = metadata["config"], !text.isEmpty, text != "null" {
            config = try FieldConfig(json: JSONText(text))
        }
    }
}

extension Labels {
    /// Reads a JSON object whose values are texts.
    init(json text: String, field: String) throws(FrameError) {
        let document = try JSONDocument(JSONText(text), subject: "the labels of field '\(field)'")
        try self.init(document.object, field: field)
    }

    /// Takes an object whose values are texts.
    init(_ object: JSONObject, field: String) throws(FrameError) {
        self.init(minimumCapacity: object.count)
        for (key, value) in object {
            guard let text = value.string else {
                throw FrameError(
                    .invalidMetadata,
                    "label '\(key)' of field '\(field)' is not a text; label values are JSON strings")
            }
            self[key] = text
        }
    }

    /// The names in the order of their bytes.
    var sortedPairs: [(key: String, value: String)] {
        sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// A JSON object with the names in order.
    var json: String {
        JSONValue.object(JSONObject(sortedPairs.map { (key: $0.key, value: .string($0.value)) })).encoded()
    }
}
