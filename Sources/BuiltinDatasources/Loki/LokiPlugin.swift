// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
import PluginABI

/// The built-in plugin `loki`: for Grafana Loki and servers that speak its API.
public enum LokiPlugin {
    private static let id = "loki"
    private static let version = "1.0.0"

    fileprivate static let definition = PluginDefinition(id: id, version: version, dataSource: LokiDataSource.self)

    /// The plugin's plugin.json.
    public static let descriptorJSON = """
        {
          "type": "datasource",
          "name": "Loki",
          "id": "\(id)",
          "category": "logging",
          "metrics": true,
          "logs": true,
          "alerting": true,
          "annotations": true,
          "streaming": true,
          "backend": true,
          "abi": 1,
          "queryOptions": { "maxDataPoints": true },
          "info": {
            "description": "Queries logs, and metrics made of logs, of Loki and servers with the same API",
            "author": { "name": "The project's authors" },
            "keywords": ["loki", "logs", "logging", "tail"],
            "links": [{ "name": "Learn more", "url": "https://grafana.com/loki" }],
            "version": "\(version)",
            "updated": "2026-11-28"
          },
          "routes": [
        \(routes)
          ],
          "dependencies": { "grafanaDependency": ">=10.0.0", "plugins": [] }
        }
        """

    /// What the data proxy lets through.
    private static var routes: String {
        let queries = [
            ("GET", "/api/v1/query"), ("GET", "/api/v1/query_range"), ("POST", "/api/v1/query_range"),
            ("GET", "/api/v1/labels"), ("GET", "/api/v1/label"), ("GET", "/api/v1/series"), ("POST", "/api/v1/series"),
            ("GET", "/api/v1/index/stats"), ("GET", "/api/v1/index/volume"), ("GET", "/api/v1/index/volume_range"),
            ("GET", "/api/v1/patterns"), ("GET", "/api/v1/tail"), ("GET", "/api/v1/status/buildinfo"),
            ("GET", "/api/v1/format_query"), ("POST", "/api/v1/format_query"),
        ].map { (method: $0.0, path: $0.1, role: "Viewer", action: "datasources:query") }
        let rules = ["/api/v1/rules", "/loki/api/v1/rules", "/rules", "/api/prom/rules"].flatMap { path in
            [("GET", "Viewer", "read"), ("POST", "Editor", "write"), ("DELETE", "Editor", "write")].map {
                (method: $0.0, path: path, role: $0.1, action: "alert.rules.external:\($0.2)")
            }
        }
        return (queries + rules).map {
            "    { \"method\": \"\($0.method)\", \"path\": \"\($0.path)\", \"reqRole\": \"\($0.role)\", "
                + "\"reqAction\": \"\($0.action)\" }"
        }.joined(separator: ",\n")
    }
}

/// The entry of the plugin, in the place of `gf_entry_v1`, because it is linked into the server.
@c public func loki_entry(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    LokiPlugin.definition.entry(info)
}
