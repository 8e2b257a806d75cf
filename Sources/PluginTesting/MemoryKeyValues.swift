// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import PluginHost
internal import Synchronization

/// The persistent memory of a plugin for the length of a run.
final class MemoryKeyValues: KeyValueBackend {
    private let values = Mutex<[String: [String: (value: [UInt8], version: Int64)]]>([:])

    func get(scope: String, key: String) throws -> (value: [UInt8], version: Int64)? {
        values.withLock { $0[scope]?[key] }
    }

    func put(scope: String, key: String, value: [UInt8], version: Int64?) throws -> Int64 {
        try values.withLock { values in
            let stored = values[scope]?[key]?.version ?? 0
            if let version, version != stored { throw PluginError(.state, "version \(stored) is stored") }
            values[scope, default: [:]][key] = (value, stored + 1)
            return stored + 1
        }
    }

    func remove(scope: String, key: String) throws { values.withLock { $0[scope]?[key] = nil } }

    func keys(scope: String, prefix: String) throws -> [String] {
        values.withLock { ($0[scope] ?? [:]).keys.filter { $0.hasPrefix(prefix) }.sorted() }
    }

    func totalBytes(scope: String) throws -> Int {
        values.withLock { ($0[scope] ?? [:]).reduce(0) { $0 + $1.key.utf8.count + $1.value.value.count } }
    }
}
