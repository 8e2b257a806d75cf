// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Signing
import TestSupport
import Testing

@testable import PluginHost

/// The pipeline with the real verifier: what is signed loads, and whatever is not as signed does not.
struct SignatureStageTests {
    private let folder: LoadingFolder
    private let signer: TestSigner
    private static let id = "acme-sine-datasource"

    init() throws {
        folder = try LoadingFolder()
        signer = try TestSigner()
    }

    private func writeSigned(rootURLs: [String] = []) throws {
        try folder.writePlugin(
            Self.id, id: Self.id, #""backend": true, "library": "sine", "info": {"version": "1.2.3"}"#)
        try folder.write("\(Self.id)/\(LoadingLibrary.fileName)", bytes: LoadingLibrary.minimal.get())
        try folder.write("\(Self.id)/module.js", "define([],()=>{})")
        try signer.sign(folder[Self.id], rootURLs: rootURLs)
    }

    private func pipeline(
        _ keys: [TrustedKey], _ revocations: RevocationList = RevocationList(),
        rootURL: String = "http://localhost:3000/"
    ) throws -> LoadingPipeline {
        let trust = CurrentTrust(try TrustStore(keys: keys, revocations: revocations))
        return LoadingPipeline(
            settings: LoadingSettings(), verifier: TrustVerifier(trust: trust, rootURL: rootURL))
    }

    private func refusal(_ pipeline: LoadingPipeline) async throws -> PluginRefusal {
        let prepared = await pipeline.prepare(folder)
        #expect(prepared.validated.isEmpty)
        return try #require(prepared.refusals.first)
    }

    @Test func aPluginSignedByATrustedKeyIsValid() async throws {
        try writeSigned()

        let prepared = await try pipeline([signer.trusted(plugins: ["acme-*"], level: .process)]).prepare(folder)

        let plugin = try #require(prepared.validated.first)
        #expect(prepared.refusals == [] && plugin.warnings == [])
        #expect(plugin.signature.status == .valid && plugin.signature.type == .privatePlugin)
        #expect(plugin.signature.organization == "Acme Plugins")
        #expect(plugin.signature.level == .process)
        #expect(plugin.signature.verdict?.signer?.fingerprint == signer.key.fingerprint)
        #expect(plugin.signature.verdict?.signer?.grantedBy == "a test")
        #expect(
            plugin.files.signed?.keys.sorted()
                == ["MANIFEST.txt", "module.js", "plugin.json", LoadingLibrary.fileName].sorted())
        #expect(plugin.image?.digest == plugin.files.signed?[LoadingLibrary.fileName])
    }

    /// A change of a signed folder, and what comes of it.
    struct Change: CustomTestStringConvertible, Sendable {
        var name: String
        var code: SignatureVerdict.Code
        var refused: PluginRefusal.Code
        var path: String?
        var make: @Sendable (LoadingFolder) throws -> Void

        var testDescription: String { name }
    }

