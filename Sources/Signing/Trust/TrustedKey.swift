// SPDX-License-Identifier: Apache-2.0

/// A public key with what it may sign.
public struct TrustedKey: Sendable, Equatable {
    /// The key.
    public var key: PublicKey
    /// The name that is shown; usually that of the key's user id.
    public var owner: String
    /// Globs of plugin ids, such as `acme-*`.
    public var plugins: [String]
    /// The signature types that it may grant.
    public var types: Set<Manifest.SignatureType>
    /// The most that its plugins may do.
    public var level: TrustLevel
    /// Whether it may sign the revocation list.
    public var mayRevoke: Bool
    /// The fingerprint of the key that signed this one as its successor, if that is how it came.
    public var rotatedFrom: String?
    /// What grants the trust: `the built-in key of Grafana`, or a policy file.
    public var grantedBy: String

    /// Makes a trusted key that may revoke nothing.
    public init(
        _ key: PublicKey, plugins: [String], types: Set<Manifest.SignatureType>, level: TrustLevel, grantedBy: String
    ) {
        self.key = key
        self.owner = key.owner
        self.plugins = plugins
        self.types = types
        self.level = level
        self.mayRevoke = false
        self.rotatedFrom = nil
        self.grantedBy = grantedBy
    }

    /// Whether one of the globs matches a plugin's id.
    public func maySign(plugin id: String) -> Bool {
        plugins.contains { Glob($0)?.matches(id) == true }
    }

    /// The first of ``plugins`` that is no pattern; nil when all are.
    public var malformedPattern: String? { plugins.first { Glob($0) == nil } }

    /// The key as a verdict names it.
    var signer: SignatureVerdict.Signer {
        SignatureVerdict.Signer(
            fingerprint: key.fingerprint, keyID: key.keyID, owner: owner, grantedBy: grantedBy)
    }
}
