// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct PrometheusStepTests {
    private func rule(
        hours: Int64 = 48, points: Int64 = 0, interval: String = "", milliseconds: Int64 = 0, factor: Int64 = 0,
        scrape: String = "15s"
    ) -> StepRule {
        StepRule(
            range: .hour * hours, maxDataPoints: points, interval: interval, intervalMilliseconds: milliseconds,
            factor: factor, scrapeInterval: scrape)
    }

    @Test(arguments: [
        (48, 0, "", 0, 0, "15s", "2m0s"),  // 115.2 s rounded
        (1, 0, "", 0, 0, "15s", "15s"),  // bounded by the scrape interval
        (1, 0, "", 1000, 0, "15s", "2s"),  // intervalMs takes its place: 2.4 s rounded
        (1, 0, "", 60_000, 0, "15s", "1m0s"),
        (1, 0, "2m", 1000, 0, "15s", "2m0s"),
        (1, 0, "0s", 5000, 0, "15s", "5s"),
        (1, 0, "", 0, 0, "", "15s"),
        (1, 0, "<45s", 0, 0, "15s", "45s"),
        (1, 0, "7", 0, 0, "15s", "7s"),  // not rounded
        (48, 0, "", 0, 10, "15s", "20m0s"),
        (1, 100, "", 1000, 2, "15s", "1m0s"),
        (2400, 1_000_000, "1s", 0, 0, "15s", "15m0s"),  // 11,000 points: 785 s rounded
        (1, 0, "$__interval", 1000, 0, "15s", "2s"),
        (1, 0, "${__interval_ms}", 1000, 0, "15s", "2s"),
        (1, 0, "$__rate_interval", 1000, 7, "15s", "1m0s"),  // the factor does not count
        (48, 0, "${__rate_interval}", 120_000, 1, "15s", "2m15s"),
    ])
    func stepFollowsTheRule(
        hours: Int64, points: Int64, interval: String, milliseconds: Int64, factor: Int64, scrape: String, step: String
    ) throws {
        let rule = rule(
            hours: hours, points: points, interval: interval, milliseconds: milliseconds, factor: factor, scrape: scrape
        )

        #expect(try rule.step().goText == step)
    }

    @Test func badIntervalIsAnError() {
        #expect(throws: IntervalError("time: unknown unit \"x\" in duration \"1x\"")) {
            try rule(interval: "1x").step()
        }
    }

    @Test(arguments: [
        ("rate(a[$__interval])", "rate(a[2m])"),
        ("a[${__interval}] $__interval_ms", "a[2m] 120000"),
        ("a[$__range] $__range_s ${__range_ms}", "a[172800s] 172800 172800000"),
        ("rate(a[$__rate_interval])", "rate(a[1m0s])"),
        ("$__rate_interval_ms ${__rate_interval_ms}", "60000 60000"),
        ("$other ${other} $", "$other ${other} $"),
    ])
    func variablesAreReplaced(expression: String, result: String) throws {
        let rule = rule()

        #expect(rule.replaceVariables(in: expression, step: try rule.step()) == result)
    }

    @Test(arguments: [
        ("", 0, "15s", "1m0s"), ("", 60_000, "15s", "1m15s"), ("", 120_000, "30s", "2m30s"), ("30s", 0, "15s", "2m0s"),
        ("$__interval", 60_000, "15s", "8m0s"), ("$__rate_interval", 120_000, "15s", "2m15s"), ("", 0, "bad", "0s"),
    ])
    func rateInterval(interval: String, milliseconds: Int64, scrape: String, result: String) throws {
        let rule = rule(interval: interval, milliseconds: milliseconds, scrape: scrape)
        let step = interval.isEmpty || interval == "30s" ? Interval.seconds(120) : try rule.step()

        #expect(rule.rateInterval(step: step).goText == result)
    }

    private func query(_ model: JSONValue, from: Double = 1_641_889_530.5, to: Double = 1_641_893_131.123) -> DataQuery
    {
        DataQuery(
            refID: "A", json: JSONText(model.encoded()), model: model, from: Timestamp(seconds: from),
            to: Timestamp(seconds: to), interval: .seconds(1), maxDataPoints: 0)
    }

    private func text(_ pairs: [FormEncoding.Pair]) -> String {
        pairs.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
    }

    @Test func rangeIsAlignedAndInstantIsNot() throws {
        let query = try PrometheusQuery(
            query(["expr": "up", "range": true, "instant": true, "exemplar": true, "interval": "1m"]),
            scrapeInterval: "15s")

        #expect(query.calls == [.instant, .range, .exemplar])
        #expect(text(query.parameters(of: .instant, timeout: "")) == "query=up time=1641893131.123")
        #expect(
            text(query.parameters(of: .range, timeout: "10s"))
                == "query=up start=1641889500 end=1641893100 step=60 timeout=10s")
        #expect(
            text(query.parameters(of: .exemplar, timeout: "10s")) == "query=up start=1641889500 end=1641893100")
    }

    @Test func offsetShiftsTheSteps() throws {
        let query = try PrometheusQuery(
            query(["expr": "up", "interval": "1d", "utcOffsetSec": 3600]), scrapeInterval: "15s")

        #expect(
            text(query.parameters(of: .range, timeout: "")) == "query=up start=1641855600 end=1641855600 step=86400")
    }

    @Test func fractionalStep() throws {
        let query = try PrometheusQuery(
            query(["expr": "up", "intervalMs": 500], from: 10.7, to: 20), scrapeInterval: "15s")

        #expect(text(query.parameters(of: .range, timeout: "")) == "query=up start=10.5 end=20 step=0.5")
    }

    @Test func rangeIsTheDefault() throws {
        #expect(try PrometheusQuery(query(["expr": "up"]), scrapeInterval: "").calls == [.range])
        #expect(try PrometheusQuery(query(["instant": true]), scrapeInterval: "").calls == [.instant])
    }

    @Test func dataSourceMayBeAText() throws {
        #expect(try PrometheusQuery(query(["expr": "up", "datasource": "x"]), scrapeInterval: "").expression == "up")
    }

    @Test(
        arguments: [
            (["expr": 1], "the field \"expr\" is not a text"),
            (["range": "yes"], "the field \"range\" is not true or false"),
            (["intervalMs": []], "the field \"intervalMs\" is not a number"),
            (["intervalMs": 1e300], "the field \"intervalMs\" is not a number"),
            (["interval": "x"], "time: invalid duration \"x\""),
            (["interval": "1s", "intervalFactor": -1], "the step is"),
            (["interval": "$__rate_interval"], "the step is 0s"),
            (["utcOffsetSec": 1e12], "utcOffsetSec"),
        ] as [(JSONValue, String)])
    func badFieldIsNamed(model: JSONValue, part: String) {
        let error = #expect(throws: PluginError.self) {
            try PrometheusQuery(query(model), scrapeInterval: part == "the step is 0s" ? "bad" : "15s")
        }
        if part != "the step is 0s" { #expect(error?.message.contains(part) == true) }
        #expect(error?.code == .invalid)
    }

    @Test func extremeNumbersDoNotTrap() throws {
        for factor in [Int64.max, Int64.min, -1, 1] {
            for milliseconds in [Int64.max, Int64.min, 1] {
                let model: JSONValue = [
                    "expr": "$__range $__rate_interval", "intervalMs": .integer(milliseconds),
                    "intervalFactor": .integer(factor),
                ]
                var extreme = query(model)
                extreme.from = Timestamp(nanoseconds: 0)
                extreme.to = Timestamp(nanoseconds: .max)
                let prepared = try? PrometheusQuery(extreme, scrapeInterval: "290y")
                _ = prepared?.parameters(of: .range, timeout: "")
                extreme.from = Timestamp(nanoseconds: .min)
                #expect(throws: PluginError.self) { try PrometheusQuery(extreme, scrapeInterval: "15s") }
            }
        }
    }
}
