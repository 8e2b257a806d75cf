// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension Scenario {
    static let failures: [Scenario] = [
        .frames("server_error_500", "Conditional Error", stringInput: csvValuesExample) { query in
            // Grafana's plugin panics here; a crash of this one would take the server along.
            guard !query.stringInput.isEmpty else { throw PluginError(.internal, "Test Data Panic!") }
            return csvMetricValues(query)
        },
        .frames("error_with_source", "Error with source") { query in
            let isDownstream = query.text("errorSource") == "downstream"
            throw PluginError(.internal, "error", source: isDownstream ? .downstream : .plugin)
        },
    ]

    /// Scenarios that Grafana's front end produces itself; the server only lists them.
    static let frontend: [Scenario] =
        [
            ("annotations", "Annotations"), ("flame_graph", "Flame Graph"), ("grafana_api", "Grafana API"),
            ("live", "Grafana Live"), ("node_graph", "Node Graph"), ("raw_frame", "Raw Frames"), ("steps", "Steps"),
            ("streaming_client", "Streaming Client"), ("trace", "Trace"),
        ].map { Scenario(id: $0.0, name: $0.1, run: { _, _ in }) } + [
            Scenario(id: "variables-query", name: "Variables Query", isListed: false, run: { _, _ in })
        ]
}
