// SPDX-License-Identifier: Apache-2.0
import BuiltinDatasources
public import CPluginABI

/// The entry of the library, which the server runs in a process of its own.
@c @implementation public func gf_entry_v1(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    adbc_entry(info)
}
