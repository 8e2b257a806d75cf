// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Signing

/// What can be signed.
struct DraftTests {
    private func draft(_ plugin: TemporaryPlugin, _ request: SigningRequest) throws -> ManifestDraft {
        try ManifestDraft(of: FolderContent(plugin.path), request: request, keyID: "0123456789abcdef")
    }

    @Test func theTextIsThatOfTheManifest() throws {
        let plugin = try TemporaryPlugin()

        let draft = try draft(plugin, TemporaryPlugin.request(rootURLs: ["https://grafana.acme.example/"]))

        #expect(try Manifest(parsing: Array(draft.text.utf8)) == draft.manifest)
        #expect(draft.manifest.files.map(\.path) == ["img/logo.svg", "module.js", "plugin.json"])
        #expect(draft.warnings.isEmpty)
    }

    @Test func namesWithEveryCharacterAreQuoted() throws {
        let plugin = try TemporaryPlugin()
        try plugin.folder.write("a \"b\"\u{1}\n\u{7F}é.txt", "")
        try plugin.sign()

        #expect(try plugin.verdict().code == .valid)
    }

    static let requests: [SigningRequest] = [
        SigningRequest(type: .privatePlugin, organization: "", organizationName: "Acme", rootURLs: [], time: 1),
        SigningRequest(type: .privatePlugin, organization: "acme", organizationName: "", rootURLs: [], time: 1),
        SigningRequest(type: .privatePlugin, organization: "acme", organizationName: "Acme", rootURLs: [], time: 0),
        SigningRequest(type: .privateGlob, organization: "acme", organizationName: "Acme", rootURLs: [], time: 1),
        SigningRequest(type: .privateGlob, organization: "a", organizationName: "A", rootURLs: ["http://h/["], time: 1),
        SigningRequest(type: .privatePlugin, organization: "a", organizationName: "A", rootURLs: ["h:3000"], time: 1),
    ]

    @Test(arguments: requests)
    func requestsThatBreakARuleAreRefused(_ request: SigningRequest) throws {
        let plugin = try TemporaryPlugin()

        let error = #expect(throws: SigningError.self) { try draft(plugin, request) }

        #expect(error?.code == .contentUnsignable)
    }

    @Test(arguments: ["{}", "[]", "text", #"{"id": "acme-sine-datasource"}"#, #"{"id": 7, "info": {"version": "1"}}"#])
    func pluginJSONNeedsIDAndVersion(text: String) throws {
        let plugin = try TemporaryPlugin()
        try plugin.folder.write("plugin.json", text)

        let error = #expect(throws: SigningError.self) { try draft(plugin, TemporaryPlugin.request()) }

        #expect(error?.code == .contentUnsignable)
    }

    @Test func namesThatNoManifestCanHoldAreRefused() throws {
        let plugin = try TemporaryPlugin()
        try plugin.folder.write("a\\b", "")

        let error = #expect(throws: SigningError.self) { try draft(plugin, TemporaryPlugin.request()) }

        #expect(error?.code == .contentUnsignable)
    }

    static let strays = [
        ".env", "keys/server.pem", "id_rsa", ".DS_Store", "img/Thumbs.db", ".git/config", "node_modules/x/index.js",
        "a.swp",
    ]

    @Test(arguments: strays)
    func filesThatShouldNotShipAreNamed(path: String) {
        #expect(StrayFile.warning(path)?.hasPrefix("\(path): ") == true)
    }

    @Test(arguments: [
        "module.js", "module.js.map", "README.md", "img/logo.svg", "gpx_sine_linux_amd64", "identity.json",
    ])
    func filesOfAReleaseAreNotNamed(path: String) {
        #expect(StrayFile.warning(path) == nil)
    }

    @Test func aSignatureOfAnotherTextIsNoticed() throws {
        let plugin = try TemporaryPlugin()
        let key = try TestKeys.acme.open()
        let draft = try draft(plugin, TemporaryPlugin.request())

        let error = #expect(throws: SigningError.self) {
            try draft.check(signed: key.clearSign("{}"), by: key.publicKey, now: TestKeys.now)
        }

        #expect(error?.code == .openPGPFailure)
    }
}
