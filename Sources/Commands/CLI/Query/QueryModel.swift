// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What a query of the command line asks for, and the body of `POST /api/ds/query` that asks for it.
struct QueryModel: Sendable {
    var expression: String
    var from = "now-1h"
    var to = "now"
    /// The distance of the points; nil for what fits the range.
    var step: TimeAmount?
    var maxDataPoints = 1000

    private static let refID = "A"

    /// The body.
    ///
    /// An expression that is a JSON object is the model itself, with what it lacks filled in. Else it is put where the
    /// type has it.
    /// - Throws: ``CommandFailure`` `.usage` for a type that is only asked with JSON, and for broken JSON.
    func body(for source: DataSourceIdentity) throws -> JSONValue {
        var model = try query(type: source.type)
        if model["refId"] == nil { model["refId"] = .string(Self.refID) }
        model["datasource"] = ["uid": .string(source.uid), "type": .string(source.type)]
        if model["maxDataPoints"] == nil { model["maxDataPoints"] = .integer(Int64(maxDataPoints)) }
        if model["intervalMs"] == nil, let interval = intervalMilliseconds { model["intervalMs"] = .integer(interval) }
        return ["queries": [.object(model)], "from": .string(from), "to": .string(to)]
    }

    private func query(type: String) throws -> JSONObject {
        var failure: JSONError?
        if expression.drop(while: \.isWhitespace).first == "{" {
            do throws(JSONError) {
                if let object = try JSONValue(parsing: expression).object { return object }
            } catch {
                failure = error
            }
        }
        switch type {
        case "prometheus":
            var model: JSONObject = ["expr": .string(expression), "range": true]
            if let step { model["interval"] = .string(step.text) }
            return model
        case "loki":
            var model: JSONObject = [
                "expr": .string(expression), "queryType": "range", "maxLines": .integer(Int64(maxDataPoints)),
            ]
            if let step { model["step"] = .string(step.text) }
            return model
        case "testdata", "grafana-testdata-datasource":
            if let failure { throw broken(failure) }
            return ["scenarioId": .string(expression)]
        default:
            if let failure { throw broken(failure) }
            throw CommandFailure(
                .usage,
                "EXPR: a data source of type '\(type)' has no plain form of a query; give the query model as JSON, "
                    + #"such as '{"rawSql":"SELECT 1","format":"table"}'"#)
        }
    }

    private func broken(_ error: JSONError) -> CommandFailure {
        CommandFailure(
            .usage, "EXPR: it starts with '{' but is not JSON (\(error)); correct it, or quote it for the shell")
    }

    /// The step, or the distance at which ``maxDataPoints`` fill the range; nil when only the server knows the range.
    private var intervalMilliseconds: Int64? {
        if let step { return max(1, step.milliseconds) }
        guard let start = TimeAmount.beforeNow(from), let end = TimeAmount.beforeNow(to), start > end else {
            return nil
        }
        let points = Int64(max(maxDataPoints, 1))
        return max(1, (start - end + points - 1) / points)
    }
}

/// A data source as the API names it.
struct DataSourceIdentity: Sendable, Equatable {
    var uid: String
    var name: String
    var type: String
}
