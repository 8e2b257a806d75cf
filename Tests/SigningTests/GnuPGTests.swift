// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Signing

/// GnuPG as the judge of what we read and write.
struct GnuPGTests {
    /// GnuPG with a key ring of its own, which ends its agent with the value.
    final class GnuPG {
        let home: TemporaryFolder

        init() throws {
            home = try TemporaryFolder()
            chmod(home.path, 0o700)
        }

        deinit {
            // By the folder: only the agent of this key ring.
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/gpgconf")
            process.arguments = ["--homedir", home.path, "--kill", "all"]
            if (try? process.run()) != nil { process.waitUntilExit() }
        }

        func run(_ arguments: [String]) async throws -> (status: Int32, output: String) {
            try await Tool.run("gpg", ["--homedir", home.path, "--batch", "--no-tty", "--status-fd", "1"] + arguments)
        }

        func importKey(_ text: String) async throws {
            try home.write("key.asc", text)
            let result = try await run(["--import", "\(home.path)/key.asc"])
            try #require(result.status == 0, "\(result.output)")
        }

        /// Makes a key without passphrase, two days before the tests verify.
        func makeKey(_ algorithm: String, owner: String) async throws -> PublicKey {
            let made = try await run([
                "--faked-system-time", "\(TestKeys.signingTime - 86_400)!", "--pinentry-mode", "loopback",
                "--passphrase", "",
                "--quick-generate-key", owner, algorithm, "sign", "0",
            ])
            try #require(made.status == 0, "\(made.output)")
            let file = "\(home.path)/public.asc"
            _ = try await run(["--armor", "--output", file, "--export", owner])
            return try PublicKey(parsing: Array(try Data(contentsOf: URL(filePath: file))))
        }

        func clearSign(_ text: String, by owner: String, _ options: [String] = []) async throws -> [UInt8] {
            try home.write("text", text)
            let file = "\(home.path)/text.asc"
            let result = try await run(
                [
                    "--faked-system-time", "\(TestKeys.signingTime)!", "--yes", "--local-user", owner, "--output", file,
                ] + options + ["--clear-sign", "\(home.path)/text"])
            try #require(result.status == 0, "\(result.output)")
            return try home.read("text.asc")
        }
    }

    /// The fixtures with a manifest that is JSON, and those that only have one.
    static let fixtures: [String] = {
        ["trees", "manifests-only"].flatMap { kind in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: SignatureFixtures.path(kind))) ?? []
            return names.sorted().map { "\(kind)/\($0)" }
        }
    }()

    @Test func gpgAndWeAgreeOnEveryFixture() async throws {
        let gpg = try GnuPG()
        let armored = String(
            decoding: try SignatureFixtures.bytes("keys/grafana-plugins-public-key.asc"), as: UTF8.self)
        // GnuPG wants the line with the tab alone to be empty.
        try await gpg.importKey(armored.replacingOccurrences(of: "\n\t\n", with: "\n\n"))
        let key = try TrustStore.grafana().key
        try #require(Self.fixtures.count == 17)

        for fixture in Self.fixtures {
            let theirs = try await gpg.run(["--verify", SignatureFixtures.path("\(fixture)/MANIFEST.txt")])
            let signed = try ClearSignedText(parsing: SignatureFixtures.bytes("\(fixture)/MANIFEST.txt"))
            let ours = Result { () throws(ManifestFault) in
                try SignatureCheck.verify(
                    text: signed.text, signature: signed.signature, key: key, now: SignatureFixtures.now)
            }

            #expect(theirs.output.contains("GOODSIG") == (theirs.status == 0))
            #expect((theirs.status == 0) == ((try? ours.get()) != nil), "\(fixture): \(ours)")
        }
    }

    @Test(arguments: [TestKeys.acme, TestKeys.other])
    func whatWeSignVerifiesWithGPG(files: SecretKey.Files) async throws {
        let gpg = try GnuPG()
        let plugin = try TemporaryPlugin()
        try plugin.sign(files)
        try await gpg.importKey(files.key().armored())

        let good = try await gpg.run(["--verify", "\(plugin.path)/MANIFEST.txt"])
        let text = String(decoding: try plugin.folder.read("MANIFEST.txt"), as: UTF8.self)
        try plugin.folder.write("MANIFEST.txt", text.replacingOccurrences(of: "1.2.0", with: "1.2.1"))
        let bad = try await gpg.run(["--verify", "\(plugin.path)/MANIFEST.txt"])

        #expect(good.status == 0 && good.output.contains("GOODSIG"), "\(good.output)")
        #expect(bad.status != 0 && bad.output.contains("BADSIG"), "\(bad.output)")
    }

    @Test(arguments: ["rsa2048", "ed25519", "nistp256", "nistp521"])
    func whatGPGSignsVerifiesHere(algorithm: String) async throws {
        let gpg = try GnuPG()
        let key = try await gpg.makeKey(algorithm, owner: "judge@example.org")

        let bytes = try await gpg.clearSign("{\n- a  \n}\n", by: "judge@example.org", ["--digest-algo", "SHA512"])
        let signed = try ClearSignedText(parsing: bytes)
        let facts = try SignatureCheck.verify(
            text: signed.text, signature: signed.signature, key: key, now: TestKeys.now)

        #expect(facts.createdAt == TestKeys.signingTime && facts.hash == "SHA512" && facts.keyID == key.keyID)
    }

    @Test(arguments: ["SHA1", "RIPEMD160", "SHA224"])
    func weakHashesAreRefused(hash: String) async throws {
        let gpg = try GnuPG()
        let key = try await gpg.makeKey("rsa2048", owner: "judge@example.org")
        let bytes = try await gpg.clearSign("{}\n", by: "judge@example.org", ["--digest-algo", hash])
        let signed = try ClearSignedText(parsing: bytes)

        let fault = #expect(throws: ManifestFault.self) {
            try SignatureCheck.verify(text: signed.text, signature: signed.signature, key: key, now: TestKeys.now)
        }

        #expect(fault?.code == .algorithmWeak, "\(fault?.message ?? "")")
    }

    @Test(arguments: ["rsa1024", "dsa2048"])
    func weakKeysAreRefused(algorithm: String) async throws {
        let gpg = try GnuPG()

        let error = await #expect(throws: SigningError.self) {
            try await gpg.makeKey(algorithm, owner: "judge@example.org")
        }

        #expect(error?.code == .keyUnusable, "\(error?.message ?? "")")
    }
}
