// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import PluginABI

/// How a query names its data source.
enum DataSourceReference: Sendable, Hashable {
    case uid(String)
    case name(String)
    case id(Int64)
}

/// The body of `POST /api/ds/query`, read and checked.
struct QueryRequest: Sendable {
    /// One query and the source that it goes to.
    struct Item: Sendable {
        var source: DataSourceReference
        var query: DataQuery
    }

    /// The queries that are answered, in their order: hidden ones are left out.
    var items: [Item]

    private static let defaultInterval = 1000.0
    private static let defaultDataPoints = 100
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
        let shared = SharedRange(from: root["from"], to: root["to"], now: now)
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
            let source = try Self.source(of: model) ?? Self.source(of: models[0])
            if model["hide"]?.bool == true { continue }
            guard let source else {
                throw APIError(
                    .badRequest, "Query \(refID) is missing datasource information",
                    messageID: "query.missingDataSourceInfo")
            }
            let query = try Self.query(refID, model, text, shared)
            items.append(Item(source: source, query: query))
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

    private static func source(of model: JSONValue) throws -> DataSourceReference? {
        switch model["datasource"] {
        case .string(let name)?: return name == "__expr__" ? try expression() : .name(name)
        case .object(let object)?:
            if let uid = object["uid"]?.string, !uid.isEmpty { return uid == "__expr__" ? try expression() : .uid(uid) }
        default: break
        }
        guard let id = model["datasourceId"]?.int else { return nil }
        return id == -100 ? try expression() : .id(Int64(id))
    }

    private static func expression() throws -> DataSourceReference {
        throw APIError(
            .badRequest, "Server-side expressions are not available in this version; query the data sources directly",
            messageID: "query.expressionsDisabled")
    }

    private static func query(
        _ refID: String, _ model: JSONValue, _ text: String, _ shared: SharedRange
    ) throws -> DataQuery {
        let (from, to) = try shared.range(of: model, refID: refID)
        let milliseconds = model["intervalMs"]?.double ?? 0
        let interval = milliseconds >= 1 && milliseconds < 1e12 ? milliseconds : defaultInterval
        let points = model["maxDataPoints"]?.double ?? 0
        return DataQuery(
            refID: refID, queryType: model["queryType"]?.string ?? "", json: JSONText(text), model: model,
            from: Timestamp(milliseconds: from), to: Timestamp(milliseconds: to),
            interval: .milliseconds(Int64(interval)),
            maxDataPoints: points >= 1 ? Int(min(points, Double(mostDataPoints))) : defaultDataPoints)
    }
}

/// The time range of a request, which single queries may replace.
private struct SharedRange {
    let from: JSONValue?
    let to: JSONValue?
    let now: Int64

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
