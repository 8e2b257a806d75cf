// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Signing

/// Who may sign what, and until when.
struct TrustTests {
    static func revoking(keys: [RevocationList.Entry] = [], files: [RevocationList.Entry] = []) -> RevocationList {
        var list = RevocationList()
        list.serial = 1
        list.timeMilliseconds = TestKeys.signingTime * 1000
        list.keys = keys
        list.files = files
        return list
    }

    @Test func globsOfPluginIdsLimitAKey() throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign()

        #expect(try plugin.verdict([TestKeys.acme.trusted(plugins: ["acme-sine-datasource"])]).code == .valid)
        #expect(try plugin.verdict([TestKeys.acme.trusted(plugins: ["x", "acme-*-datasource"])]).code == .valid)
        #expect(try plugin.verdict([TestKeys.acme.trusted(plugins: ["acme-*-panel"])]).code == .keyNotForPlugin)
        #expect(try plugin.verdict([TestKeys.acme.trusted(plugins: [])]).code == .keyNotForPlugin)
    }

    @Test func theLevelIsThatOfTheKey() throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign()

        #expect(try plugin.verdict([TestKeys.acme.trusted(level: .inProcess)]).level == .inProcess)
        #expect(TrustLevel.process < .inProcess)
    }

    @Test func revokedKeysAndFilesAreNamed() throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign()
        let fingerprint = try TestKeys.acme.key().fingerprint
        let digest = FileHasher.digest(of: try plugin.folder.read("module.js"))
        let key = Self.revoking(keys: [.init(subject: fingerprint, reason: "stolen")])
        let file = Self.revoking(files: [.init(subject: digest.hexadecimal, reason: "mines coins")])

        let byKey = try plugin.verdict(revocations: key)
        let byFile = try plugin.verdict(revocations: file)

        #expect(byKey.code == .keyRevoked && byKey.reason.contains("stolen"))
        #expect(byFile.code == .fileRevoked && byFile.reason.contains("mines coins"))
        #expect(byFile.difference?.path == "module.js")
    }

    @Test func expiryIsJudgedAtTheTimeOfSigning() throws {
        let before = try TemporaryPlugin()
        try before.sign(TestKeys.brief)
        let keys = [try TestKeys.brief.trusted()]

        // The key has expired by now, and had not when it signed.
        #expect(try #require(try TestKeys.brief.key().expiresAt) < TestKeys.now)
        #expect(try before.verdict(keys).code == .valid)
    }

    @Test func anExpiredKeyDoesNotSign() throws {
        let plugin = try TemporaryPlugin()

        #expect(throws: SigningError.self) {
            try plugin.sign(TestKeys.brief, TemporaryPlugin.request(time: TestKeys.now))
        }
    }

    @Test func aSignatureFromTheFutureIsRefused() throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign()

        #expect(try plugin.verdict(now: TestKeys.signingTime - 3 * 86_400).code == .signatureTime)
        #expect(try plugin.verdict(now: TestKeys.signingTime - 3600).code == .valid)
    }

    @Test func aFolderGivesTheStoreThatWasPutThere() throws {
        let folder = try TemporaryFolder()
        let trust = TrustFolder("\(folder.path)/trust")

        let added = try trust.add(TestKeys.acme.trusted(mayRevoke: true), name: "acme", now: TestKeys.now)
        let store = try trust.load(now: TestKeys.now)

        #expect(store.keys.count == 2)
        #expect(store.key(id: added.key.keyID) == added)
        #expect(added.grantedBy == "\(folder.path)/trust/acme.json")
        #expect(try trust.remove(added.key.keyID, now: TestKeys.now) == added)
        #expect(try trust.load(now: TestKeys.now) == TrustStore.builtIn())
        #expect(try trust.remove(added.key.keyID, now: TestKeys.now) == nil)
    }

    @Test func aKeyThatIsAddedAgainKeepsItsOriginAndName() throws {
        let folder = try TemporaryFolder()
        let trust = TrustFolder(folder.path)
        var first = try TestKeys.acme.trusted()
        first.owner = "The people of Acme"
        first.rotatedFrom = try TestKeys.other.key().fingerprint
        _ = try trust.add(first, name: "acme", now: TestKeys.now)

        let again = try trust.add(TestKeys.acme.trusted(plugins: ["*"], level: .inProcess), now: TestKeys.now)
        let stored = try #require(try trust.load(now: TestKeys.now).key(id: again.key.keyID))

        #expect(stored == again)
        #expect(stored.rotatedFrom == first.rotatedFrom && stored.owner == "The people of Acme")
        #expect(stored.plugins == ["*"] && stored.level == .inProcess)
        #expect(stored.grantedBy == "\(folder.path)/acme.json")
    }

    @Test func aPatternThatIsNoneIsNotWritten() throws {
        let folder = try TemporaryFolder()
        let trust = TrustFolder(folder.path)

        let error = #expect(throws: SigningError.self) {
            try trust.add(TestKeys.acme.trusted(plugins: ["acme-["]), now: TestKeys.now)
        }

        #expect(error?.code == .trustStoreMalformed)
        #expect(try trust.load(now: TestKeys.now) == TrustStore.builtIn())
    }

    @Test func keysOfOneLineAreOnePublisher() throws {
        var (first, second) = (try TestKeys.other.trusted(), try TestKeys.brief.trusted())
        let old = try TestKeys.acme.key().fingerprint
        (first.rotatedFrom, second.rotatedFrom) = (old, first.key.fingerprint)
        let store = try TrustStore(keys: [first, second])

        #expect(store.isSamePublisher(old, second.key.fingerprint))
        #expect(store.isSamePublisher(second.key.fingerprint, first.key.fingerprint))
        #expect(!(try TrustStore(keys: [second])).isSamePublisher(old, second.key.fingerprint))
        #expect(!store.isSamePublisher(old, "unsigned"))
    }

    @Test func grafanasKeyCanBeForbidden() throws {
        let folder = try TemporaryFolder()
        let trust = TrustFolder(folder.path)

        _ = try trust.remove("7e4d0c6a708866e7", now: TestKeys.now)

        let key = try #require(try trust.load(now: TestKeys.now).key(id: "7e4d0c6a708866e7"))
        #expect(!key.maySign(plugin: "grafana-clock-panel") && key.types.isEmpty)
    }

    static let brokenFolders: [(name: String, text: String, code: SigningError.Code)] = [
        ("acme.asc", "", .trustStoreMalformed), ("acme.json", "{}", .trustStoreMalformed),
        ("revocations.txt", "text", .statementInvalid), ("revocations.serial", "many", .trustStoreMalformed),
        ("revocations.serial", "5", .revocationsRolledBack),
    ]

    @Test(arguments: brokenFolders)
    func aBrokenFolderIsAnError(name: String, text: String, code: SigningError.Code) throws {
        let folder = try TemporaryFolder()
        try folder.write(name, text)

        let error = #expect(throws: SigningError.self) { try TrustFolder(folder.path).load(now: TestKeys.now) }

        #expect(error?.code == code)
    }

    @Test func policiesSayExactlyWhatTheyMay() throws {
        let policy = TrustPolicy(try TestKeys.acme.trusted(mayRevoke: true))

        #expect(try TrustPolicy(StrictJSON(parsing: Array(policy.text.utf8))) == policy)
        for bad in [
            ("\"level\": \"process\"", "\"level\": \"kernel\""), ("\"mayRevoke\": true", "\"mayRevoke\": 1"),
            ("\"private\"", "\"public\""), ("\"acme-*\"", "7"), ("\"acme-*\"", "\"[\""),
            ("\"schemaVersion\": 1", "\"schemaVersion\": 2"), ("\"owner\"", "\"plugin\""),
        ] {
            let text = policy.text.replacingOccurrences(of: bad.0, with: bad.1)
            #expect(text != policy.text)
            #expect(throws: FormatError.self, "\(bad)") { try TrustPolicy(StrictJSON(parsing: Array(text.utf8))) }
        }
    }

    @Test func twoKeysInOneFileAreRefused() throws {
        let both = TestKeys.acme.publicKey + TestKeys.other.publicKey
        let packets =
            try PublicKey(parsing: Array(TestKeys.acme.publicKey.utf8)).packets
            + PublicKey(parsing: Array(TestKeys.other.publicKey.utf8)).packets

        #expect(try PublicKey(parsing: Array(both.utf8)).fingerprint == TestKeys.acme.key().fingerprint)
        let error = #expect(throws: SigningError.self) { try PublicKey(parsing: packets) }
        #expect(error?.code == .keyMalformed)
    }

    @Test func aWrongPassphraseIsSaid() throws {
        let error = #expect(throws: SigningError.self) {
            try SecretKey(parsing: Array(TestKeys.acme.secret.utf8), time: TestKeys.now) { "wrong" }
        }

        #expect(error?.code == .passphraseWrong)
    }
}
