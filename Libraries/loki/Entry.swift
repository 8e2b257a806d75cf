// SPDX-License-Identifier: Apache-2.0
import BuiltinDatasources
public import CPluginABI

/// The entry of the library, which answers as the linked plugin does.
@c @implementation public func gf_entry_v1(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    loki_entry(info)
}
