// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One query, ready to be sent: the step is computed and the variables are replaced.
struct LokiQuery: Sendable, Equatable {
    enum Kind: String, Sendable {
        case range, instant
    }

    enum Direction: String, Sendable {
        case backward, forward
    }

    /// LogQL after replacement.
    var expression: String
    var kind: Kind
    var direction: Direction
    /// The most lines of the answer; 0 leaves it to the server.
    var maxLines: Int64
    /// The distance of two points of a metric; whole milliseconds, more than zero.
    var step: Interval
    var legendFormat: String
    /// What the query is for, in the words of the header `X-Query-Tags`; empty for an ordinary query.
    var source: String
    var from: Timestamp
    var to: Timestamp
}

// MARK: - Reading

extension LokiQuery {
    /// Reads the query object of a panel.
    ///
    /// - Throws: ``PluginError`` `.invalid` that names the field which does not fit.
    init(_ query: DataQuery) throws {
        let model = QueryFields(refID: query.refID, value: query.model)
        let range = try query.rangeLength()
        kind = try Self.kind(try model.text("queryType"), refID: query.refID)
        direction = try Self.direction(try model.text("direction"), refID: query.refID)
        step = try Self.step(model, range: range, interval: query.interval)
        maxLines = try model.integer("maxLines")
        guard maxLines >= 0 else { throw model.misfit("maxLines", "a number of lines") }
        legendFormat = try model.text("legendFormat")
        source = Self.source(try model.text("supportingQueryType"))
        from = query.from
        to = query.to
        let interval = Interval(nanoseconds: query.interval.nanoseconds)
        let automatic = kind == .range ? step.text : "\(QueryVariables.seconds(range))s"
        expression = QueryVariables.replace(
            QueryVariables.ofInterval(interval) + QueryVariables.ofRange(range), in: try model.text("expr")
        ).replacing("$__auto", with: automatic)
    }

    private static func kind(_ text: String, refID: String) throws -> Kind {
        if text.isEmpty { return .range }
        guard let kind = Kind(rawValue: text) else {
            throw PluginError(.invalid, "query \(refID): invalid queryType: \(text); use range or instant")
        }
        return kind
    }

    private static func direction(_ text: String, refID: String) throws -> Direction {
        // `scan` walks through the range in parts, newest first; that is the client's work.
        if text.isEmpty || text == "scan" { return .backward }
        guard let direction = Direction(rawValue: text) else {
            throw PluginError(.invalid, "query \(refID): invalid queryDirection: \(text); use backward or forward")
        }
        return direction
    }

    /// More points than this Loki refuses to compute.
    private static let maximumPoints: Int64 = 11_000
    private static let resolutions: Set<Int64> = [1, 2, 3, 4, 5, 10]

    private static func step(_ model: QueryFields, range: Interval, interval: Duration) throws -> Interval {
        let asked = try model.integer("resolution")
        let resolution = resolutions.contains(asked) ? asked : 1
        let text = try model.text("step")
        let step: Interval
        if text.isEmpty {
            let wanted = Interval(nanoseconds: interval.nanoseconds) * resolution
            let least = max(wanted, Interval(nanoseconds: range.nanoseconds / maximumPoints))
            let whole = Interval(milliseconds: least.milliseconds)
            step = whole < least ? whole + Interval(milliseconds: 1) : whole
        } else {
            do {
                step = try Interval(parsingIntervalString: text) * resolution
            } catch {
                throw PluginError(.invalid, "query \(model.refID): the step \"\(text.prefix(100))\": \(error)")
            }
        }
        guard step.milliseconds > 0 else {
            throw PluginError(.invalid, "query \(model.refID): the step is \(step.goText); use at least 1ms")
        }
        return step
    }

    private static func source(_ supporting: String) -> String {
        switch supporting {
        case "logsVolume": "logvolhist"
        case "logsSample": "logsample"
        case "dataSample": "datasample"
        case "infiniteScroll": "infinitescroll"
        default: supporting
        }
    }
}

// MARK: - Requests

extension LokiQuery {
    var endpoint: String { kind == .range ? "query_range" : "query" }

    /// The parameters of the call; times in whole nanoseconds.
    var parameters: [FormEncoding.Pair] {
        var pairs: [FormEncoding.Pair] = [("query", expression), ("direction", direction.rawValue)]
        if maxLines > 0 { pairs.append(("limit", String(maxLines))) }
        switch kind {
        case .instant:
            pairs.append(("time", String(to.nanoseconds)))
        case .range:
            pairs.append(("start", String(from.nanoseconds)))
            pairs.append(("end", String(to.nanoseconds)))
            pairs.append(("step", "\(step.milliseconds)ms"))
        }
        return pairs
    }

    /// Without it, Loki merges structured metadata and parsed labels into the labels of the stream.
    static let categorizing: HTTPHeaders = ["X-Loki-Response-Encoding-Flags": "categorize-labels"]

    var headers: HTTPHeaders {
        var headers = Self.categorizing
        if !source.isEmpty { headers["X-Query-Tags"] = "Source=\(source)" }
        return headers
    }
}
