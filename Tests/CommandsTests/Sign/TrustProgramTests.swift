// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The built `grafana-sign trust …`.
struct TrustProgramTests {
    private func revoke(_ bench: SignWorkbench, _ options: [String]) throws -> Program.Outcome {
        try bench.run(["trust", "revoke", "--trust", bench.trust, "--reason", "stolen"] + options)
    }

    /// A workbench whose trust folder has a second key, which may revoke.
    private func withLists() throws -> SignWorkbench {
        let bench = try SignWorkbench()
        try bench.run(["keygen", "--no-passphrase", "--output", "\(bench.path)/lists", "Lists"])
        try bench.run([
            "trust", "add", "--yes", "--trust", bench.trust, "--plugin", "none", "--may-revoke", "--name", "lists",
            "\(bench.path)/lists.asc",
        ])
        try bench.sign()
        return bench
    }

    private func keyID(_ bench: SignWorkbench, _ name: String) throws -> String {
        let text = try bench.run(["inspect", "\(bench.path)/\(name).asc"]).output
        return try String(#require(text.split(separator: "\n").first).split(separator: " ")[1])
    }

    @Test func aRevokedKeyIsRefusedAndAnOldListToo() throws {
        let bench = try withLists()
        let lists = ["--key", "\(bench.path)/lists.secret.asc"]

        let file = try revoke(bench, ["--file", "\(bench.plugin)/module.js"] + lists)
        let byFile = try bench.verdict()
        let old = try bench.read("trust/revocations.txt")
        let key = try revoke(bench, ["--key-id", keyID(bench, "acme")] + lists)
        let byKey = try bench.verdict()
        try bench.write("old.txt", old)
        let rolledBack = try bench.run(["trust", "revoke", "--trust", bench.trust, "--list", "\(bench.path)/old.txt"])
        try bench.write("trust/revocations.txt", old)
        let putBack = try bench.verify()

        #expect(file.output == "list 1 is in force: 0 keys, 1 files\n", "\(file)")
        #expect(byFile["code"] as? String == "file-revoked")
        #expect(key.output == "list 2 is in force: 1 keys, 1 files\n")
        #expect(byKey["code"] as? String == "key-revoked")
        #expect(rolledBack.status == 77 && rolledBack.errors.contains("[revocations-rolled-back]"))
        #expect(putBack.status == 77 && putBack.errors.contains("[revocations-rolled-back]"))
    }

    @Test func aKeyThatMayNotRevokeSignsNoList() throws {
        let bench = try withLists()

        let outcome = try revoke(
            bench, ["--file", "\(bench.plugin)/module.js", "--key", "\(bench.key).secret.asc"])

        #expect(outcome.status == 77 && outcome.errors.contains("[statement-untrusted]"))
        #expect(!FileManager.default.fileExists(atPath: "\(bench.trust)/revocations.txt"))
    }

    @Test func aSuccessorTakesOverWhatTheOldKeyMay() throws {
        let bench = try SignWorkbench()
        try bench.run(["keygen", "--no-passphrase", "--output", "\(bench.path)/next", "Acme 2027"])

        let made = try bench.run([
            "trust", "rotate", "--successor", "\(bench.path)/next.asc", "--key", "\(bench.key).secret.asc",
        ])
        try bench.write("rotation.txt", made.output)
        let asked = try bench.run(["trust", "rotate", "--trust", bench.trust, "\(bench.path)/rotation.txt"])
        let take = ["trust", "rotate", "--yes", "--trust", bench.trust, "\(bench.path)/rotation.txt"]
        let taken = try bench.run(take)
        let again = try bench.run(take)
        try bench.run(["sign", bench.plugin, "--key", "\(bench.path)/next.secret.asc", "--org", "acme"])
        let verdict = try bench.verdict()
        try bench.write("rotation.txt", made.output.replacingOccurrences(of: "\"time\"", with: "\"tame\""))
        let forged = try bench.run(["trust", "rotate", "--trust", bench.trust, "\(bench.path)/rotation.txt"])

        #expect(taken.status == 0 && taken.output.contains("plugins      acme-*"), "\(taken)")
        #expect(asked.status == 64 && asked.errors.contains("--yes"))
        #expect(again.status == 77 && again.errors.contains("is trusted already"), "\(again)")
        #expect(verdict["status"] as? String == "valid")
        #expect(forged.status == 65 && forged.errors.contains("[statement-invalid]"))
    }

    @Test func listAndExportGiveBackWhatWasAdded() throws {
        let bench = try SignWorkbench()
        let id = try keyID(bench, "acme")

        let list = try bench.run(["trust", "list", "--json", "--trust", bench.trust])
        let exported = try bench.run(["trust", "export", id, "--trust", bench.trust])
        let unknown = try bench.run(["trust", "export", "0123456789abcdef", "--trust", bench.trust])

        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [String: Any])
        let keys = try #require(document["keys"] as? [[String: Any]])
        #expect(keys.map { $0["keyId"] as? String } == ["7e4d0c6a708866e7", id])
        #expect(keys.last?["level"] as? String == "process")
        #expect(exported.output.hasPrefix("-----BEGIN PGP PUBLIC KEY BLOCK-----"))
        #expect(unknown.status == 65)
    }

    @Test func nothingIsTrustedWithoutAnAnswer() throws {
        let bench = try SignWorkbench()

        let outcome = try bench.run(["trust", "add", "--trust", bench.trust, "--plugin", "*", "\(bench.key).asc"])

        #expect(outcome.status == 64 && outcome.errors.contains("--yes"))
    }

    @Test(arguments: ["", " "])
    func anEmptyPatternTakesNothingAway(_ pattern: String) throws {
        let bench = try SignWorkbench()
        let before = try bench.read("trust/acme.json")

        let outcome = try bench.run([
            "trust", "add", "--yes", "--trust", bench.trust, "--plugin", pattern, "--name", "acme", "\(bench.key).asc",
        ])

        #expect(outcome.status == 64 && outcome.errors.contains("--plugin"), "\(outcome)")
        #expect(try bench.read("trust/acme.json") == before)
    }

    @Test func aBrokenFolderIsAFaultOfTheConfiguration() throws {
        let bench = try SignWorkbench()
        try bench.write("trust/acme.json", "{}")

        let outcome = try bench.verify()

        #expect(outcome.status == 78 && outcome.errors.contains("acme.json"), "\(outcome)")
    }
}
