// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
import PluginABI

/// The built-in plugin `prometheus`: for Prometheus and every server that speaks its API.
public enum PrometheusPlugin {
    private static let id = "prometheus"
    private static let version = "1.0.0"

    fileprivate static let definition = PluginDefinition(
        id: id, version: version, dataSource: PrometheusDataSource.self)

    /// The plugin's plugin.json.
    public static let descriptorJSON = """
        {
          "type": "datasource",
          "name": "Prometheus",
          "id": "\(id)",
          "category": "tsdb",
          "metrics": true,
          "alerting": true,
          "annotations": true,
          "backend": true,
          "multiValueFilterOperators": true,
          "abi": 1,
          "queryOptions": { "minInterval": true },
          "info": {
            "description": "Queries Prometheus and servers with the same API, such as VictoriaMetrics, Mimir and Thanos",
            "author": { "name": "The project's authors" },
            "keywords": ["prometheus", "metrics", "time series", "monitoring"],
            "links": [{ "name": "Learn more", "url": "https://prometheus.io/" }],
            "version": "\(version)",
            "updated": "2026-01-01"
          },
          "includes": [
            { "type": "dashboard", "name": "Prometheus Stats", "path": "dashboards/prometheus_stats.json" },
            { "type": "dashboard", "name": "Prometheus 2.0 Stats", "path": "dashboards/prometheus_2_stats.json" },
            { "type": "dashboard", "name": "Grafana Stats", "path": "dashboards/grafana_stats.json" }
          ],
          "routes": [
            { "method": "POST", "path": "api/v1/query", "reqRole": "Viewer", "reqAction": "datasources:query" },
            { "method": "POST", "path": "api/v1/query_range", "reqRole": "Viewer", "reqAction": "datasources:query" },
            { "method": "POST", "path": "api/v1/series", "reqRole": "Viewer", "reqAction": "datasources:query" },
            { "method": "POST", "path": "api/v1/labels", "reqRole": "Viewer", "reqAction": "datasources:query" },
            { "method": "POST", "path": "api/v1/query_exemplars", "reqRole": "Viewer", "reqAction": "datasources:query" },
            { "method": "GET", "path": "/rules", "reqRole": "Viewer", "reqAction": "alert.rules.external:read" },
            { "method": "POST", "path": "/rules", "reqRole": "Editor", "reqAction": "alert.rules.external:write" },
            { "method": "DELETE", "path": "/rules", "reqRole": "Editor", "reqAction": "alert.rules.external:write" },
            { "method": "GET", "path": "/config/v1/rules", "reqRole": "Viewer", "reqAction": "alert.rules.external:read" },
            { "method": "POST", "path": "/config/v1/rules", "reqRole": "Editor", "reqAction": "alert.rules.external:write" },
            { "method": "DELETE", "path": "/config/v1/rules", "reqRole": "Editor", "reqAction": "alert.rules.external:write" },
            { "method": "GET", "path": "/api/v1/rules", "reqRole": "Viewer", "reqAction": "alert.rules.external:read" },
            { "method": "POST", "path": "/api/v1/rules", "reqRole": "Editor", "reqAction": "alert.rules.external:write" },
            { "method": "DELETE", "path": "/api/v1/rules", "reqRole": "Editor", "reqAction": "alert.rules.external:write" }
          ],
          "dependencies": { "grafanaDependency": ">=10.0.0", "plugins": [] }
        }
        """
}

/// The entry of the plugin, in the place of `gf_entry_v1`, because it is linked into the server.
@c public func prometheus_entry(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    PrometheusPlugin.definition.entry(info)
}
