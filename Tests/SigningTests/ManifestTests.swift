// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Signing

/// How MANIFEST.txt may be written, and what its text has to say.
struct ManifestTests {
    struct Variant: Sendable, CustomTestStringConvertible {
        var name: String
        var change: @Sendable (String) -> String

        var testDescription: String { name }
    }

    static let variants = [
        Variant(name: "as it is") { $0 },
        Variant(name: "CRLF") { $0.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n") },
        Variant(name: "no empty first line") { String($0.dropFirst()) },
        Variant(name: "text around") { "Dear reader,\n\n\($0)\nYours\n" },
        Variant(name: "space at the ends of lines") {
            $0.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: " \t\n")
        },
        Variant(name: "armor headers and a line with a tab alone") {
            replacing($0, "SIGNATURE-----\n\n", "SIGNATURE-----\nVersion: 1\nComment: none\n\t\n")
        },
        Variant(name: "no line end at the end") { String($0.reversed().drop { $0 == "\n" }.reversed()) },
        Variant(name: "no checksum") {
            $0.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("=") }
                .joined(separator: "\n")
        },
        Variant(name: "a second block below") { $0 + $0 },
    ]

    @Test(arguments: variants)
    func framingVariantsVerify(_ variant: Variant) throws {
        let plugin = try TemporaryPlugin()
        let text = String(decoding: try plugin.sign(), as: UTF8.self)
        try plugin.folder.write("MANIFEST.txt", variant.change(text))

        #expect(try plugin.verdict().code == .valid)
    }

    static let damages = [
        Variant(name: "a changed letter") { replacing($0, "\"Acme\"", "\"Acne\"") },
        Variant(name: "a changed version") { replacing($0, "1.2.0", "1.2.1") },
        Variant(name: "a line more") { replacing($0, "{\n", "{\n\n") },
        Variant(name: "another checksum") {
            $0.split(separator: "\n", omittingEmptySubsequences: false)
                .map { $0.hasPrefix("=") ? "=AAAA" : $0 }.joined(separator: "\n")
        },
        Variant(name: "cut in the middle") { String($0.prefix($0.count / 2)) },
        Variant(name: "cut in the signature") { String($0.prefix($0.count - 60)) },
        Variant(name: "a header that is none") { replacing($0, "Hash: SHA512", "Hash: SHA512\nEvil: 1") },
        Variant(name: "an unescaped dash") { replacing($0, "{\n", "-{\n") },
        Variant(name: "no armored data") {
            let start = $0.firstRange(of: "-----BEGIN PGP SIGNATURE-----\n")
            return String($0[..<(start?.upperBound ?? $0.endIndex)]) + "\n\n-----END PGP SIGNATURE-----\n"
        },
        Variant(name: "packets that are none") {
            let start = $0.firstRange(of: "-----BEGIN PGP SIGNATURE-----\n")
            return String($0[..<(start?.upperBound ?? $0.endIndex)]) + "\nAAAA\n-----END PGP SIGNATURE-----\n"
        },
    ]

    @Test(arguments: damages)
    func damagedFramingIsInvalid(_ damage: Variant) throws {
        let plugin = try TemporaryPlugin()
        let text = String(decoding: try plugin.sign(), as: UTF8.self)
        let damaged = damage.change(text)
        try #require(damaged != text)
        try plugin.folder.write("MANIFEST.txt", damaged)

        #expect(try plugin.verdict().status == .invalid)
    }

    @Test func dashesAreEscapedAndRead() throws {
        let signed = try TestKeys.acme.open().clearSign("- one\n-two\nthree")

        let text = try ClearSignedText(parsing: signed).text

        #expect(String(decoding: text, as: UTF8.self) == "- one\r\n-two\r\nthree")
        #expect(String(decoding: signed, as: UTF8.self).contains("\n- - one\n- -two\nthree\n"))
    }

    private static func fields(_ changes: [String: String?]) -> String {
        let key = (try? TestKeys.acme.key().keyID) ?? ""
        var fields: [(String, String)] = [
            ("manifestVersion", "\"2.0.0\""), ("signatureType", "\"private\""), ("signedByOrg", "\"acme\""),
            ("signedByOrgName", "\"Acme\""), ("plugin", "\"acme-sine-datasource\""), ("version", "\"1.2.0\""),
            ("time", "1780000000000"), ("keyId", "\"\(key)\""),
            ("files", "{\"module.js\": \"\(String(repeating: "0", count: 64))\"}"),
        ]
        for (name, value) in changes {
            let place = fields.firstIndex { $0.0 == name }
            switch (place, value) {
            case (let place?, let value?): fields[place].1 = value
            case (let place?, nil): fields.remove(at: place)
            case (nil, let value?): fields.append((name, value))
            case (nil, nil): break
            }
        }
        return "{" + fields.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ",\n") + "}"
    }

    static let hash = "\"" + String(repeating: "0", count: 64) + "\""

    static let texts: [(String, SignatureVerdict.Code)] = [
        (fields(["plugin": nil]), .manifestField), (fields(["version": nil]), .manifestField),
        (fields(["keyId": nil]), .manifestField), (fields(["time": nil]), .manifestField),
        (fields(["files": nil]), .manifestField), (fields(["files": "{}"]), .manifestField),
        (fields(["signedByOrg": nil]), .manifestField), (fields(["signedByOrgName": "\"\""]), .manifestField),
        (fields(["signatureType": nil]), .manifestField), (fields(["signatureType": "\"public\""]), .manifestField),
        (fields(["plugin": "7"]), .manifestField), (fields(["time": "0"]), .manifestField),
        (fields(["time": "1.5"]), .manifestField), (fields(["time": "\"1\""]), .manifestField),
        (fields(["rootUrls": "\"http://h/\""]), .manifestField), (fields(["rootUrls": "[1]"]), .manifestField),
        (fields(["files": "{\"a\": 1}"]), .manifestField), (fields(["files": "{\"a\": \"00\"}"]), .manifestField),
        (fields(["files": "{\"a\": \"\(String(repeating: "A", count: 64))\"}"]), .manifestField),
        (fields(["files": "{\"/etc/passwd\": \(hash)}"]), .manifestPath),
        (fields(["files": "{\"../x\": \(hash)}"]), .manifestPath),
        (fields(["files": "{\"a/../../x\": \(hash)}"]), .manifestPath),
        (fields(["files": "{\"a//x\": \(hash)}"]), .manifestPath),
        (fields(["files": "{\"./x\": \(hash)}"]), .manifestPath),
        (fields(["files": "{\"a\\\\x\": \(hash)}"]), .manifestPath),
        (fields(["files": "{\"\": \(hash)}"]), .manifestPath),
        (fields(["files": "{\"MANIFEST.txt\": \(hash)}"]), .manifestPath),
        (fields(["files": "{\"a\": \(hash), \"a\": \(hash)}"]), .manifestDuplicateKey),
        (fields(["x": "1, \"plugin\": \"acme-other-panel\""]), .manifestDuplicateKey),
        (fields(["x": "\"\\u0000\""]), .manifestNotJSON),
        (fields(["x": String(repeating: "[", count: 40) + String(repeating: "]", count: 40)]), .manifestNotJSON),
        (fields(["x": "1,"]), .manifestNotJSON), ("[]", .manifestNotJSON), ("\"text\"", .manifestNotJSON),
        (fields(["manifestVersion": nil]), .manifestVersion),
        (fields(["manifestVersion": "\"3.0.0\""]), .manifestVersion),
        (fields(["keyId": "\"0123456789abcdef\""]), .keyUnknown),
        (fields(["signatureType": "\"grafana\""]), .keyNotForType),
        (fields(["plugin": "\"other-sine-datasource\""]), .keyNotForPlugin),
        (fields([:]), .fileExtra),
    ]

    @Test(arguments: texts)
    func everyRuleOfTheTextIsKept(text: String, code: SignatureVerdict.Code) throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign(text: text)

        let verdict = try plugin.verdict()

        #expect(verdict.code == code, "\(verdict.reason)")
    }

    @Test func bytesThatAreNoUTF8AreRefused() {
        #expect(throws: ManifestFault.self) {
            try Manifest(parsing: Array("{\"a\": \"".utf8) + [0xFF] + Array("\"}".utf8))
        }
    }

    @Test func truncationAnywhereIsNoCrash() throws {
        let signed = try SignatureFixtures.bytes("trees/kaizten-fullfetch-datasource-1.0.0/MANIFEST.txt")
        let plugin = try TemporaryPlugin()

        for length in stride(from: 0, to: signed.count - 40, by: 23) {
            try plugin.folder.write("MANIFEST.txt", bytes: Array(signed.prefix(length)))
            let verdict = try plugin.verdict([TrustStore.grafana()])
            #expect(verdict.status != .valid && verdict.status != .modified)
        }
    }
}

/// The text with the first occurrence of a part replaced.
private func replacing(_ text: String, _ part: String, _ other: String) -> String {
    guard let range = text.firstRange(of: part) else { return text }
    return text.replacingCharacters(in: range, with: other)
}
