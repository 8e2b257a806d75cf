// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import PluginABI

/// How a query names its data source.
enum DataSourceReference: Sendable, Hashable {
    case uid(String)
    case name(String)
    case id(Int64)
    /// No data source: the query is an expression over the others.
    case expression
}

/// The body of `POST /api/ds/query`, read and checked.
struct QueryRequest: Sendable {
    /// One query and the source that it goes to.
    struct Item: Sendable {
        var source: DataSourceReference
        var query: DataQuery
        /// Whether its result is left out of the answer.
        var isHidden = false
    }

    /// The queries in their order; hidden ones are there only if there are expressions, which may need them.
    var items: [Item]
    /// Whether any query is an expression.
    var hasExpressions: Bool { items.contains { $0.source == .expression } }

    /// What a query has that says nothing else.
    private struct Defaults {
        var interval = 1000.0
        var dataPoints = 100

        /// Beside expressions, which no panel draws point by point.
        static let besideExpressions = Defaults(interval: 64, dataPoints: 5000)
    }

    /// The most points that a query may ask for.
    private static let mostDataPoints = 11_000_000

    /// Reads the body.
    ///
    /// Each query's own bytes go to the plugin as they are.
    ///
    /// - Parameters:
    ///   - now: Epoch milliseconds, for relative times.
    ///   - limit: The most queries.
    /// - Throws: ``APIError`` 400.
    init(body: [UInt8], now: Int64, limit: Int) throws {
        guard let root = try? JSONValue(parsing: body), root.object != nil else { throw APIError.badRequestData }
        guard let models = root["queries"]?.array, !models.isEmpty else {
            throw APIError(.badRequest, "No queries found", messageID: "query.noQueries")
        }
        guard models.count <= limit else {
            throw APIError(
                .badRequest, "\(models.count) queries in one request; send at most \(limit)",
                messageID: "query.tooManyQueries")
        }
        let ranges = try JSONSlices.elements(ofArrayAt: ["queries"], in: body)
        let hasExpressions = models.contains { Self.source(of: $0) == .expression }
        var shared = SharedRange(from: root["from"], to: root["to"], now: now)
        shared.isBesideExpressions = hasExpressions
        let defaults = hasExpressions ? Defaults.besideExpressions : Defaults()
        var names: Set<String> = []
        items = []
        for (model, range) in zip(models, ranges) {
            let text = String(decoding: body[range], as: UTF8.self)
            let refID = try Self.refID(of: model)
            guard names.insert(refID).inserted else {
                throw APIError(
                    .badRequest, "Multiple queries using the same RefId are not allowed",
                    messageID: "query.duplicateRefId")
            }
            let isHidden = model["hide"]?.bool == true
            if isHidden, !hasExpressions { continue }
            guard let source = Self.source(of: model) ?? (hasExpressions ? nil : Self.source(of: models[0])) else {
                throw APIError(
                    .badRequest,
                    hasExpressions
                        ? "missing datasource uid in query with refId \(refID)"
                        : "Query \(refID) is missing datasource information",
                    messageID: "query.missingDataSourceInfo")
            }
            let query = try Self.query(refID, model, text, shared, defaults)
            items.append(Item(source: source, query: query, isHidden: isHidden))
        }
    }

    private static func refID(of model: JSONValue) throws -> String {
        guard model.object != nil else { throw APIError.badRequestData }
        let refID = model["refId"]?.string ?? ""
        guard refID.utf8.count <= 256 else {
            throw APIError(.badRequest, "A refId is longer than 256 bytes", messageID: "query.invalidRefId")
        }
        return refID.isEmpty ? "A" : refID
    }

    private static func source(of model: JSONValue) -> DataSourceReference? {
        switch model["datasource"] {
        case .string(let name)?: return isExpression(name) ? .expression : .name(name)
        case .object(let object)?:
            if let uid = object["uid"]?.string, !uid.isEmpty { return isExpression(uid) ? .expression : .uid(uid) }
        default: break
        }
        if let uid = model["datasourceUid"]?.string, isExpression(uid) { return .expression }
        guard let id = model["datasourceId"]?.int else { return nil }
        return id == -100 ? .expression : .id(Int64(id))
    }

    private static func isExpression(_ name: String) -> Bool { name == "__expr__" || name == "-100" }

    private static func query(
        _ refID: String, _ model: JSONValue, _ text: String, _ shared: SharedRange, _ defaults: Defaults
    ) throws -> DataQuery {
        let (from, to) = try shared.range(of: model, refID: refID)
        let milliseconds = model["intervalMs"]?.double ?? 0
        let interval = milliseconds >= 1 && milliseconds < 1e12 ? milliseconds : defaults.interval
        let points = model["maxDataPoints"]?.double ?? 0
        return DataQuery(
            refID: refID, queryType: model["queryType"]?.string ?? "", json: JSONText(text), model: model,
            from: Timestamp(milliseconds: from), to: Timestamp(milliseconds: to),
            interval: .milliseconds(Int64(interval)),
            maxDataPoints: points >= 1 ? Int(min(points, Double(mostDataPoints))) : defaults.dataPoints)
    }
}

/// The time range of a request, which single queries may replace.
private struct SharedRange {
    let from: JSONValue?
    let to: JSONValue?
    let now: Int64
    var isBesideExpressions = false

    /// The range of one query in epoch milliseconds.
    func range(of model: JSONValue, refID: String) throws -> (from: Int64, to: Int64) {
        let own = model["timeRange"]?.object
        let start = try moment(own?["from"] ?? from, as: .from, refID)
        let end = try moment(own?["to"] ?? to, as: .to, refID)
        guard start <= end else { throw failure("it starts after it ends", refID) }
        return (start, end)
    }

    private func moment(_ value: JSONValue?, as end: TimeExpression.End, _ refID: String) throws -> Int64 {
        let moment: Int64
        switch value {
        case .integer(let number)?: moment = number
        case .number(let number)? where abs(number) < 1e15: moment = Int64(number)
        case .string(let text)?:
            do {
                moment = try TimeExpression(text).milliseconds(now: now, as: end)
            } catch {
                throw failure(error.message, refID)
            }
        case nil where isBesideExpressions:
            throw APIError(
                .badRequest, "time range must be specified for refID \(refID)", messageID: "query.invalidTimeRange")
        default: throw failure("'from' and 'to' are needed: now-6h, epoch milliseconds or RFC 3339", refID)
        }
        guard moment.magnitude <= UInt64(TimeCalendar.latestMilliseconds) else {
            throw failure("it is beyond 1678…2261", refID)
        }
        return moment
    }

    private func failure(_ fact: String, _ refID: String) -> APIError {
        APIError(.badRequest, "Bad time range of query \(refID): \(fact)", messageID: "query.invalidTimeRange")
    }
}
