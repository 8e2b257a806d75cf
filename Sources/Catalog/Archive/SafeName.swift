// SPDX-License-Identifier: Apache-2.0

/// The name of a file inside of a package: relative, without surprises on any file system.
struct SafeName: Sendable, Equatable {
    /// Why a name is not safe.
    struct Failure: Error {
        /// Follows the name.
        var fact: String
    }

    /// Parts joined by `/`.
    let path: String

    init(_ bytes: [UInt8], limits: ArchiveLimits = ArchiveLimits()) throws(Failure) {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure(fact: "is not UTF-8") }
        guard text.utf8.count <= limits.nameBytes else {
            throw Failure(fact: "is longer than \(limits.nameBytes) bytes")
        }
        guard text.utf8.first != UInt8(ascii: "/") else { throw Self.outside("is absolute") }
        guard !text.utf8.contains(UInt8(ascii: "\\")), !text.utf8.contains(UInt8(ascii: ":")) else {
            throw Self.outside("has a backslash or a colon")
        }
        guard text.unicodeScalars.allSatisfy({ !Self.isHidden($0) }) else {
            throw Failure(fact: "has control characters, or marks that turn the direction of text")
        }
        var name = bytes[...]
        if name.last == UInt8(ascii: "/") { name.removeLast() }
        let parts = name.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        // By its characters the text would have other parts: "/" and an accent are one of them.
        guard text.count(where: { $0 == "/" }) == text.utf8.count(where: { $0 == UInt8(ascii: "/") }) else {
            throw Self.outside("has a slash that is a part of another character")
        }
        guard parts.count <= limits.depth else {
            throw Failure(fact: "has more than \(limits.depth) levels of folders")
        }
        for part in parts {
            if part.elementsEqual("..".utf8) { throw Self.outside("has '..'") }
            guard !part.isEmpty, !part.elementsEqual(".".utf8) else {
                throw Failure(fact: "has an empty part or a '.'")
            }
            guard part.count <= 255 else { throw Failure(fact: "has a part of more than 255 bytes") }
            guard part.last != UInt8(ascii: " "), part.last != UInt8(ascii: ".") else {
                throw Failure(fact: "has a part that ends in a space or dot")
            }
        }
        path = String(decoding: name, as: UTF8.self)
    }

    /// Grafana's words for an entry that leaves the folder.
    private static func outside(_ fact: String) -> Failure {
        Failure(fact: "\(fact): it tries to write outside of plugin directory, this can be a security risk")
    }

    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}
