// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Signing
import TestSupport
import Testing

@testable import Catalog

/// Folders of one test: archives, a plugins folder, a trust store with one key, and what programs print.
final class Workplace: Sendable {
    let folder: URL
    let plugins: URL
    let trust: URL

    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "catalog-\(UUID().uuidString)")
        plugins = folder.appending(path: "plugins")
        trust = folder.appending(path: "trust")
        try FileManager.default.createDirectory(at: trust, withIntermediateDirectories: true)
        try Publisher.acme.trust(in: trust)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    func write(_ text: String, to name: String) throws {
        let file = folder.appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    /// What the plugins folder holds: paths with their content, without what is the catalogue's own.
    func tree() throws -> [String: Data] {
        var tree: [String: Data] = [:]
        guard FileManager.default.fileExists(atPath: plugins.path) else { return tree }
        for entry in try FileTree.entries(of: plugins.path)
        where entry.kind == .file && !entry.path.hasPrefix(PluginsFolder.workspaceName)
            && entry.path != "plugins.lock.json"
        {
            tree[entry.path] = try Data(contentsOf: plugins.appending(path: entry.path))
        }
        return tree
    }

    /// What is left in the catalogue's own folder besides the lock and what it keeps on purpose.
    func rubbish() throws -> [String] {
        let root = plugins.appending(path: PluginsFolder.workspaceName).path
        guard FileManager.default.fileExists(atPath: root) else { return [] }
        return try FileTree.entries(of: root).map(\.path).filter { path in
            !["lock", "kept", "catalogues.json", "catalogues.lock", "applied.json"].contains(path)
                && !path.hasPrefix("kept/")
        }
    }

    /// What every command that changes something does first.
    func clearUp() throws { _ = try FolderClaim(PluginsFolder(path: plugins.path)) }

    /// The version that is in the folder.
    func version(of id: String = "acme-sine-panel") throws -> String? {
        try PluginsFolder(path: plugins.path).installed(id)?.facts.version
    }
}

/// Who signs packages in tests.
struct Publisher: Sendable {
    let files: SecretKey.Files
    let owner: String

    static let acme = Publisher("Acme <plugins@acme.example>")
    static let other = Publisher("Other <other@other.example>")

    private init(_ owner: String) {
        self.owner = owner
        do {
            files = try SecretKey.generate(
                .ed25519, owner: owner, passphrase: "", lifetimeSeconds: 0, time: TrustJudge.now - 3600)
        } catch {
            fatalError("no key for the tests: \(error)")
        }
    }

    func key() throws -> SecretKey {
        try SecretKey(parsing: Array(files.secret.utf8), time: TrustJudge.now) { "" }
    }

    var fingerprint: String {
        get throws { try key().publicKey.fingerprint }
    }

    /// Puts the public key and its policy into a trust store.
    ///
    /// - Parameter predecessor: Whose key named this one as its successor.
    func trust(
        in folder: URL, plugins: JSONValue = ["*"], after predecessor: Publisher? = nil
    ) throws {
        let name = owner.prefix { $0.isLetter }.lowercased()
        try Data(files.publicKey.utf8).write(to: folder.appending(path: "\(name).asc"))
        var policy: JSONObject = [
            "schemaVersion": 1, "fingerprint": .string(try fingerprint), "owner": .string(String(name)),
            "plugins": plugins, "types": ["community"], "level": "process",
        ]
        if let predecessor { policy["rotatedFrom"] = .string(try predecessor.fingerprint) }
        try Data(JSONValue.object(policy).encoded().utf8).write(to: folder.appending(path: "\(name).json"))
    }

    /// The MANIFEST.txt of these files.
    func manifest(id: String, version: String, files: [String: Data]) throws -> Data {
        let key = try key()
        var hashes = JSONObject()
        for (path, data) in files.sorted(by: { $0.key < $1.key }) { hashes[path] = .string(data.sha256) }
        let value: JSONValue = [
            "manifestVersion": "2.0.0", "signatureType": "community", "signedByOrg": "acme", "signedByOrgName": "Acme",
            "plugin": .string(id), "version": .string(version), "time": .integer(TrustJudge.now * 1000 - 60_000),
            "keyId": .string(key.signingKeyID), "files": .object(hashes),
        ]
        return Data(try key.clearSign(JSONText.indented(value) + "\n"))
    }
}

extension Data {
    var sha256: String {
        let file = FileManager.default.temporaryDirectory.appending(path: "hash-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        do {
            try write(to: file)
            return try TreeHash.ofFile(file.path)
        } catch {
            return "\(error)"
        }
    }
}

/// A package to make.
struct Package: Sendable {
    var id = "acme-sine-panel"
    var version = "1.0.0"
    var needs: [String] = []
    var permissions: JSONValue?
    var serverRange = ">=12.0.0"
    var publisher: Publisher? = .acme
    /// The id of a plugin in a folder of its own within the package.
    var nested: String?
    /// More content, so that a download takes more than one piece.
    var ballast = 0

    /// The files with their signature.
    func files() throws -> [String: Data] {
        var json: JSONValue = [
            "id": .string(id), "type": "panel", "name": .string("Panel \(id)"),
            "info": [
                "version": .string(version), "description": "Draws waves", "keywords": ["wave"],
                "author": ["name": "Acme"],
            ],
            "dependencies": [
                "grafanaDependency": .string(serverRange),
                "plugins": .array(needs.map { ["id": .string($0), "type": "panel", "name": .string($0)] }),
            ],
        ]
        if let permissions { json["permissions"] = permissions }
        var files = [
            "plugin.json": Data(json.encoded().utf8), "module.js": Data("define([], () => '\(version)')".utf8),
            "img/logo.svg": Data("<svg/>".utf8),
        ]
        if let nested {
            files["nested/plugin.json"] = Data(#"{"id": "\#(nested)", "type": "panel", "name": "N"}"#.utf8)
        }
        if ballast > 0 {
            var generator = SystemRandomNumberGenerator()
            files["img/noise.bin"] = Data((0..<ballast).map { _ in UInt8.random(in: 0...255, using: &generator) })
        }
        if let publisher { files["MANIFEST.txt"] = try publisher.manifest(id: id, version: version, files: files) }
        return files
    }

    /// Writes the files into a folder.
    @discardableResult
    func write(to folder: URL) throws -> URL {
        for (path, data) in try files() {
            let file = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try data.write(to: file)
        }
        return folder
    }

    /// Makes a zip archive with Python's zipfile, as Grafana's packagers lay it out.
    func zip(_ target: URL) async throws {
        let parent = FileManager.default.temporaryDirectory.appending(path: "package-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: parent) }
        try write(to: parent.appending(path: id))
        try FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        let run = try await Tool.run(
            "python3", ["-m", "zipfile", "-c", target.path, parent.appending(path: id).path])
        guard run.status == 0 else { throw RealServerError("zipfile: \(run.output)") }
    }
}
