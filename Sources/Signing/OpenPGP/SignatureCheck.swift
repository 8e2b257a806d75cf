// SPDX-License-Identifier: Apache-2.0

internal import CRNP

/// What a signature says about itself.
struct SignatureFacts: Equatable {
    /// 16 lower-case hexadecimal digits.
    var keyID = ""
    var hash = ""
    var algorithm = ""
    /// `binary` or `text`.
    var type = ""
    /// Seconds since 1970.
    var createdAt: Int64 = 0
    /// Seconds after ``createdAt``; 0: for ever.
    var lifetime: Int64 = 0
}

/// Verifies signatures over texts.
enum SignatureCheck {
    /// Clocks differ: a signature may be this many seconds younger than the verifier's clock.
    static let clockTolerance: Int64 = 24 * 3600

    /// What the signatures in some packets say, without judging them.
    static func facts(of signature: [UInt8]) throws(SigningError) -> [SignatureFacts] {
        // Not by the library: it gives facts after a verification alone, and tells of every key that is missing for it.
        do throws(FormatError) {
            return try SignaturePackets.facts(of: signature)
        } catch {
            throw SigningError(.statementInvalid, error.message)
        }
    }

    /// Verifies a text with the one key.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Throws: ``ManifestFault`` with the reason when the signature is not good.
    /// - Returns: The facts of the signature that is good.
    static func verify(
        text: [UInt8], signature: [UInt8], key: PublicKey, now: Int64
    ) throws(ManifestFault) -> SignatureFacts {
        do {
            let context = try OpenPGPContext(time: now + clockTolerance)
            try context.importKeys(key.packets, secret: false)
            let operation = try Operation(context, text: text, signature: signature)
            let found = operation.signatures()
            guard !found.isEmpty else { throw ManifestFault(.signatureMalformed, "it has no signature") }
            guard let match = found.first(where: { key.member($0.facts.keyID) != nil }) else {
                throw ManifestFault(
                    .signatureMalformed,
                    "it is signed by the key \(found[0].facts.keyID), its text names \(key.keyID)")
            }
            try judge(match, key: key, now: now)
            return match.facts
        } catch let fault as ManifestFault {
            throw fault
        } catch {
            let words = (error as? SigningError)?.message ?? "\(error)"
            throw ManifestFault(.signatureMalformed, "its signature cannot be read: \(words)")
        }
    }

    private static func judge(_ found: Found, key: PublicKey, now: Int64) throws(ManifestFault) {
        let facts = found.facts
        guard let member = key.member(facts.keyID) else { return }
        guard facts.type == "text" || facts.type == "binary" else {
            throw ManifestFault(.signatureMalformed, "its signature is of the type '\(facts.type)', not one of a text")
        }
        if let weakness = AlgorithmPolicy.weakness(ofHash: facts.hash) ?? member.weakness {
            throw ManifestFault(.algorithmWeak, "its signature is refused: \(weakness)")
        }
        guard member.canSign else {
            throw ManifestFault(
                .signatureMalformed, "it is signed by the subkey \(facts.keyID), which is not for signing")
        }
        guard !member.isRevoked else {
            throw ManifestFault(.keyRevoked, "its owner has revoked the subkey \(facts.keyID) that signed")
        }
        guard facts.createdAt <= now + clockTolerance else {
            throw ManifestFault(.signatureTime, "it says that it was signed in the future")
        }
        guard facts.createdAt >= member.createdAt else {
            throw ManifestFault(.signatureTime, "it says that it was signed before its key was made")
        }
        if let end = [member.expiresAt, key.expiresAt].compactMap({ $0 }).min(), facts.createdAt >= end {
            throw ManifestFault(.keyExpired, "the key \(facts.keyID) had expired when it signed")
        }
        // The library's clock is ahead by the tolerance, and its word about the end comes too early by that.
        if facts.lifetime > 0, now + clockTolerance >= facts.createdAt + facts.lifetime {
            throw ManifestFault(.signatureExpired, "its signature was valid for a time that has ended")
        }
        guard found.status == 0 else {
            throw ManifestFault(
                .signatureBad, "its text was changed after it was signed, or the signature is not its own")
        }
    }

    /// A signature of an operation.
    private struct Found {
        var facts: SignatureFacts
        /// 0: the signature matches the text.
        var status: rnp_result_t
    }

    /// A verification that has been carried out.
    private final class Operation {
        private var operation: rnp_op_verify_t?

        init(_ context: OpenPGPContext, text: [UInt8], signature: [UInt8]) throws(SigningError) {
            let packets: [UInt8]
            do throws(FormatError) {
                packets = try SignaturePackets.canonical(signature)
            } catch {
                throw SigningError(.statementInvalid, error.message)
            }
            var created: rnp_op_verify_t?
            let result = context.withInput(text) { data in
                context.withInput(packets) { detached in
                    let result = rnp_op_verify_detached_create(&created, context.ffi, data, detached)
                    guard result == 0 else { return result }
                    // Its result sums up all signatures; each is asked for its own below.
                    _ = rnp_op_verify_execute(created)
                    return 0
                }
            }
            operation = created
            try openPGP(result, "verify")
        }

        deinit {
            rnp_op_verify_destroy(operation)
        }

        func signatures() -> [Found] {
            var count = 0
            guard rnp_op_verify_get_signature_count(operation, &count) == 0 else { return [] }
            return (0..<count).compactMap { place in
                var signature: rnp_op_verify_signature_t?
                guard rnp_op_verify_get_signature_at(operation, place, &signature) == 0 else { return nil }
                return Found(
                    facts: facts(of: signature), status: rnp_op_verify_signature_get_status(signature))
            }
        }

        private func facts(of signature: rnp_op_verify_signature_t?) -> SignatureFacts {
            var handle: rnp_signature_handle_t?
            guard rnp_op_verify_signature_get_handle(signature, &handle) == 0, let handle else {
                return SignatureFacts()
            }
            defer { rnp_signature_handle_destroy(handle) }
            var facts = SignatureFacts()
            facts.keyID = openPGPText { rnp_signature_get_keyid(handle, $0) }.lowercased()
            facts.hash = openPGPText { rnp_signature_get_hash_alg(handle, $0) }
            facts.algorithm = openPGPText { rnp_signature_get_alg(handle, $0) }
            facts.type = openPGPText { rnp_signature_get_type(handle, $0) }
            var time: UInt32 = 0
            if rnp_signature_get_creation(handle, &time) == 0 { facts.createdAt = Int64(time) }
            var lifetime: UInt32 = 0
            if rnp_signature_get_expiration(handle, &lifetime) == 0 { facts.lifetime = Int64(lifetime) }
            return facts
        }
    }
}
