// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import NIOHTTP1

// PluginABI names the client and the headers that it gives to plugins like these.

/// The client of the data source proxy.
typealias ProxyClient = AsyncHTTPClient.HTTPClient
/// The header fields of its requests.
typealias ProxyHeaders = NIOHTTP1.HTTPHeaders
