// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOHTTP1
import PluginABI
import PluginHost
import Signing
import Storage
import TestSupport
import Testing

@testable import Server

/// Who may sign plugins, through the API, the database and the trust folder of a running server.
struct PluginTrustTests {
    private static let id = "acme-signed-panel"

    /// Adds a signed panel to the server's plugins folder, and waits until it was judged.
    private static func install(_ signer: TestSigner, _ server: TestServer) async throws {
        let staged = server.folder + "/staged"
        try FileManager.default.createDirectory(atPath: staged, withIntermediateDirectories: true)
        try #"{"id": "\#(id)", "type": "panel", "name": "Signed", "info": {"version": "1.0.0"}}"#
            .write(toFile: staged + "/plugin.json", atomically: true, encoding: .utf8)
        try "define([],()=>{})".write(toFile: staged + "/module.js", atomically: true, encoding: .utf8)
        try signer.sign(staged)
        try FileManager.default.moveItem(atPath: staged, toPath: server.folder + "/plugins/" + id)
        await server.platform.reload()
    }

    private static func grant(_ signer: TestSigner, _ more: JSONObject = [:]) throws -> JSONValue {
        var body: JSONObject = ["publicKey": .string(try signer.key.armored()), "plugins": ["acme-*"]]
        for (key, value) in more { body[key] = value }
        return .object(body)
    }

    private static func errors(_ server: TestServer) async throws -> JSONValue? {
        try await server.get("/api/plugins/errors").json.array?.first { $0["pluginId"]?.string == id }
    }

