// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One query, ready to be sent: the step is computed and the variables are replaced.
struct PrometheusQuery: Sendable, Equatable {
    /// PromQL after replacement.
    var expression: String
    /// More than zero.
    var step: Interval
    var from: Timestamp
    var to: Timestamp
    var isRange: Bool
    var isInstant: Bool
    var isExemplar: Bool
    var legendFormat: String
    /// Seconds that the steps are shifted by.
    var utcOffset: Int64

    /// The calls in the order of their frames.
    var calls: [PrometheusCall] {
        (isInstant ? [.instant] : []) + (isRange ? [.range] : []) + (isExemplar ? [.exemplar] : [])
    }
}

/// An endpoint that a query asks.
enum PrometheusCall: String, Sendable {
    case instant = "Instant"
    case range = "Range"
    case exemplar = "Exemplar"

    var path: String {
        switch self {
        case .instant: "api/v1/query"
        case .range: "api/v1/query_range"
        case .exemplar: "api/v1/query_exemplars"
        }
    }
}

// MARK: - Reading

extension PrometheusQuery {
    /// Reads the query object of a panel.
    ///
    /// - Parameter scrapeInterval: The interval string of the data source.
    /// - Throws: ``PluginError`` `.invalid` that names the field which does not fit.
    init(_ query: DataQuery, scrapeInterval: String) throws {
        let model = QueryModel(refID: query.refID, value: query.model)
        let range = try Self.range(of: query)
        let interval = try model.text("interval")
        let offset = try model.integer("utcOffsetSec")
        guard abs(offset) <= 7 * 86_400 else { throw model.misfit("utcOffsetSec", "a number of seconds within a week") }
        let rule = StepRule(
            range: range, maxDataPoints: Int64(query.maxDataPoints), interval: interval,
            intervalMilliseconds: try model.integer("intervalMs"), factor: try model.integer("intervalFactor"),
            scrapeInterval: scrapeInterval)
        do {
            step = try rule.step()
        } catch {
            throw PluginError(.invalid, "query \(query.refID): \(error)")
        }
        guard step > .zero else {
            throw PluginError(.invalid, "query \(query.refID): the step is \(step.goText); use a positive interval")
        }
        expression = rule.replaceVariables(in: try model.text("expr"), step: step)
        from = query.from
        to = query.to
        let wantsRange = try model.flag("range")
        isInstant = try model.flag("instant")
        isRange = wantsRange || !isInstant
        isExemplar = try model.flag("exemplar")
        legendFormat = try model.text("legendFormat")
        utcOffset = offset
    }

    private static func range(of query: DataQuery) throws -> Interval {
        let (length, overflow) = query.to.nanoseconds.subtractingReportingOverflow(query.from.nanoseconds)
        guard !overflow, length >= 0 else {
            throw PluginError(.invalid, "query \(query.refID): the time range ends before it starts")
        }
        return Interval(nanoseconds: length)
    }
}

/// The fields of a query object, with errors that name the field.
private struct QueryModel {
    var refID: String
    var value: JSONValue

    func text(_ key: String) throws -> String {
        guard let field = value[key], !field.isNull else { return "" }
        guard let text = field.string else { throw misfit(key, "a text") }
        return text
    }

    func flag(_ key: String) throws -> Bool {
        guard let field = value[key], !field.isNull else { return false }
        guard let flag = field.bool else { throw misfit(key, "true or false") }
        return flag
    }

    func integer(_ key: String) throws -> Int64 {
        guard let field = value[key], !field.isNull else { return 0 }
        guard let number = field.double, let integer = Int64(exactly: number.rounded(.towardZero)) else {
            throw misfit(key, "a number")
        }
        return integer
    }

    func misfit(_ key: String, _ expected: String) -> PluginError {
        PluginError(.invalid, "query \(refID): the field \"\(key)\" is not \(expected)")
    }
}

// MARK: - Requests

extension PrometheusQuery {
    /// The parameters of a call; times in decimal Unix seconds.
    ///
    /// Start and end of a range are both rounded down to the step, so that a panel that is refreshed keeps its points.
    func parameters(of call: PrometheusCall, timeout: String) -> [FormEncoding.Pair] {
        var pairs: [FormEncoding.Pair] = [("query", expression)]
        switch call {
        case .instant:
            pairs.append(("time", Interval(nanoseconds: to.nanoseconds).secondsText))
        case .range:
            pairs.append(("start", aligned(from).secondsText))
            pairs.append(("end", aligned(to).secondsText))
            pairs.append(("step", step.secondsText))
        case .exemplar:
            pairs.append(("start", aligned(from).secondsText))
            pairs.append(("end", aligned(to).secondsText))
        }
        if call != .exemplar, !timeout.isEmpty { pairs.append(("timeout", timeout)) }
        return pairs
    }

    /// `floor((t + offset) / step) · step - offset`, as time since 1970.
    func aligned(_ time: Timestamp) -> Interval {
        let offset = Interval.seconds(utcOffset)
        let shifted = (Interval(nanoseconds: time.nanoseconds) + offset).nanoseconds
        let floor = Interval(nanoseconds: floorDivide(shifted, step.nanoseconds)) * step.nanoseconds
        return floor + offset * -1
    }

    /// What the query inspector shows.
    var executedQueryString: String { "Expr: \(expression)\nStep: \(step.goText)" }
}
