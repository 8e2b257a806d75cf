// SPDX-License-Identifier: Apache-2.0
import Crypto
import FoundationEssentials

/// A random AES-256 key that encrypts the values of one day and scope.
struct DataKey: Sendable {
    /// The row's uid, which each value names.
    let uid: String
    let key: SymmetricKey

    /// Makes a new random key.
    static func random() -> DataKey {
        DataKey(uid: RandomText.uid(), key: SymmetricKey(size: .bits256))
    }

    /// The key encrypted under `secret_key`: format byte, rounds (4 bytes, big-endian), salt (16), nonce (12), key, tag (16).
    ///
    /// - Parameter scope: Bound to the result, so that a row cannot be passed off for another scope.
    func wrapped(under secretKey: Secret, scope: String) throws -> [UInt8] {
        let salt = RandomText.bytes(Self.saltCount)
        let header = [Self.format] + withUnsafeBytes(of: UInt32(PasswordHash.rounds).bigEndian) { Array($0) } + salt
        let wrapping = try Self.wrappingKey(secretKey, salt: salt, rounds: PasswordHash.rounds)
        let bytes = key.withUnsafeBytes { Array($0) }
        let box = try AES.GCM.seal(
            bytes, using: wrapping, authenticating: Self.binding(uid: uid, scope: scope) + header)
        return header + box.nonce + box.ciphertext + box.tag
    }

    /// Reads what ``wrapped(under:scope:)`` wrote; nil when the bytes do not belong to this secret key, uid and scope.
    static func unwrap(_ bytes: [UInt8], uid: String, scope: String, under secretKey: Secret) throws -> DataKey? {
        guard bytes.count == headerCount + 12 + 32 + 16, bytes[0] == format else { return nil }
        let rounds = Int(bytes[1..<5].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        // A row that asks for hours of work is not ours.
        guard (1_000...1_000_000).contains(rounds) else { return nil }
        let header = Array(bytes[..<headerCount])
        let wrapping = try wrappingKey(secretKey, salt: Array(header[5...]), rounds: rounds)
        let box = try AES.GCM.SealedBox(combined: bytes[headerCount...])
        guard
            let key = try? AES.GCM.open(box, using: wrapping, authenticating: binding(uid: uid, scope: scope) + header)
        else {
            return nil
        }
        return DataKey(uid: uid, key: SymmetricKey(data: key))
    }

    private static let format: UInt8 = 1
    private static let saltCount = 16
    private static let headerCount = 5 + saltCount

    private static func binding(uid: String, scope: String) -> [UInt8] {
        Array("data-key/\(uid)/\(scope)/".utf8)
    }

    private static func wrappingKey(_ secretKey: Secret, salt: [UInt8], rounds: Int) throws -> SymmetricKey {
        let bytes = Array(secretKey.clearText.utf8)
        return SymmetricKey(data: try PasswordHash.derive(bytes, salt: salt, byteCount: 32, rounds: rounds))
    }
}
