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

    /// The trusted key whose primary key or subkey has an id of 16, or a fingerprint of 40 hexadecimal digits.
    public func key(id: String) -> TrustedKey? { keys.first { $0.key.isNamed(id) } }

    /// Whether two keys, by their fingerprints, are of one publisher: the same, or one came by rotation from the other or
    /// both from a third.
    public func isSamePublisher(_ one: String, _ other: String) -> Bool {
        !line(of: one).isDisjoint(with: line(of: other))
    }

    /// A key and those that it succeeds, as far as the store knows them.
    private func line(of fingerprint: String) -> Set<String> {
        var line: Set<String> = [fingerprint]
        var last = fingerprint
        while let before = keys.first(where: { $0.key.fingerprint == last })?.rotatedFrom, line.insert(before).inserted
        {
            last = before
        }
        return line
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
