// SPDX-License-Identifier: Apache-2.0

internal import CRNP

/// An OpenPGP public key with its subkeys.
public struct PublicKey: Sendable, Equatable {
    /// The primary key or a subkey.
    struct Member: Sendable, Equatable {
        var keyID: String
        /// 40 upper-case hexadecimal digits.
        var fingerprint: String
        var createdAt: Int64
        /// Nil: never.
        var expiresAt: Int64?
        var canSign: Bool
        /// Nil when it is strong enough.
        var weakness: String?
        var isRevoked: Bool
    }

    /// The packets, without armor.
    let packets: [UInt8]
    /// The primary key, then the subkeys.
    let members: [Member]
    /// 40 upper-case hexadecimal digits.
    public let fingerprint: String
    /// The user id, such as `Acme <plugins@acme.example>`.
    public let owner: String
    /// Such as `ECDSA NIST P-521`, `EDDSA` or `RSA 4096`.
    public let algorithm: String

    /// The id as manifests name it: 16 lower-case hexadecimal digits.
    public var keyID: String { members[0].keyID }
    /// Seconds since 1970.
    public var createdAt: Int64 { members[0].createdAt }
    /// Seconds since 1970; nil: never.
    public var expiresAt: Int64? { members[0].expiresAt }
    /// Whether its owner has revoked it.
    public var isRevoked: Bool { members[0].isRevoked }

    /// The largest key file that is read: 1 MiB.
    public static let maximumBytes = 1 << 20

    /// Reads one key, armored or not; whatever stands around an armored one is ignored.
    ///
    /// - Throws: ``SigningError`` `.keyMalformed` for anything but exactly one key, `.keyUnusable` for one that cannot
    ///   sign, is too weak, or whose own signatures do not hold.
    public init(parsing bytes: [UInt8]) throws(SigningError) {
        let packets = try Self.packets(of: bytes)
        let context = try OpenPGPContext()
        do throws(SigningError) {
            try context.importKeys(packets, secret: false)
        } catch {
            throw SigningError(.keyMalformed, "the key is damaged (\(error.message)); export it again")
        }
        let handles = try context.keys()
        let primaries = handles.filter { $0.flag(rnp_key_is_primary) }
        guard primaries.count == 1, let primary = primaries.first else {
            throw SigningError(.keyMalformed, "the file has \(primaries.count) keys; give one key a file")
        }
        let subkeys = handles.filter { $0 !== primary }
        self.packets = packets
        members = ([primary] + subkeys).map(Member.init)
        fingerprint = primary.text(rnp_key_get_fprint).uppercased()
        owner = primary.text(rnp_key_get_primary_uid)
        algorithm = Self.algorithm(of: primary)
        try check(primary)
    }

    /// The packets of a file that may be armored.
    static func packets(of bytes: [UInt8], kind: String = "PGP PUBLIC KEY BLOCK") throws(SigningError) -> [UInt8] {
        // The first byte of a packet has its highest bit set, which no text has.
        if let first = bytes.first, first & 0x80 != 0 { return bytes }
        do throws(FormatError) {
            return try Armor.decode(kind, in: bytes).bytes
        } catch {
            throw SigningError(.keyMalformed, "the key cannot be read: \(error.message); export it again")
        }
    }

    private func check(_ primary: OpenPGPHandle) throws(SigningError) {
        let signing = members.filter(\.canSign)
        guard !signing.isEmpty else {
            throw SigningError(.keyUnusable, "the key \(keyID) is not for signing; take another one")
        }
        if signing.allSatisfy({ $0.weakness != nil }), let weakness = signing[0].weakness {
            throw SigningError(.keyUnusable, "the key \(keyID): \(weakness); take another one")
        }
        var validTill: UInt64 = 0
        guard isRevoked || (rnp_key_valid_till64(primary.key, &validTill) == 0 && validTill > 0) else {
            throw SigningError(
                .keyUnusable,
                "the key \(keyID) has no signature of its own that holds, perhaps only one with SHA-1; renew it")
        }
    }

    /// The key as a file that `gpg --import` reads.
    public func armored() throws(SigningError) -> String {
        let context = try OpenPGPContext()
        var result: rnp_result_t = 0
        let bytes = try context.output("write the key") { output in
            result = context.withInput(packets) { rnp_enarmor($0, output, "public key") }
            return result
        }
        return String(decoding: bytes.filter { $0 != 0x0D }, as: UTF8.self)
    }

    /// The primary key or subkey with an id.
    func member(_ keyID: String) -> Member? { members.first { $0.keyID == keyID } }

    /// Whether the key or one of its subkeys has an id of 16, or a fingerprint of 40 hexadecimal digits of either case.
    public func isNamed(_ name: String) -> Bool {
        members.contains { $0.keyID == name.lowercased() || $0.fingerprint == name.uppercased() }
    }

    static func algorithm(of handle: OpenPGPHandle) -> String {
        let name = handle.text(rnp_key_get_alg)
        let curve = handle.text(rnp_key_get_curve)
        return switch name {
        case "ECDSA": "\(name) \(curve)"
        case "RSA": "\(name) \(handle.number(rnp_key_get_bits))"
        default: name
        }
    }
}

extension PublicKey.Member {
    init(_ handle: OpenPGPHandle) {
        keyID = handle.text(rnp_key_get_keyid).lowercased()
        fingerprint = handle.text(rnp_key_get_fprint).uppercased()
        createdAt = Int64(handle.number(rnp_key_get_creation))
        let lifetime = handle.number(rnp_key_get_expiration)
        expiresAt = lifetime == 0 ? nil : createdAt + Int64(lifetime)
        canSign = handle.canSign
        weakness = AlgorithmPolicy.weakness(
            ofKey: handle.text(rnp_key_get_alg), bits: handle.number(rnp_key_get_bits),
            curve: handle.text(rnp_key_get_curve))
        isRevoked = handle.flag(rnp_key_is_revoked)
    }
}
