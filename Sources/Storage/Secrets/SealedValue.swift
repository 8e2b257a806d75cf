// SPDX-License-Identifier: Apache-2.0
import Crypto
import FoundationEssentials

/// An encrypted value: `#` base64(data key uid) `#` `*` base64(algorithm) `*` nonce (12 bytes), ciphertext, tag (16
/// bytes).
///
/// Base64 is without padding.
struct SealedValue: Sendable {
    let dataKeyUID: String
    private let box: [UInt8]

    private static let algorithm = "aes-gcm"

    /// Encrypts a value and binds it to the place that `context` names, such as `data_source/7/password`.
    init(_ secret: Secret, under dataKey: DataKey, context: String) throws {
        let binding = Self.binding(dataKey.uid, context)
        let sealed = try AES.GCM.seal(Array(secret.clearText.utf8), using: dataKey.key, authenticating: binding)
        dataKeyUID = dataKey.uid
        box = Array(sealed.nonce) + Array(sealed.ciphertext) + Array(sealed.tag)
    }

    /// Reads the stored bytes; nil when they are not of this form.
    init?(bytes: [UInt8]) {
        let parts = bytes.split(separator: UInt8(ascii: "#"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty, let uid = Self.decode(parts[1]) else { return nil }
        let inner = parts[2].split(separator: UInt8(ascii: "*"), maxSplits: 2, omittingEmptySubsequences: false)
        guard inner.count == 3, inner[0].isEmpty, Self.decode(inner[1]) == Self.algorithm else { return nil }
        dataKeyUID = uid
        box = Array(inner[2])
    }

    /// The bytes to store.
    var bytes: [UInt8] {
        Array("#\(Self.encode(dataKeyUID))#*\(Self.encode(Self.algorithm))*".utf8) + box
    }

    /// Decrypts; nil when the bytes were changed or belong to another key or place.
    func open(with dataKey: DataKey, context: String) -> Secret? {
        guard let sealed = try? AES.GCM.SealedBox(combined: box),
            let clear = try? AES.GCM.open(
                sealed, using: dataKey.key, authenticating: Self.binding(dataKey.uid, context))
        else { return nil }
        return Secret(String(decoding: clear, as: UTF8.self))
    }

    private static func binding(_ uid: String, _ context: String) -> [UInt8] {
        Array("value/\(uid)/\(context)".utf8)
    }

    private static func encode(_ text: String) -> String {
        String(Data(text.utf8).base64EncodedString().prefix { $0 != "=" })
    }

    private static func decode(_ text: some Collection<UInt8>) -> String? {
        var padded = Array(text)
        while padded.count % 4 != 0 { padded.append(UInt8(ascii: "=")) }
        guard let data = Data(base64Encoded: Data(padded)) else { return nil }
        // The last digit of base64 has bits that mean nothing: only the one way to write a text is taken.
        let decoded = String(decoding: data, as: UTF8.self)
        return encode(decoded).utf8.elementsEqual(text) ? decoded : nil
    }
}
