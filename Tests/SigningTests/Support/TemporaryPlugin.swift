// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Testing

@testable import Signing

/// A folder that is removed when nobody needs it any more.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "signing-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.resolvingSymlinksInPath().path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ name: String, _ text: String) throws {
        try write(name, bytes: Array(text.utf8))
    }

    func write(_ name: String, bytes: [UInt8]) throws {
        let url = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: path).appending(path: name)))
    }

    /// Another name of the same file, for tests with very many.
    func copy(_ name: String, to other: String) throws {
        try #require(Glibc.link("\(path)/\(name)", "\(path)/\(other)") == 0)
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: "\(path)/\(name)")
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: "\(path)/\(name)", withDestinationPath: target)
    }
}

/// A small plugin that tests sign and spoil.
struct TemporaryPlugin {
    let folder: TemporaryFolder
    var path: String { folder.path }

    init(id: String = "acme-sine-datasource", version: String = "1.2.0") throws {
        folder = try TemporaryFolder()
        try folder.write("plugin.json", #"{"id": "\#(id)", "type": "datasource", "info": {"version": "\#(version)"}}"#)
        try folder.write("module.js", "define([], function () {});\n")
        try folder.write("img/logo.svg", "<svg/>\n")
    }

    static func request(
        type: Manifest.SignatureType = .privatePlugin, rootURLs: [String] = [], time: Int64 = TestKeys.signingTime
    ) -> SigningRequest {
        SigningRequest(type: type, organization: "acme", organizationName: "Acme", rootURLs: rootURLs, time: time)
    }

    @discardableResult
    func sign(_ files: SecretKey.Files = TestKeys.acme, _ request: SigningRequest = request()) throws -> [UInt8] {
        let key = try files.open(at: request.time)
        let draft = try ManifestDraft(of: FolderContent(path), request: request, keyID: key.publicKey.keyID)
        let signed = try key.clearSign(draft.text)
        try draft.check(signed: signed, by: key.publicKey, now: request.time)
        try ManifestDraft.write(signed, to: path)
        return signed
    }

    /// Signs any text as the manifest.
    func sign(text: String, _ files: SecretKey.Files = TestKeys.acme) throws {
        try folder.write("MANIFEST.txt", bytes: files.open().clearSign(text))
    }

    func verdict(
        _ keys: [TrustedKey]? = nil, revocations: RevocationList = RevocationList(), rootURL: String? = nil,
        now: Int64 = TestKeys.now
    ) throws -> SignatureVerdict {
        let store = try TrustStore(keys: keys ?? [TestKeys.acme.trusted()], revocations: revocations)
        return try Verifier(store: store, rootURL: rootURL).verdict(folder: path, now: now)
    }
}
