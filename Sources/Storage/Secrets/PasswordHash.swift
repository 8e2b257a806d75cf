// SPDX-License-Identifier: Apache-2.0
import CryptoExtras
import FoundationEssentials

/// Password hashes as Grafana's database has them: PBKDF2-HMAC-SHA256, 10 000 rounds, 50 bytes, in hex.
enum PasswordHash {
    static let rounds = 10_000
    static let byteCount = 50

    /// The hash of a password; takes milliseconds.
    static func hex(_ password: Secret, salt: String) throws -> String {
        RandomText.hex(
            try derive(Array(password.clearText.utf8), salt: Array(salt.utf8), byteCount: byteCount, rounds: rounds))
    }

    /// True when the password has this hash; the comparison takes constant time.
    static func matches(_ password: Secret, salt: String, hash: String) throws -> Bool {
        isEqualInConstantTime(Array(try hex(password, salt: salt).utf8), Array(hash.utf8))
    }

    /// PBKDF2-HMAC-SHA256.
    static func derive(_ secret: [UInt8], salt: [UInt8], byteCount: Int, rounds: Int) throws -> [UInt8] {
        // 10 000 rounds are the stored format's; the library asks for the word `unsafe` below 210 000.
        let key = try KDF.Insecure.PBKDF2.deriveKey(
            from: secret, salt: salt, using: .sha256, outputByteCount: byteCount, unsafeUncheckedRounds: rounds)
        return key.withUnsafeBytes { Array($0) }
    }
}
