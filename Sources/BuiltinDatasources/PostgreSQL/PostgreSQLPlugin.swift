// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
import PluginABI

/// The built-in plugin `grafana-postgresql-datasource`: for PostgreSQL and servers that speak its protocol.
public enum PostgreSQLPlugin {
    private static let id = "grafana-postgresql-datasource"
    private static let version = "1.0.0"

    fileprivate static let definition = PluginDefinition(
        id: id, version: version, dataSource: PostgreSQLDataSource.self)

    /// The plugin's plugin.json.
    public static let descriptorJSON = """
        {
          "type": "datasource",
          "name": "PostgreSQL",
          "id": "\(id)",
          "aliasIDs": ["postgres"],
          "category": "sql",
          "metrics": true,
          "logs": true,
          "alerting": true,
          "annotations": true,
          "backend": true,
          "abi": 1,
          "queryOptions": { "minInterval": true },
          "info": {
            "description": "Queries PostgreSQL and compatible databases such as TimescaleDB",
            "author": { "name": "The project's authors" },
            "keywords": ["postgres", "postgresql", "sql", "database"],
            "links": [{ "name": "Learn more", "url": "https://www.postgresql.org/" }],
            "version": "\(version)",
            "updated": "2026-11-28"
          },
          "dependencies": { "grafanaDependency": ">=10.0.0", "plugins": [] }
        }
        """
}

/// The entry of the plugin, in the place of `gf_entry_v1`, because it is linked into the server.
@c public func postgresql_entry(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    PostgreSQLPlugin.definition.entry(info)
}
