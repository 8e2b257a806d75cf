// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
import PluginABI

/// The built-in plugin `frser-sqlite-datasource`: for SQLite files, with the settings and queries of the plugin of that
/// name.
public enum SQLitePlugin {
    private static let id = "frser-sqlite-datasource"
    private static let version = "4.0.0"

    fileprivate static let definition = PluginDefinition(id: id, version: version, dataSource: SQLiteDataSource.self)

    /// The plugin's plugin.json.
    public static let descriptorJSON = """
        {
          "type": "datasource",
          "name": "SQLite",
          "id": "\(id)",
          "category": "sql",
          "metrics": true,
          "alerting": true,
          "annotations": true,
          "backend": true,
          "abi": 1,
          "info": {
            "description": "Queries SQLite database files on the server's disk",
            "author": { "name": "The project's authors" },
            "keywords": ["sqlite", "sql", "database"],
            "links": [{ "name": "Learn more", "url": "https://sqlite.org/" }],
            "version": "\(version)",
            "updated": "2026-11-28"
          },
          "dependencies": { "grafanaDependency": ">=10.0.0", "plugins": [] }
        }
        """
}

/// The entry of the plugin, in the place of `gf_entry_v1`, because it is linked into the server.
@c public func sqlite_entry(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    SQLitePlugin.definition.entry(info)
}
