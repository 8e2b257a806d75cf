// SPDX-License-Identifier: Apache-2.0

/// Which algorithms protect well enough; all others are refused.
enum AlgorithmPolicy {
    /// The hashes of signatures, as librnp names them.
    static let hashes: Set<String> = ["SHA256", "SHA384", "SHA512", "SHA3-256", "SHA3-512"]
    /// The curves of ECDSA keys.
    static let curves: Set<String> = ["NIST P-256", "NIST P-384", "NIST P-521"]
    /// NIST SP 800-57 allows no less.
    static let smallestRSA: UInt32 = 2048

    /// What is wrong with a hash, or nil.
    static func weakness(ofHash hash: String) -> String? {
        hashes.contains(hash) ? nil : "the hash \(hash.isEmpty ? "of the signature is unknown" : "\(hash) is too weak")"
    }

    /// What is wrong with a key, or nil.
    static func weakness(ofKey algorithm: String, bits: UInt32, curve: String) -> String? {
        switch algorithm {
        case "EDDSA": nil
        case "ECDSA" where curves.contains(curve): nil
        case "RSA" where bits >= smallestRSA: nil
        case "RSA": "an RSA key of \(bits) bits is too short, \(smallestRSA) are needed"
        case "ECDSA": "the curve \(curve) is not accepted"
        case "DSA", "ELGAMAL": "\(algorithm) is too weak"
        default: "the algorithm \(algorithm.isEmpty ? "is unknown" : "\(algorithm) is not accepted")"
        }
    }
}
