// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Signing

/// Keys made for the tests, once in each run: making one takes a while.
enum TestKeys {
    /// A moment in 2026 at which the tests sign.
    static let signingTime: Int64 = 1_780_000_000
    /// A day later, when they verify.
    static let now: Int64 = signingTime + 86_400

    static let acme = make(.ed25519, "Acme <plugins@acme.example>")
    static let other = make(.p521, "Other <other@other.example>")
    /// Expires half a day after the tests sign.
    static let brief = make(.ed25519, "Brief <brief@acme.example>", lifetime: 43_200 + 3600)

    static let passphrase = "open sesame"

    private static func make(_ algorithm: SecretKey.Algorithm, _ owner: String, lifetime: UInt32 = 0) -> SecretKey.Files
    {
        do {
            return try SecretKey.generate(
                algorithm, owner: owner, passphrase: passphrase, lifetimeSeconds: lifetime, time: signingTime - 3600)
        } catch {
            fatalError("no key for the tests: \(error)")
        }
    }
}

extension SecretKey.Files {
    /// The secret key, opened to sign at a time.
    func open(at time: Int64 = TestKeys.signingTime) throws -> SecretKey {
        try SecretKey(parsing: Array(secret.utf8), time: time) { TestKeys.passphrase }
    }

    func key() throws -> PublicKey { try PublicKey(parsing: Array(publicKey.utf8)) }

    /// The key with all that tests usually want to grant.
    func trusted(plugins: [String] = ["acme-*"], level: TrustLevel = .process, mayRevoke: Bool = false) throws
        -> TrustedKey
    {
        var key = TrustedKey(
            try key(), plugins: plugins, types: [.privatePlugin, .privateGlob], level: level, grantedBy: "the test")
        key.mayRevoke = mayRevoke
        return key
    }
}
