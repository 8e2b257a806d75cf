// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
import PluginABI

/// The built-in plugin `grafana-testdata-datasource`.
public enum TestDataPlugin {
    private static let id = "grafana-testdata-datasource"
    private static let version = "1.0.0"

    fileprivate static let definition = PluginDefinition(id: id, version: version, dataSource: TestDataSource.self)

    /// The plugin's plugin.json.
    public static let descriptorJSON = """
        {
          "type": "datasource",
          "name": "TestData",
          "id": "\(id)",
          "aliasIDs": ["testdata"],
          "category": "other",
          "metrics": true,
          "logs": true,
          "alerting": true,
          "annotations": true,
          "backend": true,
          "abi": 1,
          "queryOptions": { "minInterval": true, "maxDataPoints": true },
          "info": {
            "description": "Generates test data in different forms",
            "author": { "name": "The project's authors" },
            "keywords": ["test", "random", "simulation"],
            "version": "\(version)",
            "updated": "2026-01-01"
          },
          "dependencies": { "grafanaDependency": ">=10.0.0", "plugins": [] }
        }
        """
}

/// The entry of the plugin, in the place of `gf_entry_v1`, because it is linked into the server.
@c public func testdata_entry(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    TestDataPlugin.definition.entry(info)
}
