// SPDX-License-Identifier: Apache-2.0

private let grafana: PublicKey = {
    guard let key = try? TrustStore.grafana().key else { fatalError("the built-in key is refused") }
    return key
}()

/// Reads bytes as a clear-signed text and verifies it.
///
/// A text that was accepted is framed again as it was read and must give the same text and signature.
@Sendable func fuzzSignedText(_ bytes: [UInt8]) {
    guard let signed = try? ClearSignedText(parsing: bytes) else { return }
    _ = try? SignatureCheck.verify(text: signed.text, signature: signed.signature, key: grafana, now: 1_767_225_600)
    _ = try? UnverifiedManifest(parsing: bytes)
    let crlf = bytes.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
    precondition((try? ClearSignedText(parsing: crlf)) == signed, "CRLF line ends change what was signed")
}

/// Reads bytes as signature packets and verifies a text with them; no such text was ever signed.
@Sendable func fuzzSignature(_ bytes: [UInt8]) {
    guard let packets = try? SignaturePackets.canonical(bytes) else { return }
    precondition((try? SignaturePackets.canonical(packets)) == packets, "the canonical form is not its own")
    let facts = try? SignatureCheck.verify(
        text: Array("{}".utf8), signature: bytes, key: grafana, now: 1_767_225_600)
    precondition(facts == nil, "a signature that nobody made is good")
}

/// Reads bytes as the text of a manifest; what is accepted must be read again from what we write.
@Sendable func fuzzManifest(_ bytes: [UInt8]) {
    guard let manifest = try? Manifest(parsing: bytes) else { return }
    for file in manifest.files { precondition(ManifestPath.fault(of: file.path) == nil) }
    guard manifest.isSupportedVersion else { return }
    precondition((try? Manifest(parsing: Array(manifest.text.utf8))) == manifest, "our own manifest differs")
}

/// Reads bytes as a public key; what is accepted must be read again from what we write.
@Sendable func fuzzPublicKey(_ bytes: [UInt8]) {
    guard let key = try? PublicKey(parsing: bytes) else { return }
    guard let text = try? key.armored(), let again = try? PublicKey(parsing: Array(text.utf8)) else {
        fatalError("our own armor is refused")
    }
    precondition(again.fingerprint == key.fingerprint)
}

/// Reads bytes as a policy file; what is accepted must be read again from what we write.
@Sendable func fuzzTrustPolicy(_ bytes: [UInt8]) {
    guard let json = try? StrictJSON(parsing: bytes), let policy = try? TrustPolicy(json) else { return }
    guard let again = try? StrictJSON(parsing: Array(policy.text.utf8)) else { fatalError("our own JSON is refused") }
    precondition((try? TrustPolicy(again)) == policy)
}

/// Reads a root URL or pattern and a server's URL, a line each.
@Sendable func fuzzRootURL(_ bytes: [UInt8]) {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", maxSplits: 1)
    guard lines.count == 2 else { return }
    _ = RootURL.isAllowed([String(lines[0])], applicationURL: String(lines[1]), type: .privateGlob)
    _ = Glob(String(lines[0]))?.matches(String(lines[1]))
}
