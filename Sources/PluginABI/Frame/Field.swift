// SPDX-License-Identifier: Apache-2.0

/// Label names and values of a series; written with the names in order.
public typealias Labels = [String: String]

/// One column of a frame with its name, labels and display settings.
public struct Field: Sendable, Equatable {
    /// May be empty.
    public var name: String
    /// nil when there are none; an empty set of labels is written as such.
    public var labels: Labels?
    /// How to show the field; nil when nothing is said.
    public var config: FieldConfig?
    /// The values.
    public var column: Column

    /// A field of a column that was built.
    public init(_ name: String, column: Column, labels: Labels? = nil, config: FieldConfig? = nil) {
        self.name = name
        self.labels = labels
        self.config = config
        self.column = column
    }

    /// A field that is not nullable.
    @inlinable
    public init<Element: ColumnElement>(
        _ name: String, _ values: some Sequence<Element>, labels: Labels? = nil, config: FieldConfig? = nil
    ) {
        self.init(name, column: Column(values), labels: labels, config: config)
    }

    /// A nullable field.
    @inlinable
    public init<Element: ColumnElement>(
        _ name: String, _ values: some Sequence<Element?>, labels: Labels? = nil, config: FieldConfig? = nil
    ) {
        self.init(name, column: Column(values), labels: labels, config: config)
    }

    /// The type of the values.
    public var type: FieldType { column.type }
    /// Whether there may be nulls.
    public var isNullable: Bool { column.isNullable }
    /// The number of rows.
    public var count: Int { column.count }
}
