// SPDX-License-Identifier: Apache-2.0

/// The facts that the step of a query and its variables are computed from.
struct StepRule: Sendable {
    /// The length of the time range.
    var range: Interval
    /// 0 counts as 1500.
    var maxDataPoints: Int64
    /// The minimum step of the query: an interval string or one of the interval variables, may be empty.
    var interval: String
    /// The spacing of points that the panel asks for; 0 when it does not.
    var intervalMilliseconds: Int64
    /// Multiplies the step; 0 counts as 1.
    var factor: Int64
    /// The interval string of the data source; empty counts as 15 s.
    var scrapeInterval: String

    private static let rateIntervals: Set = ["$__rate_interval", "${__rate_interval}"]
    private static let intervals: Set = ["$__interval", "${__interval}"]
    private static let variables: Set = rateIntervals.union(intervals).union([
        "$__interval_ms", "${__interval_ms}", "$__rate_interval_ms", "${__rate_interval_ms}",
    ])

    /// More points than this Prometheus refuses to compute.
    private static let maximumPoints: Int64 = 11_000
    private static let defaultMaxDataPoints: Int64 = 1500

    /// The distance of two points of the answer.
    ///
    /// - Throws: ``IntervalError`` when an interval text is none.
    func step() throws -> Interval {
        let minimum = try Interval.minimum(
            dataSource: scrapeInterval, query: Self.variables.contains(interval) ? "" : interval,
            intervalMilliseconds: intervalMilliseconds, default: .seconds(15))
        let points = maxDataPoints > 0 ? maxDataPoints : Self.defaultMaxDataPoints
        let wanted = Interval(nanoseconds: range.nanoseconds / points)
        let calculated = wanted < minimum ? minimum : wanted.rounded
        let safe = Interval(nanoseconds: range.nanoseconds / Self.maximumPoints).rounded
        let step = max(calculated, safe)
        if Self.rateIntervals.contains(interval) { return Self.rate(step, scrapeInterval: scrapeInterval) }
        return step * (factor == 0 ? 1 : factor)
    }

    /// The least window over which `rate` sees two samples: `max(interval + scrape, 4 · scrape)`; zero when the scrape
    /// interval is no interval string.
    static func rate(_ interval: Interval, scrapeInterval: String) -> Interval {
        let text = scrapeInterval.isEmpty ? PrometheusSettings.defaultScrapeInterval : scrapeInterval
        guard let scrape = try? Interval(parsingIntervalString: text) else { return .zero }
        return max(interval + scrape, scrape * 4)
    }

    /// The value of `$__rate_interval`.
    func rateInterval(step: Interval) -> Interval {
        if Self.rateIntervals.contains(interval) { return step }
        var minimum = Self.intervals.contains(interval) ? step.goText : interval
        if minimum.isEmpty { minimum = scrapeInterval }
        return Self.rate(Interval(milliseconds: intervalMilliseconds), scrapeInterval: minimum)
    }

    /// The expression with the interval and range variables replaced.
    func replaceVariables(in expression: String, step: Interval) -> String {
        guard expression.utf8.contains(UInt8(ascii: "$")) else { return expression }
        let rate = rateInterval(step: step)
        return QueryVariables.replace(
            QueryVariables.ofInterval(step) + QueryVariables.ofRange(range) + [
                ("__rate_interval_ms", String(rate.milliseconds)), ("__rate_interval", rate.goText),
            ], in: expression)
    }
}
