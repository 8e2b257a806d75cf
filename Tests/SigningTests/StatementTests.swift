// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestSupport
import Testing

@testable import Signing

/// Signed statements, and valid parts put together wrongly.
struct StatementTests {
    static func list(
        serial: Int64, keys: [RevocationList.Entry] = [], by files: SecretKey.Files = TestKeys.acme
    ) throws -> [UInt8] {
        var list = TrustTests.revoking(keys: keys)
        list.serial = serial
        return try files.open().clearSign(list.text)
    }

    /// A trust folder that lives as long as the value.
    struct Bench {
        let folder: TemporaryFolder
        let trust: TrustFolder
    }

    private func bench(mayRevoke: Bool = true) throws -> Bench {
        let folder = try TemporaryFolder()
        let trust = TrustFolder("\(folder.path)/trust")
        _ = try trust.add(TestKeys.acme.trusted(mayRevoke: mayRevoke), now: TestKeys.now)
        _ = try trust.add(TestKeys.other.trusted(plugins: ["other-*"]), now: TestKeys.now)
        return Bench(folder: folder, trust: trust)
    }

    @Test func aListIsInForceAsSoonAsItIsInstalled() throws {
        let bench = try bench()
        let trust = bench.trust
        defer { withExtendedLifetime(bench) {} }
        let other = try TestKeys.other.key().fingerprint

        let list = try trust.install(
            revocations: Self.list(serial: 3, keys: [.init(subject: other, reason: "lost")]), now: TestKeys.now)

        #expect(list.serial == 3)
        #expect(try trust.load(now: TestKeys.now).revocations == list)
        #expect(try trust.seenSerial() == 3)
    }

    @Test func anOldListOrNoneIsRolledBack() throws {
        let bench = try bench()
        let (folder, trust) = (bench.folder, bench.trust)
        _ = try trust.install(revocations: Self.list(serial: 3), now: TestKeys.now)

        let older = #expect(throws: SigningError.self) {
            try trust.install(revocations: Self.list(serial: 2), now: TestKeys.now)
        }
        try folder.write("trust/revocations.txt", bytes: Self.list(serial: 2))
        let putBack = #expect(throws: SigningError.self) { try trust.load(now: TestKeys.now) }
        try folder.remove("trust/revocations.txt")
        let gone = #expect(throws: SigningError.self) { try trust.load(now: TestKeys.now) }

