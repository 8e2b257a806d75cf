// SPDX-License-Identifier: Apache-2.0

/// A statement with which a trusted key names its successor: JSON with the new key, signed by the old one.
public struct KeyRotation: Sendable {
    /// The key that signs from now on.
    public let successor: PublicKey
    /// What the statement's text says that it is.
    static let kind = "grafana-key-rotation"
    /// The largest statement that is read: 2 MiB.
    public static let maximumBytes = 2 << 20

    /// Names a successor.
    public init(successor: PublicKey) {
        self.successor = successor
    }

    /// The text to sign with the old key.
    ///
    /// - Parameter time: Seconds since 1970.
    public func text(time: Int64) throws(SigningError) -> String {
        StrictJSON.object([
            .init(key: "kind", value: .string(Self.kind)), .init(key: "schemaVersion", value: .integer(1)),
            .init(key: "time", value: .integer(time * 1000)),
            .init(key: "fingerprint", value: .string(successor.fingerprint)),
            .init(key: "publicKey", value: .string(try successor.armored())),
        ]).indentedText()
    }

    /// The successor with all that the key which signed the statement may do.
    ///
    /// - Throws: ``SigningError`` `.statementInvalid`, or `.statementUntrusted` when the old key is not trusted, is
    ///   revoked, or had expired when it signed.
    public static func open(
        _ bytes: [UInt8], store: TrustStore, now: Int64
    ) throws(SigningError) -> TrustedKey {
        let statement = try SignedStatement(opening: bytes, kind: kind, store: store, now: now)
        guard case .string(let text)? = statement.json["publicKey"],
            case .string(let fingerprint)? = statement.json["fingerprint"]
        else { throw SigningError(.statementInvalid, "it names no new key; make it again with trust rotate") }
        let key = try PublicKey(parsing: Array(text.utf8))
        guard key.fingerprint == fingerprint else {
            throw SigningError(.statementInvalid, "its key is not the one that it names; make it again")
        }
        guard store.revocations.entry(of: key) == nil else {
            throw SigningError(.statementUntrusted, "its new key \(key.keyID) is revoked; get a newer statement")
        }
        // Else an owner could give the grants of his key to, and take its own from, a key that somebody else has.
        if let known = key.members.lazy.compactMap({ store.key(id: $0.keyID) }).first {
            throw SigningError(
                .statementUntrusted,
                "its new key \(key.keyID) is trusted already (\(known.owner)); change what it may do with trust add")
        }
        var trusted = statement.signer
        trusted.key = key
        trusted.owner = key.owner
        trusted.rotatedFrom = statement.signer.key.fingerprint
        return trusted
    }
}
