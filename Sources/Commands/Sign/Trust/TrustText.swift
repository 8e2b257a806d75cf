// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Signing

/// A trust store for people and programs.
enum TrustText {
    static func text(_ store: TrustStore) -> String {
        var text = store.keys.map { lines(of: $0, revoked: store.revocations.entry(of: $0.key)) }
            .joined(separator: "\n")
        let list = store.revocations
        guard list.serial > 0 else { return text }
        text +=
            "\n"
            + KeyText.text([
                ("revocations", "list \(list.serial) of \(SigningClock.text(seconds: list.timeMilliseconds / 1000))")
            ])
        for entry in list.keys + list.files { text += KeyText.text([("", "\(entry.subject) \(entry.reason)")]) }
        return text
    }

    static func lines(of trusted: TrustedKey, revoked: RevocationList.Entry? = nil) -> String {
        var facts = [("key", "\(trusted.key.keyID)  \(trusted.owner)"), ("fingerprint", trusted.key.fingerprint)]
        facts.append(("algorithm", trusted.key.algorithm))
        facts.append(("plugins", trusted.plugins.isEmpty ? "none" : trusted.plugins.joined(separator: ", ")))
        facts.append(("types", types(of: trusted).isEmpty ? "none" : types(of: trusted).joined(separator: ", ")))
        facts.append(("may run", trusted.level == .inProcess ? "in the server's process" : "in processes of their own"))
        if trusted.mayRevoke { facts.append(("may revoke", "yes")) }
        if let expiry = trusted.key.expiresAt { facts.append(("expires", SigningClock.text(seconds: expiry))) }
        if let old = trusted.rotatedFrom { facts.append(("successor of", old)) }
        facts.append(("trusted by", trusted.grantedBy))
        if let revoked { facts.append(("REVOKED", revoked.reason)) }
        return KeyText.text(facts)
    }

    private static func types(of trusted: TrustedKey) -> [String] {
        Manifest.SignatureType.allCases.filter(trusted.types.contains).map(\.rawValue)
    }

    static func json(_ store: TrustStore) -> String {
        let keys = store.keys.map { trusted -> JSONValue in
            [
                "keyId": .string(trusted.key.keyID), "fingerprint": .string(trusted.key.fingerprint),
                "owner": .string(trusted.owner), "algorithm": .string(trusted.key.algorithm),
                "plugins": .array(trusted.plugins.map { .string($0) }),
                "types": .array(types(of: trusted).map { .string($0) }), "level": .string(trusted.level.rawValue),
                "mayRevoke": .bool(trusted.mayRevoke),
                "expiresAt": trusted.key.expiresAt.map { .string(SigningClock.text(seconds: $0)) } ?? .null,
                "rotatedFrom": trusted.rotatedFrom.map { .string($0) } ?? .null,
                "grantedBy": .string(trusted.grantedBy),
                "revoked": store.revocations.entry(of: trusted.key).map { .string($0.reason) } ?? .null,
            ]
        }
        func entries(_ list: [RevocationList.Entry], _ name: String) -> JSONValue {
            .array(list.map { [name: .string($0.subject), "reason": .string($0.reason)] as JSONValue })
        }
        let list = store.revocations
        let document: JSONValue = [
            "schemaVersion": 1, "keys": .array(keys),
            "revocations": [
                "serial": .integer(list.serial), "keys": entries(list.keys, "fingerprint"),
                "files": entries(list.files, "sha256"),
            ],
        ]
        return document.encoded() + "\n"
    }
}
