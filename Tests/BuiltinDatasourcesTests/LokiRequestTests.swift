// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct LokiRequestTests {
    /// A query of one hour and half a millisecond.
    private func query(_ model: JSONValue, milliseconds interval: Int = 2000) throws -> LokiQuery {
        try LokiQuery(
            DataQuery(
                refID: "A", json: JSONText(model.encoded()), model: model,
                from: Timestamp(nanoseconds: 1_700_000_000_000_000_000),
                to: Timestamp(nanoseconds: 1_700_003_600_000_500_000), interval: .milliseconds(interval),
                maxDataPoints: 100))
    }

    private func parameters(_ model: JSONValue) throws -> [String] {
        try query(model).parameters.map { "\($0.name)=\($0.value)" }
    }

    @Test func rangeQueryHasNanosecondsAndAStep() throws {
        let all = try parameters(["expr": "{a=\"b\"}", "maxLines": 20, "direction": "forward", "step": "1m"])

        #expect(
            all == [
                "query={a=\"b\"}", "direction=forward", "limit=20", "start=1700000000000000000",
                "end=1700003600000500000", "step=60000ms",
            ])
    }

    @Test func instantQueryHasTheEndOfTheRange() throws {
        let all = try parameters(["expr": "vector(1)", "queryType": "instant", "direction": "scan"])

        #expect(all == ["query=vector(1)", "direction=backward", "time=1700003600000500000"])
    }

    @Test(
        arguments: [
            // The interval of the panel; a safe step for long ranges; a step of the query, which is taken as it is.
            (["intervalMs": 2000], 2000, 2000),
            (["resolution": 5], 2000, 10_000),
            (["resolution": 7], 2000, 2000),
            ([:], 1, 328),
            (["step": "15s"], 2000, 15_000),
            (["step": "15s", "resolution": 2], 2000, 30_000),
            (["step": "<5m"], 2000, 300_000),
            (["step": "7"], 2000, 7000),
        ] as [(JSONValue, Int, Int64)])
    func steps(model: JSONValue, interval: Int, step: Int64) throws {
        var model = model
        model["expr"] = "x"

        #expect(try query(model, milliseconds: interval).step.milliseconds == step)
    }

    @Test(arguments: [
        ("rate({a=\"b\"}[$__interval])", "rate({a=\"b\"}[2s])"),
        ("[${__interval_ms}ms] [$__range] [$__range_s] [${__range_ms}]", "[2000ms] [3600s] [3600] [3600000]"),
        ("rate({a=\"b\"}[$__auto])", "rate({a=\"b\"}[30s])"),
        ("$other $__from", "$other $__from"),
    ])
    func variablesOfARange(expression: String, replaced: String) throws {
        #expect(try query(["expr": .string(expression), "step": "30s"]).expression == replaced)
    }

    @Test func automaticRangeOfAnInstant() throws {
        let query = try query(["expr": "count_over_time({a=\"b\"}[$__auto])", "queryType": "instant"])

        #expect(query.expression == "count_over_time({a=\"b\"}[3600s])")
    }

    @Test(
        arguments: [
            ("logsVolume", "Source=logvolhist"), ("logsSample", "Source=logsample"),
            ("dataSample", "Source=datasample"),
            ("infiniteScroll", "Source=infinitescroll"), ("mine", "Source=mine"), ("", nil),
        ] as [(String, String?)])
    func queriesSayWhatTheyAreFor(type: String, tags: String?) throws {
        let headers = try query(["expr": "x", "supportingQueryType": .string(type)]).headers

        #expect(headers["X-Query-Tags"] == tags)
        #expect(headers["X-Loki-Response-Encoding-Flags"] == "categorize-labels")
    }

    @Test(
        arguments: [
            (["queryType": "stream"], "invalid queryType: stream"),
            (["direction": "sideways"], "invalid queryDirection: sideways"),
            (["step": "$__interval"], "the step \"$__interval\""),
            (["step": "0s"], "the step is 0s"),
            (["maxLines": -1], "\"maxLines\""),
            (["maxLines": "many"], "\"maxLines\" is not a number"),
            (["expr": 5], "\"expr\" is not a text"),
            (["legendFormat": []], "\"legendFormat\" is not a text"),
        ] as [(JSONValue, String)])
    func badFieldIsNamed(model: JSONValue, part: String) {
        let error = #expect(throws: PluginError.self) { try query(model) }

        #expect(error?.code == .invalid && error?.source == .user)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test func urlHasTheCustomParametersBehindTheQuery() throws {
        let settings = try LokiSettings(jsonData: ["customQueryParameters": "a=1&b=x%26y", "lokiLogsDataplane": true])

        let request = settings.request("query", [("query", "{a=\"ü\"} |= `x`")], headers: ["X": "1"])

        #expect(request.method == "GET" && request.headers["X"] == "1")
        #expect(request.url == "loki/api/v1/query?query=%7Ba%3D%22%C3%BC%22%7D+%7C%3D+%60x%60&a=1&b=x%26y")
        #expect(settings.usesLogsDataplane)
    }

    @Test(arguments: [["customQueryParameters": 1], ["lokiLogsDataplane": "yes"]] as [JSONValue])
    func badSettingIsNamed(jsonData: JSONValue) {
        let error = #expect(throws: PluginError.self) { try LokiSettings(jsonData: jsonData) }

        #expect(error?.message.contains(jsonData.object?.keys.first ?? "?") == true)
    }

    @Test(arguments: [
        ("labels", true), ("label/app/values", true), ("label/a%2Fb/values", true), ("series", true),
        ("index/stats", true), ("index/volume", true), ("index/volume_range", true), ("patterns", true),
        ("detected_labels", true), ("detected_fields", true), ("detected_field/level/values", true),
        ("drilldown-limits", true), ("label/", false), ("labels/x", false), ("push", false), ("delete", false),
        ("query_range", false), ("label/../push", false), ("label/%2e%2E/push", false), ("rules", false), ("", false),
    ])
    func onlyWhatClientsNeedIsPassedOn(path: String, isAllowed: Bool) {
        #expect(LokiDataSource.isAllowed(path) == isAllowed)
    }

    @Test func descriptorIsJSON() throws {
        let descriptor = try JSONValue(parsing: Array(LokiPlugin.descriptorJSON.utf8))

        #expect(descriptor["id"]?.string == "loki" && descriptor["category"]?.string == "logging")
        #expect(descriptor["streaming"]?.bool == true && descriptor["alerting"]?.bool == true)
        #expect(descriptor["routes"]?.array?.count == 27)
    }
}
