// SPDX-License-Identifier: Apache-2.0

internal import CRNP

/// An OpenPGP key that signs.
///
/// Belongs to one thread at a time.
public final class SecretKey {
    /// What keys are made of.
    public enum Algorithm: String, Sendable, CaseIterable {
        case ed25519
        case p521
    }

    private let context: OpenPGPContext
    private let handle: OpenPGPHandle
    private let time: Int64
    /// The public half.
    public let publicKey: PublicKey

    /// Reads one secret key, armored or not.
    ///
    /// - Parameters:
    ///   - time: When it signs, seconds since 1970; a key that has expired by then does not sign.
    ///   - passphrase: Asked once, when the key is locked.
    /// - Throws: ``SigningError`` `.keyMalformed`, `.keyUnusable` or `.passphraseWrong`, or what `passphrase` throws.
    public init(parsing bytes: [UInt8], time: Int64, passphrase: () throws -> String) throws {
        self.time = time
        let packets = try PublicKey.packets(of: bytes, kind: "PGP PRIVATE KEY BLOCK")
        context = try OpenPGPContext(time: time)
        do throws(SigningError) {
            try context.importKeys(packets, secret: true)
        } catch {
            throw SigningError(.keyMalformed, "the secret key is damaged (\(error.message)); export it again")
        }
        let handles = try context.keys()
        publicKey = try Self.publicKey(of: handles, in: context)
        let known = publicKey
        let usable = handles.filter { handle in
            let id = handle.text(rnp_key_get_keyid).lowercased()
            return known.member(id).map { $0.canSign && $0.weakness == nil && !$0.isRevoked } == true
                && handle.flag(rnp_key_have_secret)
        }
        guard let handle = usable.first(where: { $0.flag(rnp_key_is_primary) }) ?? usable.first else {
            throw SigningError(.keyUnusable, "the file has no secret key that can sign; export the secret key")
        }
        self.handle = handle
        if handle.flag(rnp_key_is_locked) {
            guard rnp_key_unlock(handle.key, try passphrase()) == 0 else {
                throw SigningError(.passphraseWrong, "the passphrase does not open the key \(known.keyID); try again")
            }
        }
    }

    private static func publicKey(
        of handles: [OpenPGPHandle], in context: OpenPGPContext
    ) throws(SigningError) -> PublicKey {
        guard let primary = handles.first(where: { $0.flag(rnp_key_is_primary) }) else {
            throw SigningError(.keyMalformed, "the file has no primary key; export the whole key")
        }
        let bytes = try context.output("export the key") {
            rnp_key_export(primary.key, $0, 1 << 1 | 1 << 3)  // RNP_KEY_EXPORT_PUBLIC, RNP_KEY_EXPORT_SUBKEYS
        }
        return try PublicKey(parsing: bytes)
    }

    /// The id of the key or subkey that signs.
    public var signingKeyID: String { handle.text(rnp_key_get_keyid).lowercased() }

    private func checkTime() throws(SigningError) {
        guard let member = publicKey.member(signingKeyID) else { return }
        let start = max(member.createdAt, publicKey.createdAt)
        guard time >= start else {
            throw SigningError(
                .keyUnusable,
                "the key \(signingKeyID) was made at \(start) (seconds since 1970) and cannot sign for the time \(time) before "
                    + "it; correct SOURCE_DATE_EPOCH or the clock, or take an older key")
        }
        if let end = [member.expiresAt, publicKey.expiresAt].compactMap({ $0 }).min(), time >= end {
            throw SigningError(
                .keyUnusable,
                "the key \(signingKeyID) has expired at \(end) (seconds since 1970) and cannot sign for the time \(time); "
                    + "correct SOURCE_DATE_EPOCH or the clock, or take a newer key")
        }
    }

    /// Signs a text: a message as MANIFEST.txt is one, with an empty first line and LF line ends.
    ///
    /// - Throws: ``SigningError`` `.keyUnusable` for a time before the key was made or after its end.
    public func clearSign(_ text: String) throws(SigningError) -> [UInt8] {
        try checkTime()
        let bytes = try context.output("sign") { output in
            context.withInput(Array(text.utf8)) { input in
                var operation: rnp_op_sign_t?
                var result = rnp_op_sign_cleartext_create(&operation, context.ffi, input, output)
                guard result == 0 else { return result }
                defer { rnp_op_sign_destroy(operation) }
                result = rnp_op_sign_set_hash(operation, "SHA512")
                if result == 0 { result = rnp_op_sign_set_creation_time(operation, UInt32(clamping: time)) }
                if result == 0 { result = rnp_op_sign_add_signature(operation, handle.key, nil) }
                return result == 0 ? rnp_op_sign_execute(operation) : result
            }
        }
        return [0x0A] + bytes.filter { $0 != 0x0D }
    }
}

extension SecretKey {
    /// A new key, as the two files to keep.
    public struct Files: Sendable {
        /// The armored secret key, locked with the passphrase if there is one.
        public var secret: String
        /// The armored public key.
        public var publicKey: String
    }

    /// Makes a key for signing.
    ///
    /// - Parameters:
    ///   - owner: The user id, such as `Acme <plugins@acme.example>`.
    ///   - passphrase: Empty: the secret key is not locked.
    ///   - lifetimeSeconds: 0: it does not expire.
    public static func generate(
        _ algorithm: Algorithm, owner: String, passphrase: String, lifetimeSeconds: UInt32, time: Int64
    ) throws(SigningError) -> Files {
        let context = try OpenPGPContext(time: time)
        var operation: rnp_op_generate_t?
        let name = algorithm == .ed25519 ? "EDDSA" : "ECDSA"
        try openPGP(rnp_op_generate_create(&operation, context.ffi, name), "prepare a key")
        defer { rnp_op_generate_destroy(operation) }
        if algorithm == .p521 { try openPGP(rnp_op_generate_set_curve(operation, "NIST P-521"), "set the curve") }
        try openPGP(rnp_op_generate_set_hash(operation, "SHA512"), "set the hash")
        try openPGP(rnp_op_generate_add_usage(operation, "sign"), "set the usage")
        try openPGP(rnp_op_generate_set_userid(operation, owner), "set the owner '\(owner)'")
        try openPGP(rnp_op_generate_set_expiration(operation, lifetimeSeconds), "set the expiry")
        if !passphrase.isEmpty {
            try openPGP(rnp_op_generate_set_protection_cipher(operation, "AES256"), "set the cipher")
            try openPGP(rnp_op_generate_set_protection_hash(operation, "SHA512"), "set the cipher's hash")
            try openPGP(rnp_op_generate_set_protection_password(operation, passphrase), "set the passphrase")
        }
        try openPGP(rnp_op_generate_execute(operation), "make a key")
        var made: rnp_key_handle_t?
        try openPGP(rnp_op_generate_get_key(operation, &made), "find the new key")
        guard let made else { throw SigningError(.openPGPFailure, "OpenPGP: librnp gave no key") }
        let handle = OpenPGPHandle(made)
        // RNP_KEY_EXPORT_ARMORED with RNP_KEY_EXPORT_SECRET or RNP_KEY_EXPORT_PUBLIC.
        let secret = try context.output("export the key") { rnp_key_export(handle.key, $0, 1 << 0 | 1 << 2) }
        let open = try context.output("export the key") { rnp_key_export(handle.key, $0, 1 << 0 | 1 << 1) }
        return Files(
            secret: String(decoding: secret.filter { $0 != 0x0D }, as: UTF8.self),
            publicKey: String(decoding: open.filter { $0 != 0x0D }, as: UTF8.self))
    }
}
