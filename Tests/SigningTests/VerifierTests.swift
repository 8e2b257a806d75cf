// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Signing

/// What becomes of a plugin that we signed, whole and spoilt.
struct VerifierTests {
    @Test func whatWeSignIsValidWithAllFacts() throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign()

        let verdict = try plugin.verdict()

        #expect(verdict.status == .valid, "\(verdict.reason)")
        #expect(verdict.type == .privatePlugin)
        #expect(verdict.organization == "Acme")
        #expect(verdict.level == .process)
        #expect(verdict.signer?.fingerprint == (try TestKeys.acme.key().fingerprint))
        #expect(verdict.signer?.owner == "Acme <plugins@acme.example>")
        #expect(verdict.signer?.grantedBy == "the test")
        #expect(verdict.signedAt == TestKeys.signingTime)
        #expect(verdict.remedy.isEmpty)
    }

    @Test func signingTwiceAtTheSameTimeGivesTheSameBytes() throws {
        let plugin = try TemporaryPlugin()

        #expect(try plugin.sign() == plugin.sign())
        #expect(try plugin.sign(TestKeys.other) == plugin.sign(TestKeys.other))
    }

    struct Damage: Sendable, CustomTestStringConvertible {
        var name: String
        var code: SignatureVerdict.Code
        var status: SignatureVerdict.Status
        var path: String?
        var spoil: @Sendable (TemporaryPlugin) throws -> Void

        var testDescription: String { name }
    }

    static let damages = [
        Damage(name: "changed", code: .fileDiffers, status: .modified, path: "module.js") {
            try $0.folder.write("module.js", "alert()")
        },
        Damage(name: "missing", code: .fileMissing, status: .modified, path: "img/logo.svg") {
            try $0.folder.remove("img/logo.svg")
        },
        Damage(name: "added", code: .fileExtra, status: .modified, path: "extra.js") {
            try $0.folder.write("extra.js", "")
        },
        Damage(name: "hidden", code: .fileExtra, status: .modified, path: ".DS_Store") {
            try $0.folder.write(".DS_Store", "")
        },
        Damage(name: "in a nested plugin", code: .fileExtra, status: .modified, path: "panel/plugin.json") {
            try $0.folder.write("panel/plugin.json", "{}")
        },
        Damage(name: "a second manifest", code: .fileExtra, status: .modified, path: "img/MANIFEST.txt") {
            try $0.folder.write("img/MANIFEST.txt", "")
        },
        Damage(name: "another link to a file", code: .fileExtra, status: .modified, path: "copy.js") {
            try $0.folder.link("copy.js", to: "module.js")
        },
        Damage(name: "a link out", code: .linkOutside, status: .invalid) {
            try $0.folder.link("passwd", to: "/etc/passwd")
        },
        Damage(name: "a link to nothing", code: .linkOutside, status: .invalid) {
            try $0.folder.link("gone", to: "nowhere")
        },
        Damage(name: "a pipe", code: .fileSpecial, status: .invalid) { mkfifo("\($0.path)/pipe", 0o600) },
        Damage(name: "another version", code: .versionDiffers, status: .modified) {
            try $0.folder.write("plugin.json", #"{"id": "acme-sine-datasource", "info": {"version": "1.2.1"}}"#)
        },
        Damage(name: "another id", code: .pluginDiffers, status: .modified) {
            try $0.folder.write("plugin.json", #"{"id": "acme-cosine-datasource", "info": {"version": "1.2.0"}}"#)
        },
        Damage(name: "no manifest", code: .noManifest, status: .unsigned) { try $0.folder.remove("MANIFEST.txt") },
        Damage(name: "a short manifest", code: .noManifest, status: .unsigned) {
            try $0.folder.write("MANIFEST.txt", "123456789")
        },
        Damage(name: "no signature at all", code: .manifestMalformed, status: .invalid) {
            try $0.folder.write("MANIFEST.txt", "{ \"plugin\": \"acme-sine-datasource\" }")
        },
        Damage(name: "a huge manifest", code: .manifestTooLarge, status: .invalid) {
            try $0.folder.write("MANIFEST.txt", bytes: Array(repeating: 0x20, count: Manifest.maximumBytes + 1))
        },
    ]

    @Test(arguments: damages)
    func damageIsFoundAndNamed(_ damage: Damage) throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign()
        try damage.spoil(plugin)

        let verdict = try plugin.verdict()

        #expect(verdict.status == damage.status)
        #expect(verdict.code == damage.code, "\(verdict.reason)")
        #expect(verdict.difference?.path == damage.path)
        #expect(!verdict.reason.isEmpty && !verdict.remedy.isEmpty)
        #expect(verdict.type == nil && verdict.level == nil && verdict.organization.isEmpty)
    }

    @Test func linksInsideCountUnderTheirOwnPathAndLinkedFoldersDoNot() throws {
        let plugin = try TemporaryPlugin()
        try plugin.folder.link("copy.js", to: "module.js")
        try plugin.folder.link("pictures", to: "img")
        try plugin.sign()

        let verdict = try plugin.verdict()

        #expect(verdict.status == .valid, "\(verdict.reason)")
        #expect(verdict.manifest?.files.map(\.path) == ["copy.js", "img/logo.svg", "module.js", "plugin.json"])
    }

    @Test func everyStepIsTraced() throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign()
        try plugin.folder.remove("img/logo.svg")
        let store = try TrustStore(keys: [TestKeys.acme.trusted()])

        var steps: [VerificationStep] = []
        _ = try Verifier(store: store, rootURL: nil).verdict(folder: plugin.path, now: TestKeys.now) {
            steps.append($0)
        }

        #expect(
            steps.map { "\($0.name) \($0.outcome.rawValue)" } == [
                "files passed", "manifest passed", "fields passed", "key passed", "signature passed", "format passed",
                "grants passed", "identity passed", "root-url skipped", "revocations skipped", "content failed",
            ])
    }

    @Test func digestsOfTheCallerAreWhatIsJudged() throws {
        struct Loaded: PluginContent {
            let files: FolderContent
            let loaded: FileDigest
            var paths: [String] { files.paths }
            func bytes(of path: String, limit: Int) throws(SigningError) -> [UInt8] {
                try files.bytes(of: path, limit: limit)
            }
            func digest(of path: String) throws(SigningError) -> FileDigest {
                path == "module.js" ? loaded : try files.digest(of: path)
            }
        }
        let plugin = try TemporaryPlugin()
        try plugin.sign()
        let swapped = FileHasher.digest(of: Array("what was loaded".utf8))
        let content = Loaded(files: try FolderContent(plugin.path), loaded: swapped)
        let verifier = Verifier(store: try TrustStore(keys: [TestKeys.acme.trusted()]), rootURL: nil)
        let identity = PluginIdentity(id: "acme-sine-datasource", version: "1.2.0")

        let verdict = verifier.verdict(on: content, plugin: identity, now: TestKeys.now)

        #expect(verdict.code == .fileDiffers)
        #expect(verdict.difference?.found == swapped)
    }

    @Test func namesThatOnlyLookEqualAreDifferent() throws {
        let plugin = try TemporaryPlugin()
        try plugin.folder.write("caf\u{E9}.txt", "")
        try plugin.sign()
        try plugin.folder.remove("caf\u{E9}.txt")
        try plugin.folder.write("cafe\u{301}.txt", "")

        #expect(try plugin.verdict().status == .modified)
    }

    @Test func tenThousandFilesAreJudged() throws {
        let plugin = try TemporaryPlugin()
        for folder in 0..<100 {
            try plugin.folder.write("lib/\(folder)/0.txt", "\(folder)")
            for number in 1..<100 { try plugin.folder.copy("lib/\(folder)/0.txt", to: "lib/\(folder)/\(number).txt") }
        }
        try plugin.sign()

        let verdict = try plugin.verdict()

        #expect(verdict.status == .valid, "\(verdict.reason)")
        #expect(verdict.manifest?.files.count == 10_003)
    }
}
