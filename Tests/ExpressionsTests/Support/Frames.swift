// SPDX-License-Identifier: Apache-2.0
import PluginABI

@testable import Expressions

/// Seconds since 1970 as times.
func times(_ seconds: [Int64]) -> [Timestamp] { seconds.map { Timestamp(milliseconds: $0 * 1000) } }

/// A series of the data-plane contract at the seconds 0, 1, 2 …, or at those given.
func seriesFrame(
    _ values: [Double?], name: String = "v", labels: Labels? = nil, at seconds: [Int64]? = nil
) -> DataFrame {
    DataFrame(
        meta: FrameMeta(type: "timeseries-multi"),
        fields: [
            Field("Time", times(seconds ?? values.indices.map { Int64($0) })), Field(name, values, labels: labels),
        ])
}

/// A number of the data-plane contract.
func numberFrame(_ value: Double?, labels: Labels? = nil) -> DataFrame {
    DataFrame(meta: FrameMeta(type: "numeric-multi"), fields: [Field("v", [value], labels: labels)])
}

/// A request under test: data sources by refId, and expressions.
struct TestRequest {
    private var queries: [ExpressionPlan.Query] = []
    private var inputs: [String: ExpressionPlan.Input] = [:]
    var limits = ExpressionLimits()
    var from: Int64 = 0
    var to: Int64 = 10

    init() { limits.isSQLEnabled = true }

    mutating func source(_ refID: String, _ frames: [DataFrame], type: String = "acme", isHidden: Bool = false) {
        add(refID, .dataSource(type: type), isHidden)
        inputs[refID] = .frames(frames, notices: [])
    }

    /// Adds remarks to the answer of a source.
    mutating func notices(_ refID: String, _ notices: [Notice]) {
        if case .frames(let frames, _)? = inputs[refID] { inputs[refID] = .frames(frames, notices: notices) }
    }

    mutating func failing(_ refID: String, _ message: String) {
        add(refID, .dataSource(type: "acme"), false)
        inputs[refID] = .failed(.dataQuery(refID, message, source: .downstream))
    }

    mutating func expression(_ refID: String, _ model: JSONValue, isHidden: Bool = false) {
        add(refID, .expression(JSONText(model.encoded())), isHidden)
    }

    /// Adds an expression whose text is not what an encoder makes.
    mutating func expression(_ refID: String, text: String) {
        add(refID, .expression(JSONText(text)), false)
    }

    private mutating func add(_ refID: String, _ kind: ExpressionPlan.Query.Kind, _ isHidden: Bool) {
        queries.append(
            ExpressionPlan.Query(
                refID: refID, kind: kind, isHidden: isHidden, from: Timestamp(milliseconds: from * 1000),
                to: Timestamp(milliseconds: to * 1000)))
    }

    func run(checkpoint: ExpressionCheckpoint = .none) throws -> [String: ExpressionPlan.Outcome] {
        try ExpressionPlan(queries, limits: limits).evaluate(inputs, checkpoint: checkpoint)
    }

    /// The result of one expression over A and, if given, B.
    static func run(
        _ model: JSONValue, a: [DataFrame], b: [DataFrame]? = nil, limits: ExpressionLimits? = nil, from: Int64 = 0,
        to: Int64 = 10
    ) throws -> ExpressionPlan.Outcome {
        var request = TestRequest()
        if let limits { request.limits = limits }
        (request.from, request.to) = (from, to)
        request.source("A", a)
        if let b { request.source("B", b) }
        request.expression("R", model)
        return try request.run()["R"] ?? ExpressionPlan.Outcome()
    }

    /// The result of a math expression.
    static func math(_ text: String, a: [DataFrame], b: [DataFrame]? = nil) throws -> [DataFrame] {
        let outcome = try run(["type": "math", "expression": .string(text)], a: a, b: b)
        if let error = outcome.error { throw error }
        return outcome.frames
    }

    /// The result of an SQL expression over tables that come as they are.
    static func sql(
        _ text: String, a: [DataFrame], b: [DataFrame]? = nil, more: JSONObject = [:], limits: ExpressionLimits? = nil
    ) throws -> ExpressionPlan.Outcome {
        var model: JSONObject = ["type": "sql", "expression": .string(text)]
        for (key, value) in more { model[key] = value }
        return try run(.object(model), a: a, b: b, limits: limits)
    }
}

extension DataFrame {
    /// The values of the last field.
    var values: [Double?] {
        guard let column = fields.last?.column else { return [] }
        return (0..<column.count).map { column.double(at: $0) }
    }

    var labels: Labels { fields.last?.labels ?? [:] }

    /// The first field as whole seconds.
    var seconds: [Int64] {
        guard let column = fields.first?.column else { return [] }
        return (0..<column.count).map { (column[$0, as: Timestamp.self]?.nanoseconds ?? -1) / 1_000_000_000 }
    }

    /// A row as texts: numbers as frame JSON writes them, times as milliseconds, null as `null`.
    func row(_ index: Int) -> [String] {
        fields.map { field in
            if field.column.isNull(at: index) { return "null" }
            if let text = field.column.string(at: index) { return text }
            if let value = field.column[index, as: Bool.self] { return "\(value)" }
            return JSONValue.number(field.column.double(at: index) ?? .nan).encoded()
        }
    }

    var rows: [[String]] { (0..<rowCount).map(row) }
}

/// Equal also where both are NaN.
func same(_ left: [Double?], _ right: [Double?]) -> Bool {
    left.count == right.count
        && zip(left, right).allSatisfy { one, other in
            guard let one, let other else { return one == nil && other == nil }
            return one == other || one.isNaN && other.isNaN
        }
}