        #expect([older?.code, putBack?.code, gone?.code] == Array(repeating: .revocationsRolledBack, count: 3))
    }

    @Test func aFolderIsChangedByOneProgramAtATime() throws {
        let bench = try bench()
        let other = TrustFolder(bench.trust.path)

        let error = try bench.trust.exclusively {
            #expect(throws: SigningError.self) { try other.exclusively {} }
        }

        #expect(error?.code == .trustFolderBusy)
        try other.exclusively {}
    }

    @Test func aTrustedKeyIsNobodysSuccessor() throws {
        let store = try TrustStore(keys: [
            TrustStore.grafana(), TestKeys.acme.trusted(), TestKeys.other.trusted(plugins: ["other-*"]),
        ])
        for key in [try TestKeys.other.key(), try TrustStore.grafana().key, try TestKeys.acme.key()] {
            let text = try KeyRotation(successor: key).text(time: TestKeys.signingTime)
            let error = #expect(throws: SigningError.self) {
                try KeyRotation.open(TestKeys.acme.open().clearSign(text), store: store, now: TestKeys.now)
            }
            #expect(error?.code == .statementUntrusted)
        }
    }

    @Test func theKeyOfTheListInForceKeepsItsRight() throws {
        let bench = try bench()
        let trust = bench.trust
        defer { withExtendedLifetime(bench) {} }
        let signer = try TestKeys.acme.key()
        _ = try trust.install(revocations: Self.list(serial: 3), now: TestKeys.now)

        let removed = #expect(throws: SigningError.self) { try trust.remove(signer.keyID, now: TestKeys.now) }
        let lowered = #expect(throws: SigningError.self) {
            try trust.add(TestKeys.acme.trusted(mayRevoke: false), now: TestKeys.now)
        }
        let other = #expect(throws: SigningError.self) {
            try trust.install(
                revocations: Self.list(serial: 3, keys: [.init(subject: signer.fingerprint, reason: "x")]),
                now: TestKeys.now)
        }

        #expect([removed?.code, lowered?.code] == [.statementUntrusted, .statementUntrusted])
        #expect(other?.code == .revocationsRolledBack)
        #expect(try trust.load(now: TestKeys.now).revocations.serial == 3)
        _ = try trust.add(TestKeys.acme.trusted(plugins: ["*"], mayRevoke: true), now: TestKeys.now)
    }

    @Test func aFolderWhoseListDoesNotVerifyCanBeMended() throws {
        let bench = try bench()
        let (folder, trust) = (bench.folder, bench.trust)
        _ = try trust.install(revocations: Self.list(serial: 3), now: TestKeys.now)
        let name = try TestKeys.acme.key().keyID
        for ending in ["asc", "json"] { try folder.remove("trust/\(name).\(ending)") }
        let broken = #expect(throws: SigningError.self) { try trust.load(now: TestKeys.now) }

        _ = try trust.add(TestKeys.acme.trusted(mayRevoke: true), now: TestKeys.now)

        #expect(broken?.code == .statementUntrusted)
        #expect(try trust.load(now: TestKeys.now).revocations.serial == 3)
    }

    /// A program that is just being started has a copy of every descriptor until it is executed.
    @Test func theTurnEndsAlsoWhenAChildHasTheDescriptor() throws {
        let folder = try TemporaryFolder()
        let trust = TrustFolder("\(folder.path)/trust")

        let inherited = try trust.exclusively { try OpenFiles.descriptors(of: trust.path).map { dup($0) } }
        defer { for descriptor in inherited { close(descriptor) } }

        #expect(inherited.count == 1)
        try trust.exclusively {}
    }

    @Test func onlyAKeyThatMayRevokeSignsLists() throws {
        let bench = try bench(mayRevoke: false)
        let trust = bench.trust
        defer { withExtendedLifetime(bench) {} }

        let error = #expect(throws: SigningError.self) {
            try trust.install(revocations: Self.list(serial: 1), now: TestKeys.now)
        }

        #expect(error?.code == .statementUntrusted)
    }

    @Test func aRevokedKeyCannotTakeItsRevocationBack() throws {
        let bench = try bench()
        let trust = bench.trust
        defer { withExtendedLifetime(bench) {} }
        let acme = try TestKeys.acme.key().fingerprint
        _ = try trust.install(
            revocations: Self.list(serial: 1, keys: [.init(subject: acme, reason: "stolen")]), now: TestKeys.now)

        let error = #expect(throws: SigningError.self) {
            try trust.install(revocations: Self.list(serial: 2), now: TestKeys.now)
        }

        #expect(error?.code == .statementUntrusted)
    }

    static let badLists = [
        "{}", #"{"kind": "grafana-key-rotation"}"#, #"{"kind": "grafana-revocations", "serial": 0}"#,
        #"{"kind": "grafana-revocations", "serial": 1, "time": 1, "keys": [], "files": [{"sha256": "00", "reason": ""}]}"#,
        #"{"kind": "grafana-revocations", "serial": 1, "time": 1, "keys": [{"fingerprint": "X"}], "files": []}"#,
        #"{"kind": "grafana-revocations", "serial": 1, "time": 1, "keys": []}"#,
        #"{"kind": "grafana-revocations", "serial": 1, "serial": 9, "time": 1, "keys": [], "files": []}"#,
    ]

    @Test(arguments: badLists)
    func malformedListsAreRefused(text: String) throws {
        let bench = try bench()
        let trust = bench.trust
        defer { withExtendedLifetime(bench) {} }

        let error = #expect(throws: SigningError.self) {
            try trust.install(revocations: TestKeys.acme.open().clearSign(text), now: TestKeys.now)
        }

        #expect(error?.code == .statementInvalid)
    }

    @Test func anOldKeyNamesItsSuccessor() throws {
        let bench = try bench()
        let trust = bench.trust
        defer { withExtendedLifetime(bench) {} }
        let successor = try TestKeys.brief.key()
        let text = try KeyRotation(successor: successor).text(time: TestKeys.signingTime)

        let rotated = try KeyRotation.open(
            TestKeys.acme.open().clearSign(text), store: trust.load(now: TestKeys.now), now: TestKeys.now)
        _ = try trust.add(rotated, now: TestKeys.now)

        let key = try #require(try trust.load(now: TestKeys.now).key(id: successor.keyID))
        #expect(key.plugins == ["acme-*"] && key.mayRevoke && key.level == .process)
        #expect(key.rotatedFrom == (try TestKeys.acme.key().fingerprint))
    }

    @Test func aStrangerNamesNoSuccessor() throws {
        let store = try TrustStore(keys: [TestKeys.other.trusted()])
        let text = try KeyRotation(successor: TestKeys.brief.key()).text(time: TestKeys.signingTime)

        let error = #expect(throws: SigningError.self) {
            try KeyRotation.open(TestKeys.acme.open().clearSign(text), store: store, now: TestKeys.now)
        }

        #expect(error?.code == .statementUntrusted)
    }
}

