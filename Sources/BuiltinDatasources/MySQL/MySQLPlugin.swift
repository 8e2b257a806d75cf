// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
import PluginABI

/// The built-in plugin `mysql`: for MySQL and MariaDB.
public enum MySQLPlugin {
    private static let id = "mysql"
    private static let version = "1.0.0"

    fileprivate static let definition = PluginDefinition(id: id, version: version, dataSource: MySQLDataSource.self)

    /// The plugin's plugin.json.
    public static let descriptorJSON = """
        {
          "type": "datasource",
          "name": "MySQL",
          "id": "\(id)",
          "category": "sql",
          "metrics": true,
          "logs": true,
          "alerting": true,
          "annotations": true,
          "backend": true,
          "abi": 1,
          "queryOptions": { "minInterval": true },
          "info": {
            "description": "Queries MySQL, MariaDB and servers that speak their protocol",
            "author": { "name": "The project's authors" },
            "keywords": ["mysql", "mariadb", "sql", "database"],
            "links": [{ "name": "Learn more", "url": "https://mariadb.org/" }],
            "version": "\(version)",
            "updated": "2026-11-28"
          },
          "dependencies": { "grafanaDependency": ">=10.0.0", "plugins": [] }
        }
        """
}

/// The entry of the plugin, in the place of `gf_entry_v1`, because it is linked into the server.
@c public func mysql_entry(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    MySQLPlugin.definition.entry(info)
}
