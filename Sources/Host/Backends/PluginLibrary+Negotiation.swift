// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI

extension PluginLibrary {
    /// Compares a description with the host and with plugin.json.
    ///
    /// - Returns: the description, completed with zeros.
    /// - Throws: ``PluginRefusal``: each names both facts.
    static func negotiate(
        _ plugin: ValidatedPlugin, _ pointer: UnsafePointer<gf_plugin_desc>
    ) throws -> gf_plugin_desc {
        guard let description = adopt(pointer) else {
            throw PluginRefusal(
                .descriptorDiffers, pluginID: plugin.id, folder: plugin.folder,
                found: "a description of \(pointer.pointee.struct_size) bytes", expected: "a gf_plugin_desc",
                message: "its description cannot be read", remedy: "ask its author for a corrected version")
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
        return description
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
