// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Storage

struct PluginTrustStoreTests {
    private static let first = String(repeating: "A1", count: 20)
    private static let second = String(repeating: "B2", count: 20)

    @Test func anEmptyDatabaseTrustsNobody() async throws {
        try await withStores { stores, _ in
            let trust = try await stores.pluginTrust.find()

            #expect(trust == PluginTrust(revision: 0, keys: [], revocations: nil))
            #expect(try await stores.pluginTrust.revision() == 0)
        }
    }

    @Test func keysComeChangeAndGoAndEachChangeCounts() async throws {
        try await withStores { stores, clock in
            let trust = stores.pluginTrust
            #expect(try await trust.setKey(fingerprint: Self.second, content: "two"))
            #expect(try await trust.setKey(fingerprint: Self.first, content: "one"))
            clock.advance(seconds: 5)

            #expect(try await trust.setKey(fingerprint: Self.first, content: "one, wider"))
            #expect(try await trust.setKey(fingerprint: Self.first, content: "one, wider") == false)
            let both = try await trust.find()
            #expect(try await trust.removeKey(fingerprint: Self.second))
            #expect(try await trust.removeKey(fingerprint: Self.second) == false)
            let one = try await trust.find()

            #expect(both.revision == 3)
            #expect(both.keys.map(\.fingerprint) == [Self.first, Self.second])
            #expect(both.keys.map(\.content) == ["one, wider", "two"])
            #expect(both.keys[0].updated.timeIntervalSince(both.keys[0].created) == 5)
            #expect(one.revision == 4 && one.keys.map(\.fingerprint) == [Self.first])
        }
    }

    @Test func serialsOfRevocationsOnlyRise() async throws {
        try await withStores { stores, _ in
            let trust = stores.pluginTrust
            let list = PluginRevocations(serial: 5, content: "five")
            #expect(try await trust.setRevocations(list))
            #expect(try await trust.setRevocations(list) == false)

            for (serial, content) in [(4, "four"), (5, "other")] {
                let older = PluginRevocations(serial: Int64(serial), content: content)
                let code = try await storageErrorCode { try await trust.setRevocations(older) }
                #expect(code == .versionMismatch)
            }
            #expect(try await trust.find() == PluginTrust(revision: 1, keys: [], revocations: list))
            #expect(try await trust.setRevocations(PluginRevocations(serial: 9, content: "nine")))
            #expect(try await trust.find().revocations?.serial == 9)
        }
    }

    @Test(arguments: ["", "ABC", String(repeating: "a1", count: 20), String(repeating: "G1", count: 20), "../" + first])
    func whatIsNoFingerprintIsRefused(fingerprint: String) async throws {
        try await withStores { stores, _ in
            let code = try await storageErrorCode {
                try await stores.pluginTrust.setKey(fingerprint: fingerprint, content: "key")
            }

            #expect(code == .invalidValue)
            #expect(try await stores.pluginTrust.revision() == 0)
        }
    }

    @Test(arguments: ["", String(repeating: "x", count: PluginTrustStore.largestContent + 1)])
    func emptyAndHugeTextsAreRefused(content: String) async throws {
        try await withStores { stores, _ in
            let key = try await storageErrorCode {
                try await stores.pluginTrust.setKey(fingerprint: Self.first, content: content)
            }
            let list = try await storageErrorCode {
                try await stores.pluginTrust.setRevocations(PluginRevocations(serial: 1, content: content))
            }

            #expect(key == .invalidValue && list == .invalidValue)
        }
    }

    /// Another program with the same database file, as `grafana-cli` is beside a server.
    @Test func whoSharesTheDatabaseSeesTheChange() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        let server = try await Stores.open(path: path, secretKey: Secret("key"))
        var options = DatabaseOptions()
        options.role = .tool
        let tool = try await Stores.open(path: path, secretKey: Secret("key"), options: options)

        try await tool.pluginTrust.setKey(fingerprint: Self.first, content: "one")

        #expect(try await server.pluginTrust.revision() == 1)
        #expect(try await server.pluginTrust.find().keys.map(\.content) == ["one"])
        await tool.close()
        await server.close()
    }

    @Test func ofManyListsAtOnceTheHighestStays() async throws {
        try await withStores { stores, _ in
            let trust = stores.pluginTrust
            await withTaskGroup(of: Void.self) { group in
                for serial in (1...20).shuffled() {
                    group.addTask {
                        let list = PluginRevocations(serial: Int64(serial), content: "\(serial)")
                        _ = try? await trust.setRevocations(list)
                    }
                }
            }

            let kept = try await trust.find().revocations
            #expect(kept == PluginRevocations(serial: 20, content: "20"))
        }
    }
}
