// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The built `grafana-sign`: making keys, signing and verifying.
struct SignProgramTests {
    static let fixtures = TemporaryHome.root.appending(path: "../shared/fixtures/signatures").standardized.path

    @Test func whatIsSignedIsValid() throws {
        let bench = try SignWorkbench()

        let signed = try bench.sign()
        let verified = try bench.verify()

        #expect(
            signed.status == 0 && signed.output.hasPrefix("signed acme-sine-datasource 1.2.0: 2 files, type private"))
        #expect(verified.status == 0, "\(verified)")
        #expect(verified.output.contains(": valid [valid]: signed by Acme <plugins@acme.example>"))
        #expect(verified.output.contains("trusted by  \(bench.trust)/acme.json"))
        #expect(verified.errors.isEmpty && !verified.output.contains("\u{1B}"))
    }

    @Test func theSameTimeGivesTheSameManifest() throws {
        let bench = try SignWorkbench()

        try bench.sign()
        let first = try bench.read("plugin/MANIFEST.txt")
        try bench.sign()

        #expect(try bench.read("plugin/MANIFEST.txt") == first)
        #expect(
            first.hasPrefix("\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{\n  \"manifestVersion\": \"2.0.0\"")
        )
    }

    @Test func aChangedFileIsRefusedWithBothDigests() throws {
        let bench = try SignWorkbench()
        try bench.sign()
        try bench.write("plugin/module.js", "alert()")

        let outcome = try bench.verify()
        let verdict = try bench.verdict()

        #expect(outcome.status == 77)
        #expect(outcome.output.contains("modified [file-differs]: the file module.js is not as signed"))
        #expect(verdict["code"] as? String == "file-differs")
        let difference = try #require(verdict["difference"] as? [String: Any])
        #expect(difference["path"] as? String == "module.js")
        #expect((difference["expected"] as? String)?.count == 64 && (difference["found"] as? String)?.count == 64)
    }

    @Test func explainPrintsEveryStep() throws {
        let bench = try SignWorkbench()
        try bench.sign(["--root-url", "https://grafana.acme.example/"])

        let text = try bench.verify(["--explain", "--root-url", "https://grafana.acme.example"]).output
        let steps = try bench.verdict(["--explain"])["steps"] as? [[String: Any]]

        for step in ["files", "manifest", "fields", "key", "signature", "grants", "identity", "root-url", "content"] {
            #expect(text.contains("  passed  \(step) "), "\(step): \(text)")
            #expect(steps?.contains { $0["name"] as? String == step } == true)
        }
    }

    @Test(arguments: [
        ("https://grafana.acme.example", Int32(0)), ("https://other.example/", 77),
        ("https://grafana.acme.example:x/", 65),
    ])
    func rootURLsDecide(url: String, status: Int32) throws {
        let bench = try SignWorkbench()
        try bench.sign(["--root-url", "https://grafana.acme.example/"])

        #expect(try bench.verify(["--root-url", url]).status == status)
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var name: String
        var status: Int32
        var code: String
        var spoil: @Sendable (SignWorkbench) throws -> Void

        var testDescription: String { name }
    }

    static let refusals = [
        Refusal(name: "unsigned", status: 77, code: "no-manifest") {
            try FileManager.default.removeItem(atPath: "\($0.plugin)/MANIFEST.txt")
        },
        Refusal(name: "malformed", status: 65, code: "manifest-malformed") {
            try $0.write("plugin/MANIFEST.txt", "not a signed message")
        },
        Refusal(name: "extra file", status: 77, code: "file-extra") { try $0.write("plugin/.DS_Store", "") },
        Refusal(name: "link out", status: 77, code: "link-outside") {
            try FileManager.default.createSymbolicLink(
                atPath: "\($0.plugin)/passwd", withDestinationPath: "/etc/passwd")
        },
        Refusal(name: "unknown key", status: 77, code: "key-unknown") {
            try $0.run(["trust", "remove", "--trust", $0.trust, keyID($0)])
        },
        Refusal(name: "key for other plugins", status: 77, code: "key-not-for-plugin") {
            try $0.run(["trust", "add", "--yes", "--trust", $0.trust, "--plugin", "other-*", "\($0.key).asc"])
        },
        Refusal(name: "changed text", status: 77, code: "signature-bad") {
            let text = try $0.read("plugin/MANIFEST.txt")
            try $0.write("plugin/MANIFEST.txt", text.replacingOccurrences(of: "\"Acme\"", with: "\"Acne\""))
        },
    ]

    private static func keyID(_ bench: SignWorkbench) throws -> String {
        let text = try bench.run(["inspect", "\(bench.key).asc"]).output
        return try String(#require(text.split(separator: "\n").first).split(separator: " ")[1])
    }

    @Test(arguments: refusals)
    func refusalsHaveACodeAndAnExitCode(_ refusal: Refusal) throws {
        let bench = try SignWorkbench()
        try bench.sign()
        try refusal.spoil(bench)

        let outcome = try bench.verify()

        #expect(outcome.status == refusal.status, "\(outcome)")
        #expect(try bench.verdict()["code"] as? String == refusal.code)
        #expect(!outcome.output.contains("[signature_validate"))
    }

    /// $SOURCE_DATE_EPOCH may be a time at which there was no key.
    @Test func aKeySignsOnlyWithinItsLife() throws {
        let bench = try SignWorkbench()
        let words = ["sign", bench.plugin, "--key", "\(bench.key).secret.asc", "--org", "acme"]

        let outcome = try bench.run(words, environment: ["SOURCE_DATE_EPOCH": "1000000000"])

        #expect(outcome.status == 65 && outcome.errors.contains("cannot sign for the time 1000000000"), "\(outcome)")
        #expect(outcome.errors.contains("[key-unusable]"))
        #expect(try bench.sign().status == 0)
    }

    @Test func severalPluginsEndWithTheWorst() throws {
        let bench = try SignWorkbench()
        try bench.sign()
        try bench.write("empty/readme", "")

        let refused = try bench.verify(["\(Self.fixtures)/trees/cloudspout-button-panel-7.0.25"])
        let missing = try bench.verify(["\(bench.path)/empty", "\(bench.path)/nowhere"])

        #expect(refused.status == 77 && refused.output.contains("valid [valid]"))
        #expect(missing.status == 74 && missing.output.contains("there is no plugin.json"))
    }

    @Test func grafanasKeyIsBuiltIn() throws {
        let bench = try SignWorkbench(keyOwner: nil)
        let fixture = "\(Self.fixtures)/trees/industrialedgeiihessentials-datasource-2.0.0"

        let outcome = try bench.run(["verify", "--json", "--root-url", "http://localhost:3000/", fixture])

        #expect(outcome.status == 77 && outcome.output.contains("\"code\":\"root-url-mismatch\""))
        #expect(outcome.output.contains("\"grantedBy\":\"the built-in key of Grafana\""))
    }

    @Test func anArchiveIsVerifiedAsItsFolder() throws {
        let bench = try SignWorkbench()
        try bench.sign()
        let add =
            "for name in ['plugin.json', 'module.js', 'MANIFEST.txt']: archive.write('plugin/' + name, PREFIX + name)"

        for prefix in ["''", "'acme-sine-datasource/'"] {
            let file = try bench.zip(add.replacingOccurrences(of: "PREFIX", with: prefix))
            let outcome = try bench.run(["verify", file, "--trust", bench.trust])
            #expect(outcome.status == 0, "\(outcome)")
        }
    }

    @Test(arguments: [
        "archive.writestr('../x', '')", "archive.writestr('/x', '')", "archive.writestr('acme/../x', '')",
        "archive.writestr('a\\\\x', '')", "archive.writestr('plugin.json', '')", "archive.writestr('other/x', '')",
        "link = zipfile.ZipInfo('acme/x'); link.create_system = 3; link.external_attr = 0o120777 << 16; "
            + "archive.writestr(link, '/etc/passwd')",
        "archive.write('plugin/plugin.json', 'acme/plugin.json')",
    ])
    func hostileArchivesAreRefused(script: String) throws {
        let bench = try SignWorkbench()
        try bench.sign()
        let file = try bench.zip("archive.write('plugin/plugin.json', 'acme/plugin.json')\n\(script)")

        let outcome = try bench.run(["verify", file, "--trust", bench.trust])

        #expect(outcome.status == 65, "\(outcome)")
    }

    @Test func whatIsNoArchiveIsRefused() throws {
        let bench = try SignWorkbench()
        try bench.write("plugin.zip", "PK\u{3}\u{4} but no archive")

        let outcome = try bench.run(["verify", "\(bench.path)/plugin.zip"])

        #expect(outcome.status == 65 && outcome.output.contains("neither a folder nor a zip file"))
    }

    @Test func signingRefusesLinksThatLeaveAndWarnsOfStrayFiles() throws {
        let bench = try SignWorkbench()
        try bench.write("plugin/.env", "SECRET=1")
        let warned = try bench.sign(["--dry-run"])
        try FileManager.default.createSymbolicLink(atPath: "\(bench.plugin)/out", withDestinationPath: "/etc/passwd")
        let refused = try bench.sign()

        #expect(warned.status == 0 && warned.errors.contains("warning: .env: it may hold a secret"))
        #expect(warned.output.contains("\"signatureType\": \"private\""))
        #expect(refused.status == 77 && refused.errors.contains("leads out of the plugin's folder"))
        #expect(!FileManager.default.fileExists(atPath: "\(bench.plugin)/MANIFEST.txt"))
    }

    @Test func theKeyMayComeFromTheEnvironmentAndBeLocked() throws {
        let bench = try SignWorkbench()
        let locked = "\(bench.path)/locked"
        try bench.run(["keygen", "--output", locked, "Locked"], environment: ["GRAFANA_SIGN_PASSPHRASE": "sesame"])
        let secret = try bench.read("locked.secret.asc")
        let sign = ["sign", bench.plugin, "--org", "acme"]

        let right = try bench.run(sign, environment: ["GRAFANA_SIGN_KEY": secret, "GRAFANA_SIGN_PASSPHRASE": "sesame"])
        let wrong = try bench.run(sign, environment: ["GRAFANA_SIGN_KEY": secret, "GRAFANA_SIGN_PASSPHRASE": "open"])
        let none = try bench.run(sign, environment: ["GRAFANA_SIGN_KEY": secret])
        let noKey = try bench.run(sign)

        #expect(right.status == 0, "\(right)")
        #expect(wrong.status == 77 && wrong.errors.contains("[passphrase-wrong]"))
        #expect(none.status == 64 && none.errors.contains("--passphrase-file"))
        #expect(noKey.status == 64)
        #expect(![right, wrong, none].contains { $0.output.contains("sesame") || $0.errors.contains("sesame") })
    }

    @Test(arguments: ["ed25519", "p521"])
    func keysAreForTheOwnerAloneAndNeverReplaced(algorithm: String) throws {
        let bench = try SignWorkbench(keyOwner: nil)
        let arguments = ["keygen", "--no-passphrase", "--algorithm", algorithm, "--output", bench.key, "Acme"]

        let first = try bench.run(arguments)
        let second = try bench.run(arguments)

        #expect(first.status == 0 && second.status == 74)
        let mode = try FileManager.default.attributesOfItem(atPath: "\(bench.key).secret.asc")[.posixPermissions]
        #expect(mode as? Int == 0o600)
    }

    @Test func gnuPGsAgentSigns() throws {
        let bench = try SignWorkbench(keyOwner: nil)
        let home = "\(bench.path)/gnupg"
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        func gnupg(_ program: String, _ arguments: [String]) throws {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/\(program)")
            process.arguments = ["--homedir", home] + arguments
            process.standardError = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0)
        }
        defer { try? gnupg("gpgconf", ["--kill", "all"]) }
        try gnupg(
            "gpg",
            ["--batch", "--passphrase", "", "--pinentry-mode", "loopback", "--quick-generate-key", "Card", "ed25519"])
        try gnupg("gpg", ["--armor", "--output", "\(bench.path)/card.asc", "--export", "Card"])
        let environment = ["GNUPGHOME": home, "SOURCE_DATE_EPOCH": ""]

        let signed = try bench.run(["sign", bench.plugin, "--gpg", "Card", "--org", "acme"], environment: environment)
        try bench.run(["trust", "add", "--yes", "--trust", bench.trust, "--plugin", "*", "\(bench.path)/card.asc"])
        let verified = try bench.verify()
        let unknown = try bench.run(["sign", bench.plugin, "--gpg", "Nobody", "--org", "a"], environment: environment)

        #expect(signed.status == 0, "\(signed)")
        #expect(verified.status == 0, "\(verified)")
        #expect(unknown.status == 65)
    }

    @Test func inspectShowsWhatAFileSays() throws {
        let bench = try SignWorkbench()
        try bench.sign()

        let manifest = try bench.run(["inspect", "--files", bench.plugin])
        let key = try bench.run(["inspect", "\(bench.key).asc"])
        let garbage = try bench.run(["inspect", "\(bench.plugin)/module.js"])

        #expect(manifest.output.contains("plugin       acme-sine-datasource 1.2.0"))
        #expect(manifest.output.contains("  module.js\n") && manifest.output.contains("EDDSA with SHA512"))
        #expect(key.output.contains("owner        Acme <plugins@acme.example>"))
        #expect(garbage.status == 65)
    }

    @Test(arguments: [[], ["verify"], ["sign"], ["verify", "--nope", "x"], ["trust", "revoke"], ["keygen", ""]])
    func wrongUsageIsSaid(arguments: [String]) throws {
        let bench = try SignWorkbench(keyOwner: nil)

        let outcome = try bench.run(arguments)

        #expect(outcome.status == (arguments.isEmpty ? 0 : 64), "\(outcome)")
    }
}
