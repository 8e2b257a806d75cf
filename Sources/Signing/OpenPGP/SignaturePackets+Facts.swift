// SPDX-License-Identifier: Apache-2.0

extension SignaturePackets {
    /// What signatures say about themselves, in the library's words.
    ///
    /// - SeeAlso: RFC 4880, section 5.2.3.1, and RFC 9580 for the fingerprint of the issuer.
    /// - Throws: ``FormatError`` as ``canonical(_:)``.
    static func facts(of bytes: [UInt8]) throws(FormatError) -> [SignatureFacts] {
        var reader = Reader(rest: try canonical(bytes)[...])
        var facts: [SignatureFacts] = []
        while !reader.rest.isEmpty { facts.append(try SignatureFacts(body: try reader.packet())) }
        return facts
    }
}

extension SignatureFacts {
    private enum Subpacket {
        static let creation = 2
        static let expiration = 3
        static let issuer = 16
        static let issuerFingerprint = 33
    }

    fileprivate init(body: ArraySlice<UInt8>) throws(FormatError) {
        self.init()
        var reader = SignaturePackets.Reader(rest: body)
        _ = try reader.number(1)
        type = Self.name(try reader.number(1), in: [0: "binary", 1: "text", 2: "standalone"])
        algorithm = Self.name(
            try reader.number(1), in: [1: "RSA", 2: "RSA", 3: "RSA", 17: "DSA", 19: "ECDSA", 22: "EDDSA"])
        hash = Self.name(
            try reader.number(1),
            in: [
                1: "MD5", 2: "SHA1", 3: "RIPEMD160", 8: "SHA256", 9: "SHA384", 10: "SHA512", 11: "SHA224",
                12: "SHA3-256", 14: "SHA3-512",
            ])
        let signed = try Self.subpackets(try reader.take(try reader.number(2)))
        let unsigned = try Self.subpackets(try reader.take(try reader.number(2)))
        if let time = signed[Subpacket.creation] { createdAt = try Self.seconds(time) }
        if let time = signed[Subpacket.expiration] { lifetime = try Self.seconds(time) }
        // Who signed need not be signed: the key itself decides.
        if let id = signed[Subpacket.issuer] ?? unsigned[Subpacket.issuer] {
            keyID = Self.hexadecimal(id)
        } else if let fingerprint = signed[Subpacket.issuerFingerprint] ?? unsigned[Subpacket.issuerFingerprint],
            fingerprint.first == 4
        {
            keyID = Self.hexadecimal(fingerprint.suffix(8))
        }
    }

    /// The first of each kind.
    private static func subpackets(_ bytes: ArraySlice<UInt8>) throws(FormatError) -> [Int: ArraySlice<UInt8>] {
        var reader = SignaturePackets.Reader(rest: bytes)
        var found: [Int: ArraySlice<UInt8>] = [:]
        while !reader.rest.isEmpty {
            let first = try reader.number(1)
            let length =
                switch first {
                case ..<192: first
                case ..<255: (first - 192) << 8 + (try reader.number(1)) + 192
                default: try reader.number(4)
                }
            let content = try reader.take(length)
            guard let kind = content.first.map({ Int($0 & 0x7F) }) else {
                throw FormatError("a signature has a part without a kind")
            }
            if found[kind] == nil { found[kind] = content.dropFirst() }
        }
        return found
    }

    private static func seconds(_ bytes: ArraySlice<UInt8>) throws(FormatError) -> Int64 {
        guard bytes.count == 4 else { throw FormatError("a time in a signature has not four bytes") }
        return bytes.reduce(0) { $0 << 8 | Int64($1) }
    }

    private static func name(_ number: Int, in names: [Int: String]) -> String { names[number] ?? "unknown" }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count < 2 ? "0" + text : text
        }.joined()
    }
}
