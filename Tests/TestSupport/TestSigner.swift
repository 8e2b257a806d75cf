// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Signing

/// A publisher with a key of its own, who signs plugins and lists of revocations.
///
/// The manifest is written here and not by the code that is tested, from the format alone.
package struct TestSigner: Sendable {
    package let key: PublicKey
    package let owner: String
    private let secret: String

    package init(_ owner: String = "Acme Plugins") throws {
        self.owner = owner
        let files = try SecretKey.generate(
            .ed25519, owner: owner, passphrase: "", lifetimeSeconds: 0, time: Self.now - 3600)
        secret = files.secret
        key = try PublicKey(parsing: Array(files.publicKey.utf8))
    }

    /// Of the key, as policies and lists of revocations name it.
    package var fingerprint: String { key.fingerprint }

    package static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    /// The key with its grants, for a store in memory.
    package func trusted(
        plugins: [String] = ["*"], types: Set<Manifest.SignatureType> = [.privatePlugin],
        level: TrustLevel = .inProcess, mayRevoke: Bool = false
    ) -> TrustedKey {
        var trusted = TrustedKey(key, plugins: plugins, types: types, level: level, grantedBy: "a test")
        trusted.mayRevoke = mayRevoke
        return trusted
    }

    /// Writes MANIFEST.txt for the files that a folder has now.
    package func sign(_ folder: String, type: String = "private", rootURLs: [String] = []) throws {
        let root = URL(filePath: folder)
        let bytes = try Data(contentsOf: root.appending(path: "plugin.json"))
        let plugin = try JSONSerialization.jsonObject(with: bytes) as? [String: Any] ?? [:]
        var manifest: [String: Any] = [
            "manifestVersion": "2.0.0", "signatureType": type, "signedByOrg": "acme", "signedByOrgName": owner,
            "plugin": plugin["id"] ?? "", "version": (plugin["info"] as? [String: Any])?["version"] ?? "",
            "time": Self.now * 1000, "keyId": key.keyID, "files": try Self.digests(in: root),
        ]
        if !rootURLs.isEmpty { manifest["rootUrls"] = rootURLs }
        let text = try JSONSerialization.data(withJSONObject: manifest, options: [.prettyPrinted, .sortedKeys])
        let signed = try clearSign(String(decoding: text, as: UTF8.self))
        try Data(signed).write(to: root.appending(path: "MANIFEST.txt"), options: .atomic)
    }

    /// The SHA-256 of a file as manifests and lists of revocations have it.
    package static func digest(of file: URL) throws -> String { try FileHasher.digest(ofFile: file.path).hexadecimal }

    private static func digests(in root: URL) throws -> [String: String] {
        var digests: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: root.path) {
            var isFolder: ObjCBool = false
            let file = root.appending(path: path).path
            guard FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), !isFolder.boolValue,
                path != "MANIFEST.txt"
            else { continue }
            digests[path] = try digest(of: URL(filePath: file))
        }
        return digests
    }

    /// A signed list of revocations.
    package func revocations(
        serial: Int64, keys: [String] = [], files: [String] = [], reason: String = "stolen"
    ) throws -> [UInt8] {
        var list = RevocationList()
        list.serial = serial
        list.timeMilliseconds = Self.now * 1000
        list.keys = keys.map { .init(subject: $0, reason: reason) }
        list.files = files.map { .init(subject: $0, reason: reason) }
        return try clearSign(list.text)
    }

    /// Puts the key and its policy into a trust folder, which is made if need be.
    package func install(
        in folder: URL, plugins: [String] = ["*"], level: TrustLevel = .inProcess, mayRevoke: Bool = false
    ) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let policy: [String: Any] = [
            "schemaVersion": 1, "fingerprint": key.fingerprint, "owner": owner, "plugins": plugins,
            "types": ["private"], "level": level.rawValue, "mayRevoke": mayRevoke,
        ]
        let json = try JSONSerialization.data(withJSONObject: policy, options: .sortedKeys)
        try json.write(to: folder.appending(path: "\(key.keyID).json"), options: .atomic)
        try Data(try key.armored().utf8).write(to: folder.appending(path: "\(key.keyID).asc"), options: .atomic)
    }

    /// Writes the secret key into a file, for programs that sign.
    package func writeSecret(to file: URL) throws {
        try Data(secret.utf8).write(to: file)
    }

    /// Takes the key out of a trust folder.
    package func uninstall(from folder: URL) throws {
        for ending in ["asc", "json"] {
            try FileManager.default.removeItem(at: folder.appending(path: "\(key.keyID).\(ending)"))
        }
    }

    private func clearSign(_ text: String) throws -> [UInt8] {
        try SecretKey(parsing: Array(secret.utf8), time: Self.now) { "" }.clearSign(text)
    }
}
