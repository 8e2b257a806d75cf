// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Storage

struct SecretsTests {
    private func addSource(_ stores: Stores, _ name: String, password: String) async throws -> DataSource {
        try await stores.dataSources.add(
            orgID: 1, DataSourceFields(name: name, type: "prometheus"), secrets: ["password": Secret(password)])
    }

    @Test(arguments: ["", "p", "päss\u{0}🙂", String(repeating: "x", count: 100_000)])
    func secretsComeBack(text: String) async throws {
        try await withStores { stores, _ in
            let source = try await addSource(stores, "a", password: text)

            #expect(try await stores.dataSources.secrets(of: source) == ["password": Secret(text)])
        }
    }

    @Test func theDatabaseFilesHoldNoSecret() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        let stores = try await Stores.open(path: path, secretKey: Secret("the-secret-key"))
        _ = try await addSource(stores, "a", password: "correct horse")
        _ = try await stores.users.create(NewUser(login: "ada", password: Secret("battery staple")))
        let token = try await stores.sessions.create(userID: 1, userAgent: "", clientIP: "").token.clearText
        let files = try [path, path + "-wal"].map { try Data(contentsOf: URL(filePath: $0)) }
        await stores.close()

        for text in ["correct horse", "battery staple", "the-secret-key", token] {
            #expect(files.allSatisfy { $0.range(of: Data(text.utf8)) == nil })
        }
    }

    @Test func secretsDoNotShowInTexts() {
        let secret = Secret("hunter2")
        var dump = ""
        Swift.dump(["k": secret], to: &dump)

        #expect("\(secret) \(String(reflecting: secret)) \([secret])\(dump)".contains("hunter2") == false)
        #expect("\(secret)" == "[redacted]")
        #expect(secret == Secret("hunter2") && secret != Secret("hunter3") && secret != Secret("h"))
    }

    @Test func changedBytesDoNotOpen() async throws {
        try await withStores { stores, _ in
            let key = try await stores.secrets.currentKey(scope: "s")
            let good = try SealedValue(Secret("value"), under: key, context: "a/1/f").bytes
            for index in good.indices {
                var bad = good
                bad[index] ^= 1
                let code = try await storageErrorCode { _ = try await stores.secrets.open(["a/1/f": bad]) }
                #expect(code == .secretUnreadable)
            }
            for length in [0, 1, 10, good.count - 1] {
                let cut = Array(good.prefix(length))
                let code = try await storageErrorCode { _ = try await stores.secrets.open(["a/1/f": cut]) }
                #expect(code == .secretUnreadable)
            }
        }
    }

    @Test func secretsDoNotOpenInAnotherRowOrField() async throws {
        try await withStores { stores, _ in
            let first = try await addSource(stores, "a", password: "one")
            let second = try await addSource(stores, "b", password: "two")
            try await stores.database.write { connection in
                try connection.execute(
                    "UPDATE data_source SET secure_json_data = (SELECT secure_json_data FROM data_source WHERE id = ?) WHERE id = ?",
                    [.integer(first.id), .integer(second.id)])
            }
            #expect(
                try await storageErrorCode { _ = try await stores.dataSources.secrets(of: second) } == .secretUnreadable
            )

            try await stores.database.write { connection in
                try connection.execute(
                    "UPDATE data_source SET secure_json_data = REPLACE(secure_json_data, 'password', 'token') WHERE id = ?",
                    [.integer(first.id)])
            }
            #expect(
                try await storageErrorCode { _ = try await stores.dataSources.secrets(of: first) } == .secretUnreadable)
        }
    }

    @Test func dataKeysAreOnePerDayAndScope() async throws {
        try await withStores { stores, clock in
            let first = try await stores.secrets.currentKey(scope: "a")
            #expect(try await stores.secrets.currentKey(scope: "a").uid == first.uid)
            #expect(try await stores.secrets.currentKey(scope: "b").uid != first.uid)
            clock.advance(seconds: 20 * 60)
            #expect(try await stores.secrets.currentKey(scope: "a").uid == first.uid)
            clock.advance(seconds: 86_400)
            #expect(try await stores.secrets.currentKey(scope: "a").uid != first.uid)
        }
    }

    @Test func manyTasksAgreeOnOneDataKey() async throws {
        try await withStores { stores, _ in
            let uids = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 { group.addTask { try await stores.secrets.currentKey(scope: "s").uid } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }

            #expect(uids.count == 1)
        }
    }

    @Test func rotatedDataKeysStayReadable() async throws {
        try await withStores { stores, _ in
            let old = try await addSource(stores, "a", password: "old")
            let before = try await stores.secrets.currentKey(scope: "org:1")
            try await stores.secrets.rotateDataKeys()

            #expect(try await stores.secrets.currentKey(scope: "org:1").uid != before.uid)
            #expect(try await stores.dataSources.secrets(of: old)["password"] == Secret("old"))
        }
    }

    @Test func reencryptedSecretsDoNotNeedOldDataKeys() async throws {
        try await withStores { stores, _ in
            let source = try await addSource(stores, "a", password: "p")
            var update = PluginSettingUpdate()
            update.secrets = ["key": Secret("s")]
            _ = try await stores.pluginSettings.save(orgID: 1, pluginID: "app", update)
            try await stores.secrets.rotateDataKeys()
            let written = try await stores.reencryptSecrets()
            try await stores.database.write { try $0.execute("DELETE FROM data_keys WHERE active = ?", [false]) }
            let fresh = Stores(database: stores.database, secretKey: Secret("key"))

            #expect(written == 2)
            #expect(try await fresh.dataSources.secrets(of: source) == ["password": Secret("p")])
            #expect(try await fresh.pluginSettings.secrets(orgID: 1, pluginID: "app") == ["key": Secret("s")])
        }
    }

    @Test func anotherSecretKeyIsRefusedAtStart() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        let stores = try await Stores.open(path: path, secretKey: Secret("one"))
        _ = try await addSource(stores, "a", password: "p")
        await stores.close()

        let error = await #expect(throws: StorageError.self) {
            try await Stores.open(path: path, secretKey: Secret("two"))
        }
        #expect(error?.code == .wrongSecretKey)
        #expect(error?.message.contains("secret_key") == true)
        // The refused start has closed the database.
        try await Stores.open(path: path, secretKey: Secret("one")).close()
    }

    @Test func theSecretKeyCanBeChanged() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        var stores = try await Stores.open(path: path, secretKey: Secret("one"))
        let source = try await addSource(stores, "a", password: "p")
        await stores.close()

        let database = try await Database.open(path: path)
        let wrong = try await storageErrorCode {
            _ = try await SecretsService.changeSecretKey(in: database, from: Secret("no"), to: Secret("two"))
        }
        let counts = try await [
            SecretsService.changeSecretKey(in: database, from: Secret("one"), to: Secret("two")),
            SecretsService.changeSecretKey(in: database, from: Secret("one"), to: Secret("two")),
        ]
        await database.close()

        #expect(wrong == .wrongSecretKey)
        #expect(counts == [1, 0])
        stores = try await Stores.open(path: path, secretKey: Secret("two"))
        #expect(try await stores.dataSources.secrets(of: source)["password"] == Secret("p"))
        await stores.close()
    }

    /// The value was computed with Python's `hashlib.pbkdf2_hmac('sha256', b'admin', b'0123456789', 10000, 50)`.
    @Test func passwordHashesAreTheKnownFunction() throws {
        let hash = try PasswordHash.hex(Secret("admin"), salt: "0123456789")

        #expect(
            hash
                == "5da9c3f77240a3cd69a95003db2ccae6a4be3ebff095a45077dc6231ccc318f7e14ad5af6cc40554e9693f34cf03478b28f8"
        )
        #expect(try PasswordHash.matches(Secret("admin"), salt: "0123456789", hash: hash))
        #expect(try PasswordHash.matches(Secret(""), salt: "0123456789", hash: hash) == false)
    }
}