/// Parts that are each valid, in the wrong company.
struct MixedPartsTests {
    private func parts(of plugin: TemporaryPlugin) throws -> (text: String, signature: String) {
        let whole = String(decoding: try plugin.folder.read("MANIFEST.txt"), as: UTF8.self)
        let place = try #require(whole.firstRange(of: "-----BEGIN PGP SIGNATURE-----")).lowerBound
        return (String(whole[..<place]), String(whole[place...]))
    }

    @Test func aRightSignatureUnderAnotherManifestIsBad() throws {
        let first = try TemporaryPlugin()
        let second = try TemporaryPlugin(version: "1.3.0")
        try first.sign()
        try second.sign()

        try second.folder.write("MANIFEST.txt", parts(of: second).text + parts(of: first).signature)

        #expect(try second.verdict().code == .signatureBad)
    }

    @Test func aRightManifestInAnotherPluginIsModified() throws {
        let first = try TemporaryPlugin()
        let second = try TemporaryPlugin(id: "acme-cosine-datasource")
        try first.sign()

        try second.folder.write("MANIFEST.txt", bytes: first.folder.read("MANIFEST.txt"))

        #expect(try second.verdict().code == .pluginDiffers)
    }

    @Test func anOldManifestInANewReleaseIsModified() throws {
        let old = try TemporaryPlugin()
        let new = try TemporaryPlugin(version: "2.0.0")
        try old.sign()

        try new.folder.write("MANIFEST.txt", bytes: old.folder.read("MANIFEST.txt"))

        #expect(try new.verdict().code == .versionDiffers)
    }

    @Test func anotherTrustedKeysSignatureDoesNotCountForTheNamedKey() throws {
        let plugin = try TemporaryPlugin()
        let named = try TestKeys.acme.key()
        let draft = try ManifestDraft(
            of: FolderContent(plugin.path), request: TemporaryPlugin.request(), keyID: named.keyID)
        try plugin.sign(text: draft.text, TestKeys.other)

        let verdict = try plugin.verdict([TestKeys.acme.trusted(), TestKeys.other.trusted(plugins: ["other-*"])])

        #expect(verdict.code == .signatureMalformed)
    }

    @Test func aKeyForOtherPluginsSignsThisOneInVain() throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign(TestKeys.other)

        let verdict = try plugin.verdict([TestKeys.acme.trusted(), TestKeys.other.trusted(plugins: ["other-*"])])

        #expect(verdict.code == .keyNotForPlugin)
    }

    @Test func aStatementIsNoManifestAndAManifestNoStatement() throws {
        let plugin = try TemporaryPlugin()
        let manifest = try plugin.sign()
        let list = try StatementTests.list(serial: 1)
        let store = try TrustStore(keys: [TestKeys.acme.trusted(mayRevoke: true)])

        try plugin.folder.write("MANIFEST.txt", bytes: list)

        #expect(try plugin.verdict().code == .manifestField)
        #expect(throws: SigningError.self) {
            try store.openRevocations(manifest, minimumSerial: 0, now: TestKeys.now)
        }
        #expect(throws: SigningError.self) { try KeyRotation.open(list, store: store, now: TestKeys.now) }
    }

    @Test func anOldSignatureOfARevokedKeyIsRefused() throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign()
        let later = TestKeys.now + 365 * 86_400
        var list = TrustTests.revoking(keys: [.init(subject: try TestKeys.acme.key().fingerprint, reason: "stolen")])
        list.timeMilliseconds = later * 1000

        #expect(try plugin.verdict(revocations: list, now: later).code == .keyRevoked)
    }

    @Test func anOldRevocationListIsRefusedThoughItsKeyIsNew() throws {
        let folder = try TemporaryFolder()
        let trust = TrustFolder("\(folder.path)/trust")
        _ = try trust.add(TestKeys.acme.trusted(mayRevoke: true), now: TestKeys.now)
        _ = try trust.install(revocations: StatementTests.list(serial: 7), now: TestKeys.now)
        _ = try trust.add(TestKeys.other.trusted(plugins: ["*"], mayRevoke: true), now: TestKeys.now)

        let error = #expect(throws: SigningError.self) {
            try trust.install(revocations: StatementTests.list(serial: 6, by: TestKeys.other), now: TestKeys.now)
        }

        #expect(error?.code == .revocationsRolledBack)
    }
}
