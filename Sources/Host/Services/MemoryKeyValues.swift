// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import Synchronization

/// Persistent memory for plugins where the host has no store: it lasts as long as the process.
public final class MemoryKeyValues: KeyValueBackend {
    private let scopes = Mutex<[String: [String: (value: [UInt8], version: Int64)]]>([:])

    /// Empty.
    public init() {}

    /// See ``KeyValueBackend``; nil when nothing is stored.
    public func get(scope: String, key: String) -> (value: [UInt8], version: Int64)? {
        scopes.withLock { $0[scope]?[key] }
    }

    /// See ``KeyValueBackend``.
    public func put(scope: String, key: String, value: [UInt8], version: Int64?) throws -> Int64 {
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

    /// Does nothing when nothing is stored.
    public func remove(scope: String, key: String) {
        scopes.withLock { _ = $0[scope]?.removeValue(forKey: key) }
    }

    /// Ascending.
    public func keys(scope: String, prefix: String) -> [String] {
        scopes.withLock { $0[scope]?.keys.filter { $0.hasPrefix(prefix) }.sorted() ?? [] }
    }

    /// Of keys and values; nothing else is counted.
    public func totalBytes(scope: String) -> Int {
        scopes.withLock { scopes in
            scopes[scope]?.reduce(0) { $0 + $1.key.utf8.count + $1.value.value.count } ?? 0
        }
    }
}
