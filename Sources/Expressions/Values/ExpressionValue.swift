// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One value that expressions calculate with: an item of a query's or an expression's result.
struct ExpressionValue: Sendable {
    /// The points of a series; both columns are of one length.
    struct Points: Sendable {
        /// Times without nulls; data sources mostly send them ascending.
        var times: Column
        /// Nullable `float64`.
        var values: Column

        var count: Int { values.count }
    }

    /// What the value is.
    enum Content: Sendable {
        /// Nothing to calculate with: no data, as the frame says, or a table of SQL.
        case frame(DataFrame)
        /// A number that belongs to no series, such as a literal.
        case scalar(Double?)
        case number(Double?)
        case series(Points)
    }

    var content: Content
    var labels: Labels = [:]
    /// The name of the value field.
    var name = ""
    /// The name of the time field of a series.
    var timeName = "Time"
    var config: FieldConfig?
    var notices: [Notice] = []
    /// For `meta.custom` of the frame.
    var custom: JSONValue?

    static func noData(_ frame: DataFrame = DataFrame(name: "no data")) -> ExpressionValue {
        ExpressionValue(content: .frame(frame))
    }

    static func number(_ value: Double?, labels: Labels, name: String) -> ExpressionValue {
        ExpressionValue(content: .number(value), labels: labels, name: name)
    }

    static func series(_ points: Points, labels: Labels, name: String) -> ExpressionValue {
        ExpressionValue(content: .series(points), labels: labels, name: name)
    }

    var isNoData: Bool {
        if case .frame = content { true } else { false }
    }

    /// The type as error texts name it.
    var typeName: String {
        switch content {
        case .frame: "noData"
        case .scalar: "scalar"
        case .number: "numberSet"
        case .series: "seriesSet"
        }
    }

    /// The points of a series, 1 for others.
    var pointCount: Int {
        if case .series(let points) = content { points.count } else { 1 }
    }

    /// About the memory that it takes; columns that it shares with others count as well.
    var byteCount: Int {
        switch content {
        case .frame(let frame): Self.itemBytes + frame.fields.reduce(0) { $0 + $1.column.byteCount }
        case .scalar, .number: Self.itemBytes
        case .series(let points): Self.byteCount(ofPoints: points.count)
        }
    }

    private static let itemBytes = 256

    /// About the memory that a series takes.
    static func byteCount(ofPoints count: Int) -> Int { itemBytes + 16 * count }
}

extension Column {
    /// A row of a `float64` column.
    func float(at index: Int) -> Double? { self[index, as: Double.self] }
}