    @Test func aKeyThatIsAddedThroughTheAPILetsItsPluginsIn() async throws {
        let signer = try TestSigner()
        try await TestServer.run { server async throws in
            try await Self.install(signer, server)
            let error = try await Self.errors(server)
            #expect(error?["errorCode"]?.string == "signatureInvalid" && error?["status"]?.string == "invalid")
            #expect(error?["signature"]?["code"]?.string == "key-unknown")
            let settings = try await server.get("/api/plugins/\(Self.id)/settings")
            #expect(settings.status == 500 && settings.message == "Invalid plugin signature")

            let added = try await server.send(.POST, "/api/plugins/trust/keys", Self.grant(signer))
            let item = try await server.get("/api/plugins").json.array?.first { $0["id"]?.string == Self.id }
            let trust = try await server.get("/api/plugins/trust").json

            #expect(added.status == 200 && added.json["fingerprint"]?.string == signer.key.fingerprint)
            #expect(item?["signature"]?.string == "valid" && item?["signatureType"]?.string == "private")
            #expect(item?["signatureOrg"]?.string == "Acme Plugins")
            #expect(item?["status"]?["signature"]?["key"]?["fingerprint"]?.string == signer.key.fingerprint)
            #expect(item?["status"]?["signature"]?["grantedBy"]?.string == "the database")
            let key = trust["keys"]?.array?.first { $0["keyId"]?.string == signer.key.keyID }
            #expect(key?["level"]?.string == "process" && key?["signed"] == [.string(Self.id)])
            #expect(trust["keys"]?.array?.count == 2 && trust["problems"] == [])

            let removed = try await server.send(.DELETE, "/api/plugins/trust/keys/\(signer.key.fingerprint)")
            #expect(removed.status == 200)
            #expect(try await Self.errors(server)?["signature"]?["code"]?.string == "key-unknown")
            #expect(
                try await server.send(.DELETE, "/api/plugins/trust/keys/\(signer.key.fingerprint)").status == 404)
        }
    }

    @Test func aListOfRevocationsEndsAPluginAndOnlyANewerOneTakesItBack() async throws {
        let (signer, authority) = (try TestSigner(), try TestSigner("Security"))
        try await TestServer.run { server async throws in
            _ = try await server.send(.POST, "/api/plugins/trust/keys", Self.grant(signer))
            _ = try await server.send(.POST, "/api/plugins/trust/keys", Self.grant(authority, ["mayRevoke": true]))
            try await Self.install(signer, server)
            #expect(server.platform.plugin(id: Self.id)?.state == .frontendOnly)

            func revoke(_ list: [UInt8]) async throws -> Answer {
                try await server.sendBytes(.POST, "/api/plugins/trust/revocations", list)
            }
            let second = try authority.revocations(serial: 2, keys: [signer.key.fingerprint])
            #expect(try await revoke(second).json["serial"]?.int == 2)
            #expect(server.platform.plugin(id: Self.id) == nil)
            #expect(try await Self.errors(server)?["signature"]?["code"]?.string == "key-revoked")

            #expect(try await revoke(authority.revocations(serial: 1)).status == 409)
            #expect(try await revoke(authority.revocations(serial: 2)).status == 409)
            // A revoked key cannot take its revocation back, and one that may not revoke cannot either.
            #expect(try await revoke(signer.revocations(serial: 3)).status == 400)
            #expect(try await revoke(Array("no list".utf8)).status == 400)
            #expect(server.platform.plugin(id: Self.id) == nil)
            let kept = try await server.send(.DELETE, "/api/plugins/trust/keys/\(authority.key.fingerprint)")
            #expect(kept.status == 409)

            #expect(try await revoke(authority.revocations(serial: 3)).status == 200)
            #expect(server.platform.plugin(id: Self.id)?.signature.status == .valid)
        }
    }

    /// What another server, or a program, writes into the database that both share.
    @Test func aChangeInTheDatabaseArrivesByItself() async throws {
        let signer = try TestSigner()
        try await TestServer.run { server async throws in
            try await Self.install(signer, server)
            let stored = StoredTrustKey(signer.trusted(plugins: ["acme-*"]))

            try await server.stores.pluginTrust.setKey(
                fingerprint: signer.key.fingerprint, content: try stored.content())
            try await eventually { server.platform.plugin(id: Self.id)?.signature.status == .valid }

            try await server.stores.pluginTrust.removeKey(fingerprint: signer.key.fingerprint)
            try await eventually { server.platform.plugin(id: Self.id) == nil }
        }
    }

    @Test func theTrustFolderIsWatched() async throws {
        let signer = try TestSigner()
        try await TestServer.run { server async throws in
            let folder = URL(filePath: server.folder + "/trust")
            try await Self.install(signer, server)

            try signer.install(in: folder, mayRevoke: true)
            try await eventually { server.platform.plugin(id: Self.id)?.signature.status == .valid }
            let add = try await server.send(.POST, "/api/plugins/trust/keys", Self.grant(signer))
            #expect(add.status == 409 && add.message.contains("trust folder"))

            // What cannot be read changes nothing but is told.
            try "{".write(to: folder.appending(path: "\(signer.key.keyID).json"), atomically: true, encoding: .utf8)
            try await eventually { try await server.get("/api/plugins/trust").json["problems"]?.array?.count == 1 }
            #expect(server.platform.plugin(id: Self.id) != nil)
            let page = try await server.get("/").text
            #expect(page.contains("Trust in signatures") && page.contains("\(signer.key.keyID).json"))
            try signer.install(in: folder, mayRevoke: true)
            try await eventually { try await server.get("/api/plugins/trust").json["problems"] == [] }
            let mended = try await server.get("/").text
            #expect(!mended.contains("Trust in signatures"))

            try signer.uninstall(from: folder)
            try await eventually { server.platform.plugin(id: Self.id) == nil }
        }
    }

    @Test func aListThatCameByFileIsSharedAndOutlivesTheFile() async throws {
        let (signer, authority) = (try TestSigner(), try TestSigner("Security"))
        try await TestServer.run { server async throws in
            let folder = URL(filePath: server.folder + "/trust")
            try authority.install(in: folder, mayRevoke: true)
            try signer.install(in: folder)
            try await Self.install(signer, server)
            try await eventually { server.platform.plugin(id: Self.id) != nil }

            let list = folder.appending(path: "revocations.txt")
            try Data(authority.revocations(serial: 7, keys: [signer.key.fingerprint])).write(to: list, options: .atomic)
            try await eventually { server.platform.plugin(id: Self.id) == nil }
            try await eventually { try await server.stores.pluginTrust.find().revocations?.serial == 7 }

            try FileManager.default.removeItem(at: list)
            await server.trust.reload()
            #expect(try server.trust.current.store.revocations.serial == 7)
        }
    }

    @Test func onlyServerAdministratorsSeeAndChangeTrust() async throws {
        let signer = try TestSigner()
        try await TestServer.run { server async throws in
            _ = try await server.stores.users.create(NewUser(login: "ann", password: Secret("annie"), role: .admin))
            let calls: [(HTTPMethod, String, JSONValue?)] = [
                (.GET, "", nil), (.POST, "/keys", try Self.grant(signer)),
                (.DELETE, "/keys/\(signer.key.fingerprint)", nil), (.POST, "/revocations", [:]),
            ]

            for (method, path, body) in calls {
                let path = "/api/plugins/trust" + path
                #expect(try await server.send(method, path, body, user: "ann:annie").status == 403)
                #expect(try await server.send(method, path, body, user: nil).status == 401)
            }
        }
    }

    static let badKeys: [JSONValue] = [
        [:], ["publicKey": ""], ["publicKey": "no key", "plugins": ["*"]], ["publicKey": 7, "plugins": ["*"]],
        ["publicKey": .string(String(repeating: "A", count: 2 << 20)), "plugins": ["*"]], ["plugins": ["*"]],
    ]

    @Test(arguments: badKeys)
    func whatIsNoKeyIsRefused(body: JSONValue) async throws {
        try await TestServer.run { server async throws in
            let answer = try await server.send(.POST, "/api/plugins/trust/keys", body)

            #expect(answer.status == 400 && !answer.message.isEmpty)
            #expect(try await server.stores.pluginTrust.revision() == 0)
        }
    }

    static let badGrants: [JSONObject] = [
        ["plugins": []], ["plugins": "acme-*"], ["plugins": [1]], ["types": ["unknown"]], ["types": []],
        ["level": "root"], ["plugins": [""]],
    ]

    @Test(arguments: badGrants)
    func whatIsNoGrantIsRefused(grants: JSONObject) async throws {
        let signer = try TestSigner()
        try await TestServer.run { server async throws in
            let answer = try await server.send(.POST, "/api/plugins/trust/keys", Self.grant(signer, grants))

            #expect(answer.status == 400 && !answer.message.isEmpty)
            #expect(try await server.stores.pluginTrust.revision() == 0)
        }
    }

    @Test func filesOfASignedPluginAreServedAsTheyWereSigned() async throws {
        let signer = try TestSigner()
        try await TestServer.run { server async throws in
            _ = try await server.send(.POST, "/api/plugins/trust/keys", Self.grant(signer))
            try await Self.install(signer, server)
            let path = "/public/plugins/\(Self.id)/module.js"
            let place = server.folder + "/plugins/\(Self.id)/module.js"

            let answer = try await server.get(path, user: nil)
            let tag = answer.headers.first(name: "etag") ?? ""
            let again = try await server.get(path, headers: [("if-none-match", tag)], user: nil)
            let head = try await server.send(.HEAD, path, user: nil)
            // Into the same inode, as who has a foot in the machine would.
            let file = try FileHandle(forUpdating: URL(filePath: place))
            try file.write(contentsOf: Data("evil.js".utf8))
            try file.close()
            let changed = try await server.get(path, user: nil)

            #expect(answer.status == 200 && answer.text == "define([],()=>{})")
            #expect(answer.headers.first(name: "content-type") == "text/javascript; charset=utf-8")
            #expect(tag == "\"\(FileHasher.digest(of: answer.body))\"" && again.status == 304)
            #expect(head.headers.first(name: "content-length") == "17")
            #expect(changed.status == 500 && changed.message == "Plugin signature does not match")
            #expect(!changed.text.contains("evil"))
        }
    }
}

