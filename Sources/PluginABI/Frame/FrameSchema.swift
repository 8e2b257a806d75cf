// SPDX-License-Identifier: Apache-2.0

/// What a frame is before its rows come: its name, metadata and fields.
///
/// A host reads the schema once and makes a frame of every batch of rows.
public struct FrameSchema: Sendable, Equatable {
    /// One field without its values.
    public struct Field: Sendable, Equatable {
        /// May be empty.
        public var name: String
        /// The type of the values.
        public var type: FieldType
        /// Whether there may be nulls.
        public var isNullable: Bool
        /// nil when there are none.
        public var labels: Labels?
        /// How to show the field; nil when nothing is said.
        public var config: FieldConfig?
        /// How values lie in the batches that come.
        var layout = ArrowLayout.native

        /// A field of its parts.
        public init(
            name: String, type: FieldType, isNullable: Bool = false, labels: Labels? = nil, config: FieldConfig? = nil
        ) {
            self.name = name
            self.type = type
            self.isNullable = isNullable
            self.labels = labels
            self.config = config
        }
    }

    /// May be empty.
    public var name: String
    /// The query that the frame answers; may be empty.
    public var refID: String
    /// What the frame says about itself.
    public var meta: FrameMeta?
    /// The fields in order.
    public var fields: [Field]

    /// A schema of its parts.
    public init(name: String = "", refID: String = "", meta: FrameMeta? = nil, fields: [Field] = []) {
        self.name = name
        self.refID = refID
        self.meta = meta
        self.fields = fields
    }

    /// The schema of a frame.
    public init(of frame: DataFrame) {
        self.init(
            name: frame.name, refID: frame.refID, meta: frame.meta,
            fields: frame.fields.map {
                Field(name: $0.name, type: $0.type, isNullable: $0.isNullable, labels: $0.labels, config: $0.config)
            })
    }

    /// The frame without rows.
    public var emptyFrame: DataFrame {
        // The columns are made from the fields and so always match.
        frame(columns: fields.map { Column(empty: $0.type, isNullable: $0.isNullable) })
    }

    /// The frame of columns that match the fields.
    func frame(columns: [Column]) -> DataFrame {
        DataFrame(
            name: name, refID: refID, meta: meta,
            fields: zip(fields, columns).map { field, column in
                PluginABI.Field(field.name, column: column, labels: field.labels, config: field.config)
            })
    }
}
