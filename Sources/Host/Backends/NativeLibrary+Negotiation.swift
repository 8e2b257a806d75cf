// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI

extension NativeLibrary {
    /// Asks the entry for the plugin's description and compares it with the host and with plugin.json.
    ///
    /// - Throws: ``PluginRefusal``: each names both facts.
    static func negotiate(
        _ plugin: ValidatedPlugin, _ entry: gf_entry_fn, level: IsolationLevel, serverVersion: String
    ) throws -> UnsafePointer<gf_plugin_desc> {
        var arena = CArena()
        var info = gf_host_info()
        info.struct_size = UInt32(MemoryLayout<gf_host_info>.size)
        info.abi_minor = GF_ABI_MINOR
        info.level = UInt32(level.rawValue)
        info.name = arena.text("grafana")
        info.version = arena.text(serverVersion)
        info.has_extension = { id in HostTables.shared.table(for: String(id)) == nil ? 0 : 1 }
        guard let pointer = entry(&info), let description = adopt(pointer) else {
            throw PluginRefusal(
                .entryRefused, pluginID: plugin.id, folder: plugin.folder, found: "no description",
                expected: "a gf_plugin_desc", message: "its entry refuses this server",
                remedy: "install a version of it that works with server \(serverVersion)")
        }
        guard description.abi_needed <= GF_ABI_MINOR else {
            throw PluginRefusal(
                .abiTooNew, pluginID: plugin.id, folder: plugin.folder, found: "ABI 0.\(description.abi_needed)",
                expected: "ABI 0.\(GF_ABI_MINOR) or older", message: "it needs a newer plugin ABI than this server has",
                remedy: "update the server, or install an older version of the plugin")
        }
        try compare(plugin, "id", plugin.descriptor.id, String(description.id))
        try compare(plugin, "version", plugin.descriptor.info.version, String(description.version))
        let kind = plugin.descriptor.type == .panel ? GF_KIND_PANEL : GF_KIND_DATASOURCE
        if plugin.descriptor.type == .datasource || plugin.descriptor.type == .panel, description.kinds & kind == 0 {
            throw PluginRefusal(
                .descriptorDiffers, pluginID: plugin.id, folder: plugin.folder, found: "kinds \(description.kinds)",
                expected: "type \(plugin.descriptor.type.rawValue)",
                message: "plugin.json and the library disagree about its kind", remedy: "build both from one source")
        }
        return pointer
    }

    private static func compare(_ plugin: ValidatedPlugin, _ what: String, _ json: String, _ library: String) throws {
        // An empty version in plugin.json is a placeholder that its build did not fill in.
        guard json != library, !(what == "version" && json.isEmpty) else { return }
        throw PluginRefusal(
            .descriptorDiffers, pluginID: plugin.id, folder: plugin.folder, found: "library: '\(library)'",
            expected: "plugin.json: '\(json)'", message: "plugin.json and the library disagree about its \(what)",
            remedy: "build both from one source")
    }
}