/// What one trust store is made of.
struct TrustMergeTests {
    private let acme: TestSigner
    private let grafana: TrustedKey

    init() throws {
        acme = try TestSigner()
        grafana = try #require(TrustStore.builtIn().keys.first)
    }

    private func row(_ key: TrustedKey) throws -> PluginTrustKey {
        PluginTrustKey(
            fingerprint: key.key.fingerprint, content: try StoredTrustKey(key).content(), created: .now, updated: .now)
    }

    private func merge(
        folder: [TrustedKey] = [], rows: [PluginTrustKey] = [], list: [UInt8]? = nil, serial: Int64 = 1,
        fetched: [String: String] = [:]
    ) throws -> TrustMerge.Outcome {
        let revocations = list.map { PluginRevocations(serial: serial, content: String(decoding: $0, as: UTF8.self)) }
        return try TrustMerge(
            folder: TrustStore(keys: [grafana] + folder),
            database: PluginTrust(revision: 1, keys: rows, revocations: revocations), fetched: fetched,
            now: TestSigner.now
        ).merged()
    }

    @Test func theFolderCountsBeforeTheDatabase() throws {
        let wide = acme.trusted(plugins: ["*"])

        let both = try merge(folder: [acme.trusted(plugins: ["acme-*"])], rows: [row(wide)])
        let stored = try merge(rows: [row(wide)])

        #expect(both.store.key(id: acme.key.keyID)?.plugins == ["acme-*"])
        #expect(stored.store.key(id: acme.key.keyID)?.plugins == ["*"])
        #expect(stored.store.key(id: acme.key.keyID)?.grantedBy == "the database")
        #expect(both.problems == [] && stored.problems == [] && stored.store.keys.count == 2)
    }

