// SPDX-License-Identifier: Apache-2.0
internal import PluginABI

extension DataFrame {
    /// The bytes of all buffers, for windows and budgets.
    var byteCount: Int {
        fields.reduce(0) { total, field in
            let column = field.column
            return total + column.values.byteCount + (column.offsets?.byteCount ?? 0)
                + (column.validity?.byteCount ?? 0)
        }
    }
}