    static let changes = [
        Change(name: "a file with other bytes", code: .fileDiffers, refused: .signatureModified, path: "module.js") {
            try $0.write("\(id)/module.js", "define([],()=>{evil})")
        },
        Change(name: "a file more", code: .fileExtra, refused: .signatureModified, path: ".DS_Store") {
            try $0.write("\(id)/.DS_Store", "x")
        },
        Change(name: "a file less", code: .fileMissing, refused: .signatureModified, path: "module.js") {
            try $0.remove("\(id)/module.js")
        },
        Change(
            name: "another library", code: .fileDiffers, refused: .signatureModified, path: LoadingLibrary.fileName
        ) {
            try $0.write("\(id)/\(LoadingLibrary.fileName)", bytes: LoadingLibrary.compile("int evil;"))
        },
        Change(name: "plugin.json with another version", code: .versionDiffers, refused: .signatureModified) {
            try $0.writePlugin(id, id: id, #""backend": true, "library": "sine", "info": {"version": "9.9.9"}"#)
        },
        Change(name: "plugin.json with another permission", code: .fileDiffers, refused: .signatureModified) {
            try $0.writePlugin(
                id, id: id,
                #""backend": true, "library": "sine", "info": {"version": "1.2.3"}, "isolation": "in-process""#)
        },
        Change(name: "a manifest that is cut off", code: .manifestMalformed, refused: .signatureInvalid) { folder in
            let text = try String(contentsOfFile: folder["\(id)/MANIFEST.txt"], encoding: .utf8)
            try folder.write("\(id)/MANIFEST.txt", String(text.prefix(400)))
        },
        Change(name: "a manifest with another digest", code: .signatureBad, refused: .signatureInvalid) { folder in
            let text = try String(contentsOfFile: folder["\(id)/MANIFEST.txt"], encoding: .utf8)
            try folder.write("\(id)/MANIFEST.txt", text.replacing("1.2.3", with: "1.2.4"))
        },
        Change(name: "no manifest", code: .noManifest, refused: .signatureMissing) {
            try $0.remove("\(id)/MANIFEST.txt")
        },
        Change(name: "a manifest of a few bytes", code: .noManifest, refused: .signatureMissing) {
            try $0.write("\(id)/MANIFEST.txt", "signed")
        },
    ]

    @Test(arguments: changes)
    func whatIsNotAsSignedIsRefusedWithTheFact(_ change: Change) async throws {
        try writeSigned()
        try change.make(folder)

        let refusal = try await refusal(pipeline([signer.trusted()]))

        #expect(refusal.code == change.refused && refusal.signature?.code == change.code)
        if let path = change.path { #expect(refusal.signature?.difference?.path == path) }
        #expect(!refusal.found.isEmpty && !refusal.expected.isEmpty && !refusal.remedy.isEmpty)
        let grafana = ["signatureMissing", "signatureModified", "signatureInvalid"]
        #expect(grafana.contains(refusal.grafanaErrorCode ?? ""))
    }

    @Test func aKeyThatIsNotTrustedForThePluginIsNotEnough() async throws {
        try writeSigned()
        var revoked = RevocationList()
        revoked.serial = 1
        revoked.keys = [.init(subject: signer.key.fingerprint, reason: "stolen")]

        let unknown = try await refusal(pipeline([TestSigner("Somebody else").trusted()]))
        let otherPlugin = try await refusal(pipeline([signer.trusted(plugins: ["other-*"])]))
        let otherType = try await refusal(pipeline([signer.trusted(types: [.community])]))
        let stolen = try await refusal(pipeline([signer.trusted()], revoked))

        let codes = [unknown, otherPlugin, otherType, stolen].map { $0.signature?.code }
        #expect(codes == [.keyUnknown, .keyNotForPlugin, .keyNotForType, .keyRevoked])
        #expect(stolen.message.contains("stolen") && stolen.signature?.signer?.owner == "Acme Plugins")
    }

    @Test func aPluginForAnotherServerIsRefused() async throws {
        try writeSigned(rootURLs: ["https://grafana.acme.example/"])

        let here = try await refusal(pipeline([signer.trusted()]))
        let there = await try pipeline([signer.trusted()], rootURL: "https://grafana.acme.example").prepare(folder)

        #expect(here.code == .signatureInvalid && here.signature?.code == .rootURLMismatch)
        #expect(there.validated.map(\.id) == [Self.id])
    }

    @Test func nestedPluginsTakeTheVerdictOfTheirParent() async throws {
        try folder.writePlugin("app", id: "acme-app", type: "app", #""info": {"version": "2.0.0"}"#)
        try folder.writePlugin("app/panel", id: "acme-child-panel", type: "panel")
        try folder.write("app/panel/module.js", "define([],()=>{})")
        try signer.sign(folder["app"])
        let pipeline = try pipeline([signer.trusted(plugins: ["acme-*"])])

        let signed = await pipeline.prepare(folder)
        try folder.write("app/panel/module.js", "evil")
        let changed = await pipeline.prepare(folder)

        #expect(signed.validated.map(\.id) == ["acme-app", "acme-child-panel"])
        #expect(signed.validated.allSatisfy { $0.signature.status == .valid })
        #expect(signed.validated.last?.files.signed?.keys.sorted() == ["module.js", "plugin.json"])
        #expect(changed.validated.isEmpty && changed.refusals.map(\.code) == [.signatureModified, .signatureModified])
    }

    @Test func aKeySignsNeitherNestedPluginsNorAliasesOfOthers() async throws {
        try folder.writePlugin("app", id: "acme-app", type: "app", #""info": {"version": "2.0.0"}"#)
        try folder.writePlugin("app/panel", id: "beta-vault-panel", type: "panel")
        try folder.write("app/panel/module.js", "define([],()=>{})")
        try folder.writePlugin(
            "other", id: "acme-other-panel", type: "panel",
            #""info": {"version": "1.0.0"}, "aliasIDs": ["beta-vault-panel"]"#)
        try folder.write("other/module.js", "define([],()=>{})")
        for name in ["app", "other"] { try signer.sign(folder[name]) }

        let limited = try await pipeline([signer.trusted(plugins: ["acme-*"])]).prepare(folder)
        let free = try await pipeline([signer.trusted(plugins: ["*"])]).prepare(folder)

        #expect(limited.validated.map(\.id) == ["acme-app"])
        #expect(limited.refusals.compactMap(\.pluginID).sorted() == ["acme-other-panel", "beta-vault-panel"])
        #expect(limited.refusals.allSatisfy { $0.signature?.code == .keyNotForPlugin }, "\(limited.refusals)")
        #expect(free.refusals.isEmpty)
    }

    @Test(arguments: ["pipe", "dangling", "name"])
    func whatIsNoFileIsNotSigned(_ kind: String) async throws {
        try folder.writePlugin("app", id: "acme-app", type: "app", #""info": {"version": "2.0.0"}"#)
        try folder.write("app/module.js", "define([],()=>{})")
        try signer.sign(folder["app"])
        let place = folder["app"] + "/x"
        switch kind {
        case "pipe": try #require(mkfifo(place, 0o600) == 0)
        case "dangling": try #require(symlink("nowhere", place) == 0)
        default:
            let bytes = Array((folder["app"] + "/").utf8) + [0xFF, 0]
            let file = bytes.withUnsafeBytes {
                open($0.bindMemory(to: CChar.self).baseAddress!, O_CREAT | O_WRONLY, 0o600)
            }
            try #require(close(file) == 0)
        }

        let prepared = try await pipeline([signer.trusted()]).prepare(folder)

        #expect(prepared.validated.isEmpty)
        #expect(prepared.refusals.first?.signature?.code == .fileSpecial, "\(prepared.refusals)")
    }

    @Test func withoutReadableTrustNoSignatureIsValid() async throws {
        try writeSigned()
        let trust = CurrentTrust(
            unreadable: SigningError(.trustStoreMalformed, "conf/trust/a.json: schemaVersion is not 1"))

        let refusal = try await refusal(
            LoadingPipeline(settings: LoadingSettings(), verifier: TrustVerifier(trust: trust)))
        trust.replace(with: try TrustStore(keys: [signer.trusted()]))
        trust.fail(SigningError(.trustStoreMalformed, "gone again"))

        #expect(refusal.signature?.code == .trustUnreadable && refusal.message.contains("schemaVersion"))
        #expect(try trust.store.keys.count == 1)
    }

    @Test func aRevokedLibraryIsRefusedAlsoWithoutASignature() async throws {
        try writeSigned()
        try folder.remove("\(Self.id)/MANIFEST.txt")
        var revoked = RevocationList()
        revoked.serial = 1
        let digest = FileHasher.digest(of: try LoadingLibrary.minimal.get()).hexadecimal
        revoked.files = [.init(subject: digest, reason: "it steals secrets")]
        var settings = LoadingSettings()
        settings.unsignedIDs = [Self.id]
        let trust = CurrentTrust(try TrustStore(keys: [], revocations: revoked))

        let refusal = try await refusal(LoadingPipeline(settings: settings, verifier: TrustVerifier(trust: trust)))

        #expect(refusal.code == .signatureInvalid && refusal.signature?.code == .fileRevoked)
        #expect(refusal.message.contains("it steals secrets"))
    }
}