    @Test func theDatabaseMayNarrowGrafanasOwnKey() throws {
        var narrow = grafana
        narrow.plugins = ["grafana-*"]

        let outcome = try merge(rows: [row(narrow)])

        #expect(outcome.store.keys.map(\.plugins) == [["grafana-*"]])
    }

    @Test func fetchedKeysTakeThePlaceOfTheBuiltInOne() throws {
        let armored = try acme.key.armored()

        let only = try merge(fetched: [acme.key.keyID: armored])
        let both = try merge(fetched: [acme.key.keyID: armored, grafana.key.keyID: try grafana.key.armored()])
        let none = try merge()

        #expect(only.store.keys.map(\.key.fingerprint) == [acme.key.fingerprint])
        #expect(only.store.keys[0].grantedBy == "Grafana's API" && only.store.keys[0].types == grafana.types)
        #expect(both.store.keys.count == 2 && none.store.keys.map(\.key.keyID) == [grafana.key.keyID])
    }

    @Test func aRowThatCannotBeUsedIsToldAndTheOthersCount() throws {
        let other = try TestSigner("Other")
        let rows = [
            PluginTrustKey(fingerprint: other.key.fingerprint, content: "{", created: .now, updated: .now),
            PluginTrustKey(
                fingerprint: other.key.fingerprint, content: try row(acme.trusted()).content, created: .now,
                updated: .now), try row(acme.trusted()),
        ]

        let outcome = try merge(rows: rows)

        #expect(outcome.problems.count == 2 && outcome.problems.allSatisfy { $0.contains(other.key.fingerprint) })
        #expect(outcome.store.key(id: acme.key.keyID) != nil && outcome.store.key(id: other.key.keyID) == nil)
    }

    /// Removing the key that signed a list must not bring back what the list revokes.
    @Test func aListThatNoLongerVerifiesIsAnError() throws {
        let list = try acme.revocations(serial: 1, keys: [grafana.key.fingerprint])

        let good = try merge(folder: [acme.trusted(mayRevoke: true)], list: list)

        #expect(good.store.revocations.keys.count == 1)
        #expect(throws: SigningError.self) { try merge(list: list) }
        #expect(throws: SigningError.self) { try merge(folder: [acme.trusted()], list: list) }
        #expect(throws: SigningError.self) {
            try merge(folder: [acme.trusted(mayRevoke: true)], list: list, serial: 2)
        }
    }
}
