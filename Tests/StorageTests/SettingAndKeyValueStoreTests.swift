// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Storage

struct SettingAndKeyValueStoreTests {
    @Test func pluginSettingsAreSavedByParts() async throws {
        try await withStores { stores, _ in
            #expect(try await stores.pluginSettings.find(orgID: 1, pluginID: "p") == nil)
            var update = PluginSettingUpdate()
            update.isPinned = true
            update.secrets = ["key": Secret("s")]
            update.expectedVersion = 0
            let first = try await stores.pluginSettings.save(orgID: 1, pluginID: "p", update)
            let stale = try await storageErrorCode { [update] in
                _ = try await stores.pluginSettings.save(orgID: 1, pluginID: "p", update)
            }
            var disable = PluginSettingUpdate()
            disable.isEnabled = false
            let second = try await stores.pluginSettings.save(orgID: 1, pluginID: "p", disable)

            #expect(first.isEnabled && first.isPinned && first.jsonData == "{}" && first.version == 1)
            #expect(stale == .versionMismatch)
            #expect(!second.isEnabled && second.isPinned && second.version == 2 && second.secureFieldNames == ["key"])
            #expect(try await stores.pluginSettings.secrets(orgID: 1, pluginID: "p") == ["key": Secret("s")])
            #expect(try await stores.pluginSettings.secrets(orgID: 1, pluginID: "q").isEmpty)
            #expect(try await stores.pluginSettings.list(orgID: 1) == [second])
            try await stores.pluginSettings.delete(orgID: 1, pluginID: "p")
            #expect(try await stores.pluginSettings.list(orgID: 1).isEmpty)
        }
    }

    @Test func valuesHaveVersions() async throws {
        try await withStores { stores, _ in
            let store = stores.keyValues
            #expect(try await store.set(orgID: 0, namespace: "n", key: "k", to: [], expectedVersion: 0) == 1)
            #expect(try await store.set(orgID: 0, namespace: "n", key: "k", to: [0, 255], expectedVersion: 1) == 2)
            let stale = try await storageErrorCode {
                try await store.set(orgID: 0, namespace: "n", key: "k", to: [1], expectedVersion: 1)
            }

            #expect(stale == .versionMismatch)
            #expect(try await store.find(orgID: 0, namespace: "n", key: "k") == KeyValue(value: [0, 255], version: 2))
            #expect(try await store.find(orgID: 1, namespace: "n", key: "k") == nil)
            #expect(try await store.delete(orgID: 0, namespace: "n", key: "k"))
            #expect(try await store.delete(orgID: 0, namespace: "n", key: "k") == false)
        }
    }

    @Test func aNamespaceHasAQuota() async throws {
        try await withStores { stores, _ in
            let store = stores.keyValues
            try await store.set(
                orgID: 1, namespace: "n", key: "a", to: [UInt8](repeating: 0, count: 49), quotaBytes: 100)
            try await store.set(
                orgID: 1, namespace: "n", key: "a", to: [UInt8](repeating: 0, count: 99), quotaBytes: 100)
            let over = try await storageErrorCode {
                try await store.set(orgID: 1, namespace: "n", key: "b", to: [], quotaBytes: 100)
            }
            try await store.set(orgID: 1, namespace: "other", key: "b", to: [1], quotaBytes: 100)

            #expect(over == .quotaExceeded)
            #expect(try await store.totalSize(orgID: 1, namespace: "n") == 100)
            #expect(try await store.totalSize(orgID: 1, namespace: "none") == 0)
        }
    }

    @Test func keysAreListedByPrefix() async throws {
        try await withStores { stores, _ in
            for key in ["b/2", "a", "b/1", "b%"] {
                try await stores.keyValues.set(orgID: 1, namespace: "n", key: key, to: [1])
            }
            let keys = try await stores.keyValues.keys(orgID: 1, namespace: "n", prefix: "b/")
            let empty = try await storageErrorCode {
                try await stores.keyValues.set(orgID: 1, namespace: "n", key: "", to: [])
            }

            #expect(keys == ["b/1", "b/2"])
            #expect(empty == .invalidValue)
        }
    }
}
