// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Storage

/// The fetched keys in the database, where Grafana has them as well: one key a row, and the time of the last answer.
struct PublicKeyStore: Sendable {
    static let namespace = "plugin.publickeys"
    private static let prefix = "key-"
    private static let updatedKey = "last_updated"

    let store: Storage.KeyValueStore
    /// The key id of an armored public key; nil for any other text.
    let inspect: @Sendable (String) -> String?

    /// When keys were taken last; nil: never.
    func lastUpdated() async throws -> Date? {
        guard let value = try await store.find(orgID: 0, namespace: Self.namespace, key: Self.updatedKey) else {
            return nil
        }
        return try? Date(String(decoding: value.value, as: UTF8.self), strategy: .iso8601)
    }

    /// Counts answers; 0 before the first.
    func version() async throws -> Int {
        try await store.find(orgID: 0, namespace: Self.namespace, key: Self.updatedKey)?.version ?? 0
    }

    /// Key id → armored key; what somebody else wrote there and is no key is left out.
    func keys() async throws -> [String: String] {
        var keys: [String: String] = [:]
        for name in try await store.keys(orgID: 0, namespace: Self.namespace, prefix: Self.prefix) {
            guard let value = try await store.find(orgID: 0, namespace: Self.namespace, key: name) else { continue }
            let text = String(decoding: value.value, as: UTF8.self)
            let id = String(name.dropFirst(Self.prefix.count))
            if inspect(text) == id { keys[id] = text }
        }
        return keys
    }

    /// Puts the first keys in when there are none.
    func seed(with keys: [String: String]) async throws {
        guard try await store.keys(orgID: 0, namespace: Self.namespace, prefix: Self.prefix).isEmpty else { return }
        for (id, key) in keys { try await set(Self.prefix + id, key) }
    }

    /// Takes the keys in the place of those before; keys that are no longer listed go.
    ///
    /// - Returns: whether a key came, went or changed.
    func replace(with keys: [String: String], at time: Date) async throws -> Bool {
        let before = try await self.keys()
        // New ones first: between the steps there are too many keys rather than too few.
        for (id, key) in keys where before[id] != key { try await set(Self.prefix + id, key) }
        for name in try await store.keys(orgID: 0, namespace: Self.namespace, prefix: Self.prefix)
        where keys[String(name.dropFirst(Self.prefix.count))] == nil {
            try await store.delete(orgID: 0, namespace: Self.namespace, key: name)
        }
        try await set(Self.updatedKey, time.formatted(.iso8601))
        return before != keys
    }

    private func set(_ key: String, _ value: String) async throws {
        try await store.set(orgID: 0, namespace: Self.namespace, key: key, to: Array(value.utf8))
    }
}
