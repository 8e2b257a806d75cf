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
        let model = QueryFields(refID: query.refID, value: query.model)
        let range = try query.rangeLength()
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
