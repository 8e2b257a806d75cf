// SPDX-License-Identifier: Apache-2.0
import Storage

/// A data source as it is stored; PluginABI has a protocol of the same name.
typealias StoredDataSource = Storage.DataSource
