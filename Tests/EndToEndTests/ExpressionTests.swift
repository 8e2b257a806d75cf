// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// Expressions over TestData and a real Prometheus in one request.
    struct ExpressionTests {}
}

extension EndToEnd.ExpressionTests {
    private func expression(_ refID: String, _ type: String, _ text: String, _ more: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = [
            "refId": .string(refID), "datasource": ["uid": "__expr__"], "type": .string(type),
            "expression": .string(text),
        ]
        for (key, value) in more { object[key] = value }
        return .object(object)
    }

    private func values(_ answer: HTTPAnswer, _ refID: String, _ field: Int) -> [JSONValue] {
        answer.json["results"]?[refID]?["frames"]?[0]?.values(field) ?? []
    }

    @Test func sourcesMixInOneRequest() async throws {
        let bulk = RealPrometheus.Bulk(seriesCount: 3, stepCount: 101)
        try await RealPrometheus.withPrometheus(bulk: bulk) { prometheus in
            try await GrafanaHome.withServer(["feature_toggles.enable=sqlExpressions"]) { server, _ in
                try server.addDataSource("prom", type: "prometheus", ["url": .string(prometheus.url)])
                try server.addDataSource("test", type: "grafana-testdata-datasource")
                try check(server, bulk)
            }
        }
    }

    private func check(_ server: GrafanaServer, _ bulk: RealPrometheus.Bulk) throws {
        let prometheus: JSONValue = [
            "refId": "P", "datasource": ["uid": "prom"], "expr": "bulk_value", "range": true, "hide": true,
            "interval": "15s", "intervalMs": 15000, "maxDataPoints": 101,
        ]
        let table: JSONValue = [
            "refId": "T", "datasource": ["uid": "test"], "scenarioId": "csv_content", "hide": true,
            "csvContent": "factor\n10",
        ]
        let broken: JSONValue = [
            "refId": "X", "datasource": ["uid": "prom"], "expr": "bulk_value(", "range": true,
        ]
        let queries: [JSONValue] = [
            prometheus, table, broken,
            expression("S", "reduce", "P", ["reducer": "sum"]), expression("M", "math", "$S * $T - $S * 10"),
            expression("C", "reduce", "P", ["reducer": "count"]),
            expression("Q", "sql", "SELECT count(*) AS n, count(DISTINCT __metric_name__) AS m FROM P"),
            expression("D", "math", "$X + 1"),
        ]
        let answer = try server.send(
            "POST", "/api/ds/query",
            [
                "from": .string("\(bulk.start * 1000)"), "to": .string("\(bulk.end * 1000)"),
                "queries": .array(queries),
            ])

        #expect(answer.status == 400)
        let results = answer.json["results"]
        #expect(results?.object?.keys == ["C", "D", "M", "Q", "S", "X"], "\(answer.text)")
        let counts = results?["C"]?["frames"]?.array?.map { $0.values(0) }
        #expect(counts == [[101], [101], [101]], "\(answer.text)")
        #expect(results?["M"]?["frames"]?.array?.map { $0.values(0) } == [[0], [0], [0]])
        #expect(values(answer, "Q", 0) == [303], "\(answer.text)")
        #expect(results?["X"]?["errorSource"]?.string == "downstream")
        #expect(results?["X"]?["error"]?.string?.hasPrefix("[sse.dataQueryError] failed to execute query [X]") == true)
        #expect(results?["D"]?["error"]?.string?.hasPrefix("[sse.dependencyError]") == true)
    }
}
