// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import PluginHost
internal import Synchronization

/// `gf.kv/1` where the host has no store for plugins: it lasts as long as the process.
final class MemoryKeyValues: KeyValueBackend {
    private let scopes = Mutex<[String: [String: (value: [UInt8], version: Int64)]]>([:])

    func get(scope: String, key: String) -> (value: [UInt8], version: Int64)? {
        scopes.withLock { $0[scope]?[key] }
    }

    func put(scope: String, key: String, value: [UInt8], version: Int64?) throws -> Int64 {
        try scopes.withLock { scopes in
            let stored = scopes[scope]?[key]?.version ?? 0
            if let version, version != stored {
                throw PluginError(
                    .state, "the key '\(key)' has version \(stored) and not \(version); read it again", source: .host)
            }
            scopes[scope, default: [:]][key] = (value, stored + 1)
            return stored + 1
        }
    }

    func remove(scope: String, key: String) {
        scopes.withLock { _ = $0[scope]?.removeValue(forKey: key) }
    }

    func keys(scope: String, prefix: String) -> [String] {
        scopes.withLock { $0[scope]?.keys.filter { $0.hasPrefix(prefix) }.sorted() ?? [] }
    }

    func totalBytes(scope: String) -> Int {
        scopes.withLock { scopes in
            scopes[scope]?.reduce(0) { $0 + $1.key.utf8.count + $1.value.value.count } ?? 0
        }
    }
}
