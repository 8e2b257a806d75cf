// SPDX-License-Identifier: Apache-2.0

/// A clear-signed JSON text other than a manifest: a revocation list, the rotation of a key, an index of plugins.
///
/// Each says in its field `kind` what it is, so that none passes for another.
public struct SignedStatement: Sendable {
    /// What was signed, with CRLF line ends.
    public let text: [UInt8]
    /// The field `kind`.
    public let kind: String
    /// The key that signed, of the trust store and not revoked.
    public let signer: TrustedKey
    /// Seconds since 1970.
    public let signedAt: Int64
    let json: StrictJSON

    /// Reads and verifies a statement.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Throws: ``SigningError`` `.statementInvalid` when it is malformed, of another kind, or its signature does not
    ///   verify; `.statementUntrusted` when the store does not have its key or the key is revoked.
    public init(
        opening bytes: [UInt8], kind: String, store: TrustStore, now: Int64
    ) throws(SigningError) {
        let signed: ClearSignedText
        let json: StrictJSON
        do throws(FormatError) {
            signed = try ClearSignedText(parsing: bytes)
            json = try StrictJSON(parsing: signed.text)
        } catch {
            throw SigningError(.statementInvalid, "it is no signed JSON text: \(error.message); get it again")
        }
        guard case .string(kind)? = json["kind"] else {
            throw SigningError(.statementInvalid, "its kind is not '\(kind)'; take the right file")
        }
        let issuers = try SignatureCheck.facts(of: signed.signature).map(\.keyID)
        guard let signer = issuers.lazy.compactMap({ store.key(id: $0) }).first else {
            throw SigningError(
                .statementUntrusted,
                "it is signed by the key \(issuers.first ?? "without id"), which is not trusted; add that key first")
        }
        if let entry = store.revocations.entry(of: signer.key) {
            throw SigningError(
                .statementUntrusted, "its key \(signer.key.keyID) is revoked (\(entry.reason)); get a newer one")
        }
        guard !signer.key.isRevoked else {
            throw SigningError(.statementUntrusted, "its key \(signer.key.keyID) is revoked by its owner")
        }
        do throws(ManifestFault) {
            let facts = try SignatureCheck.verify(
                text: signed.text, signature: signed.signature, key: signer.key, now: now)
            signedAt = facts.createdAt
        } catch {
            throw SigningError(.statementInvalid, "\(error.message); get it again")
        }
        text = signed.text
        self.kind = kind
        self.signer = signer
        self.json = json
    }
}
