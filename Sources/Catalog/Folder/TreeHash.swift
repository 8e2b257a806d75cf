// SPDX-License-Identifier: Apache-2.0
import Crypto
import Glibc

/// One hash over all files of a folder: their paths, whether they may be executed, and their content.
///
/// SHA-256 of a line `<sha256> <x or -> <path>` for each file, sorted by the bytes of the path.
enum TreeHash {
    /// - Throws: ``CatalogError`` `.archiveSpecialFile` for a link or a device.
    static func of(_ root: String, progress: () throws -> Void = {}) throws -> String {
        var sum = SHA256()
        let entries = try FileTree.entries(of: root).filter { $0.kind != .folder }
        for entry in entries.sorted(by: { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }) {
            guard entry.kind == .file else {
                throw CatalogError(
                    .archiveSpecialFile, "'\(root)/\(entry.path)': it is a link or no file; replace it by a copy")
            }
            try progress()
            let hash = try ofFile("\(root)/\(entry.path)")
            sum.update(data: Array("\(hash) \(entry.isExecutable ? "x" : "-") \(entry.path)\n".utf8))
        }
        return text(sum.finalize())
    }

    static func ofFile(_ path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw CatalogError.system("open", path, errno) }
        defer { close(descriptor) }
        var sum = SHA256()
        try FileTree.forEachChunk(of: descriptor, path: path) { sum.update(bufferPointer: $0) }
        return text(sum.finalize())
    }

    /// Lower-case hexadecimal.
    static func text(_ digest: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
