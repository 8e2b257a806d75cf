// SPDX-License-Identifier: Apache-2.0

/// The keys that are trusted, with what each may sign, and what is revoked: an immutable value.
public struct TrustStore: Sendable, Equatable {
    /// The keys; no two have the same fingerprint or key id.
    public private(set) var keys: [TrustedKey]
    /// What is revoked.
    public var revocations: RevocationList

    /// Makes a store.
    ///
    /// - Throws: ``SigningError`` `.trustStoreMalformed` when two keys have the same id.
    public init(keys: [TrustedKey], revocations: RevocationList = RevocationList()) throws(SigningError) {
        self.keys = keys
        self.revocations = revocations
        var seen: Set<String> = []
        for id in keys.flatMap({ $0.key.members.map(\.keyID) }) where !seen.insert(id).inserted {
            throw SigningError(
                .trustStoreMalformed, "the trust store has the key \(id) twice; remove one of the two files")
        }
    }

    /// The trusted key whose primary key or subkey has an id: 16 hexadecimal digits of either case.
    public func key(id: String) -> TrustedKey? {
        let wanted = id.lowercased()
        return keys.first { $0.key.member(wanted) != nil }
    }

    /// A store that trusts Grafana's own key for all plugins and types, in the server's process, and nobody else.
    public static func builtIn() throws(SigningError) -> TrustStore {
        try TrustStore(keys: [grafana()])
    }

    static func grafana() throws(SigningError) -> TrustedKey {
        var key = TrustedKey(
            try PublicKey(parsing: Array(GrafanaKey.armored.utf8)), plugins: ["*"],
            types: Set(Manifest.SignatureType.allCases), level: .inProcess, grantedBy: "the built-in key of Grafana")
        key.owner = "Grafana Labs"
        return key
    }
}
