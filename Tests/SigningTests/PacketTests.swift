// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Signing

/// Armor, Base64 and signature packets, byte by byte.
struct PacketTests {
    static let base64: [(text: String, bytes: [UInt8]?)] = [
        ("", []), ("AA==", [0]), ("AAE=", [0, 1]), ("AAEC", [0, 1, 2]), ("/+8=", [0xFF, 0xEF]),
        ("A", nil), ("AA", nil), ("AA=", nil), ("AB==", nil), ("AAF=", nil), ("AA==AA==", nil), ("A-_=", nil),
        ("A A=", nil),
    ]

    @Test(arguments: base64)
    func base64IsReadStrictly(text: String, bytes: [UInt8]?) {
        #expect(Base64.decode(text.utf8) == bytes)
    }

    /// The signature packets of a fixture.
    private static func signature(_ name: String) throws -> [UInt8] {
        try ClearSignedText(parsing: SignatureFixtures.bytes("trees/\(name)/MANIFEST.txt")).signature
    }

    @Test func zeroBitsInFrontOfNumbersGo() throws {
        // One number of this signature is said to have 521 bits, and its first three are zero.
        let packets = try Self.signature("industrialedgeiihessentials-datasource-2.0.0")

        let canonical = try SignaturePackets.canonical(packets)

        let body = Array(canonical.dropFirst(6))
        #expect(Array(canonical.prefix(2)) == [0xC2, 0xFF])
        #expect(body != Array(packets.suffix(body.count)))
        #expect(try SignaturePackets.canonical(canonical) == canonical)
        #expect(try SignatureCheck.facts(of: canonical) == SignatureCheck.facts(of: packets))
    }

    /// As the library reads them, which tells of a missing key on standard error on the way.
    @Test func factsAreThoseOfTheLibrary() throws {
        for files in [TestKeys.acme, TestKeys.other] {
            let signed = try ClearSignedText(parsing: files.open().clearSign("text\n"))
            let verified = try SignatureCheck.verify(
                text: signed.text, signature: signed.signature, key: files.key(), now: TestKeys.now)

            #expect(try SignatureCheck.facts(of: signed.signature) == [verified])
        }
        let real = try SignatureCheck.facts(of: Self.signature("grafana-clock-panel-2.1.5"))
        #expect(real.map(\.keyID) == ["7e4d0c6a708866e7"])
    }

    @Test func severalSignaturesStayInOrder() throws {
        let first = try Self.signature("grafana-clock-panel-2.1.5")
        let second = try Self.signature("factry-untimely-panel-0.2.0")

        let both = try SignaturePackets.canonical(first + second)

        #expect(try both == SignaturePackets.canonical(first) + SignaturePackets.canonical(second))
    }

    @Test func everyTruncationIsRefused() throws {
        let packets = try Self.signature("grafana-clock-panel-2.1.5")

        for length in 0..<packets.count {
            #expect(throws: FormatError.self) { try SignaturePackets.canonical(Array(packets.prefix(length))) }
        }
    }

    static let malformed: [[UInt8]] = [
        [], [0x00], [0xC6, 0x01, 0x04], [0xC2, 0x01, 0x03], [0xC2, 0x01, 0x04], [0xC2, 0xE0, 0x04], [0x8B, 0x04],
        [0xC2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x04], [0xC2, 0x0A, 4, 1, 22, 10, 0, 0, 0, 0, 0, 0],
        [0xC2, 0x0C, 4, 1, 22, 10, 0xFF, 0xFF, 0, 0, 0, 0, 0, 8],
    ]

    @Test(arguments: malformed)
    func whatIsNoSignatureIsRefused(bytes: [UInt8]) {
        #expect(throws: FormatError.self) { try SignaturePackets.canonical(bytes) }
    }

    @Test func moreSignaturesThanAnybodyMakesAreRefused() throws {
        let packets = try Self.signature("grafana-clock-panel-2.1.5")

        #expect(throws: FormatError.self) {
            try SignaturePackets.canonical(Array(repeating: packets, count: 17).flatMap { $0 })
        }
    }
}
