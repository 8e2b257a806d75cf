// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct PrometheusRequestTests {
    @Test func postHasAFormAndTheCustomParametersInTheURL() throws {
        let settings = try PrometheusSettings(jsonData: ["customQueryParameters": "?max_source_resolution=5m&a b=c%26d"]
        )

        let request = settings.request("api/v1/query", [("query", "up{a=\"ü\"} + 1"), ("time", "4")])

        #expect(request.method == "POST")
        #expect(request.url == "api/v1/query?max_source_resolution=5m&a+b=c%26d")
        #expect(String(decoding: request.body, as: UTF8.self) == "query=up%7Ba%3D%22%C3%BC%22%7D+%2B+1&time=4")
        #expect(request.headers["content-type"] == "application/x-www-form-urlencoded")
        #expect(request.headers["accept-encoding"] == "identity")
    }

    @Test func getHasAllInTheURL() throws {
        let settings = try PrometheusSettings(jsonData: ["httpMethod": "get", "customQueryParameters": "a=1"])

        let request = settings.request("api/v1/query", [("query", "up")])

        #expect(request.method == "GET")
        #expect(request.url == "api/v1/query?query=up&a=1")
        #expect(request.body.isEmpty)
    }

    @Test func defaults() throws {
        let settings = try PrometheusSettings(jsonData: ["httpMethod": "", "timeInterval": ""])

        #expect(settings == PrometheusSettings())
        #expect(settings.method == "POST")
        #expect(settings.scrapeInterval == "15s")
    }

    @Test(arguments: [["httpMethod": "PUT"], ["timeInterval": 15], ["queryTimeout": true]] as [JSONValue])
    func badSettingIsNamed(jsonData: JSONValue) {
        let error = #expect(throws: PluginError.self) { try PrometheusSettings(jsonData: jsonData) }

        #expect(error?.code == .invalid)
        #expect(error?.message.contains(jsonData.object?.keys.first ?? "?") == true)
    }

    @Test(arguments: [
        ("api/v1/labels", true), ("api/v1/label/a:b/values", true), ("api/v1/label/U__a%2Eb/values", true),
        ("../admin", false), ("api/../../x", false), ("api/%2e%2E/x", false), ("http://evil/", false),
        ("a?b", false), ("a#b", false), ("..\\x", false),
    ])
    func resourcePathsStayBelowTheURL(path: String, isBelow: Bool) {
        #expect(ResourcePath.isBelowRoot(path) == isBelow)
    }

    @Test func cachingIsAsTheCallerAsks() {
        let upstream: HTTPHeaders = ["content-type": "x", "Transfer-Encoding": "chunked", "cache-control": "no-store"]

        let plain = PrometheusDataSource.forwarded(upstream, cache: nil)
        let cached = PrometheusDataSource.forwarded(upstream, cache: "private, max-age=60")

        #expect(plain["content-type"] == "x")
        #expect(plain["transfer-encoding"] == nil)
        #expect(plain["cache-control"] == "no-store")
        #expect(cached["cache-control"] == "private, max-age=60")
        #expect(cached["x-grafana-cache"] == "y")
    }

    @Test func versionIsKeptForAMinute() {
        let cache = VersionCache()
        cache.keep([1], from: Timestamp(seconds: 100))

        #expect(cache.body(at: Timestamp(seconds: 159)) == [1])
        #expect(cache.body(at: Timestamp(seconds: 160)) == nil)
    }

    @Test func buildInfoNamesTheVersion() throws {
        let two = try #require(BuildInfo(answer: Fixtures.bytes("prometheus/status_buildinfo.json")))
        let mimir = try #require(
            BuildInfo(answer: Array(#"{"status":"success","data":{"version":"2.9","features":{"x":"true"}}}"#.utf8)))

        #expect(two.version == "2.42.0+ds")
        #expect(two.details["application"]?.string == "Prometheus")
        #expect(two.details["version"]?.string == "2.42.0+ds")
        #expect(mimir.details["application"]?.string == "Mimir")
        #expect(mimir.details["features"]?["rulerApiEnabled"]?.bool == true)
        #expect(BuildInfo(answer: Array("404 page not found".utf8)) == nil)
    }

    @Test func errorsAreJoined() {
        let error = PrometheusDataSource.joined([
            PluginError(.downstream, "e1", httpStatus: 400), PluginError(.io, "e2"),
        ])

        #expect(error?.message == "e1 e2")
        #expect(error?.httpStatus == 400)
        #expect(PrometheusDataSource.joined([]) == nil)
    }

    @Test func descriptorIsJSON() throws {
        let descriptor = try JSONValue(parsing: Array(PrometheusPlugin.descriptorJSON.utf8))

        #expect(descriptor["id"]?.string == "prometheus")
        #expect(descriptor["category"]?.string == "tsdb")
        #expect(descriptor["includes"]?.array?.count == 3)
        #expect(descriptor["routes"]?.array?.count == 14)
    }

    @Test(arguments: [
        ("sum by (job) (rate(http_total{code=\"a}b\"}[5m])) / on(x) group_left(y) up offset 5m", ["http_total", "up"]),
        ("a:b + c # d", ["a:b", "c"]),
        ("label_replace(up, \"x\", '$1', \"y\", `z`) > bool 1e5", ["up"]),
        ("rate($metric[$__interval])", []),
        ("{__name__=\"x\"}", []),
        ("rate(a[", ["a"]),
        ("\"unfinished", []),
    ])
    func metricsOfAQuery(query: String, names: [String]) {
        #expect(MetricNames.inQuery(query) == names)
    }

    @Test func suggestionAsksForTheLabelsOfAllMetrics() throws {
        let request = try #require(
            SuggestionRequest([
                "queries": ["rate(b[1m])", "a + b"], "start": "1", "end": "2", "limit": 10,
                "adhocFilters": [
                    ["key": "job", "operator": "equals", "value": "x\"y"],
                    ["key": "dc", "operator": "one-of", "values": ["a", "b"]],
                ],
            ]))
        let ofLabel = try #require(SuggestionRequest(["labelName": "a/b", "scopes": [["filters": []]]]))

        #expect(request.path == "api/v1/labels")
        #expect(
            request.parameters.map { "\($0.name)=\($0.value)" } == [
                "match[]=a{job=\"x\\\"y\",dc=~\"a|b\"}", "match[]=b{job=\"x\\\"y\",dc=~\"a|b\"}", "start=1", "end=2",
                "limit=10",
            ])
        #expect(ofLabel.path == "api/v1/label/a%2Fb/values")
        #expect(ofLabel.parameters.isEmpty)
    }
}
