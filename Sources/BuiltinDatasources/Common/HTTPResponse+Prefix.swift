// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension HTTPResponse {
    /// The first bytes of the body; the rest is not read.
    func collectPrefix(_ limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await chunk in body {
            chunk.withBytes { bytes.append(contentsOf: $0.prefix(limit - bytes.count)) }
            if bytes.count >= limit { break }
        }
        return bytes
    }
}
