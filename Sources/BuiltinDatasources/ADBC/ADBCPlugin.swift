// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
import PluginABI

/// The plugin `gf-adbc-datasource`: any database that has a driver for Arrow Database Connectivity.
///
/// It loads code of others, so it is a library of its own that the server runs in a process of its own.
public enum ADBCPlugin {
    static let id = "gf-adbc-datasource"
    private static let version = "12.4.0"

    fileprivate static let definition = PluginDefinition(id: id, version: version, dataSource: ADBCDataSource.self)

    /// The plugin's plugin.json.
    public static let descriptorJSON = """
        {
          "type": "datasource",
          "name": "ADBC",
          "id": "\(id)",
          "category": "sql",
          "metrics": true,
          "alerting": true,
          "annotations": true,
          "backend": true,
          "abi": 1,
          "info": {
            "description": "Queries any database that has an Arrow Database Connectivity driver",
            "author": { "name": "The project's authors" },
            "keywords": ["adbc", "arrow", "sql", "database"],
            "links": [{ "name": "Learn more", "url": "https://arrow.apache.org/adbc/" }],
            "version": "\(version)",
            "updated": "2026-11-28"
          },
          "dependencies": { "grafanaDependency": ">=10.0.0", "plugins": [] }
        }
        """
}

/// The entry of the plugin, in the place of `gf_entry_v1`.
@c public func adbc_entry(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    ADBCPlugin.definition.entry(info)
}
