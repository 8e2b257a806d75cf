// SPDX-License-Identifier: Apache-2.0

/// Random texts from the system's secure generator.
enum RandomText {
    private static let letters = Array("abcdefghijklmnopqrstuvwxyz")
    private static let lettersAndDigits = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    private static let hexDigits = Array("0123456789abcdef".utf8)

    /// An object's uid: 14 lower-case letters and digits, a letter first.
    static func uid() -> String {
        String((0..<14).map { $0 == 0 ? pick(letters) : pick(lettersAndDigits) })
    }

    /// Lower-case letters and digits, as password salts use them.
    static func salt(length: Int) -> String {
        String((0..<length).map { _ in pick(lettersAndDigits) })
    }

    /// Random bytes.
    static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// Lower-case hex digits of the bytes.
    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(hexDigits[Int(byte >> 4)])
            text.append(hexDigits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func pick(_ characters: [Character]) -> Character {
        characters[Int.random(in: characters.indices)]
    }
}
