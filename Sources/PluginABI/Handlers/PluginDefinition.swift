// SPDX-License-Identifier: Apache-2.0
public import CPluginABI

/// A plugin as its library describes it: the value behind `gf_entry_v1`.
///
/// ```swift
/// private let plugin = PluginDefinition(id: "acme-sine-datasource", version: "1.0.0", dataSource: Sine.self)
///
/// @c public func gf_entry_v1(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
///     plugin.entry(info)
/// }
/// ```
public struct PluginDefinition: Sendable {
    private let tables: PluginTables

    /// - Parameters:
    ///   - id: as in plugin.json.
    ///   - version: as `info.version` in plugin.json.
    ///   - describe: the plugin's description for `gf.describe/1`, a JSON object, or empty.
    ///   - threads: the most threads that run the plugin's handlers.
    public init<Source: DataSource>(
        id: String, version: String, dataSource: Source.Type, describe: String = "", threads: Int = 4
    ) {
        tables = PluginTables(id: id, version: version, source: dataSource, describe: describe, threads: threads)
    }

    /// What `gf_entry_v1` returns.
    public func entry(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
        info == nil ? nil : tables.description
    }
}
