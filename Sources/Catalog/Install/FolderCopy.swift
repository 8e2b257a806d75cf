// SPDX-License-Identifier: Apache-2.0
import Crypto
import Glibc

/// Copies the folder of a package; links and devices are refused as they are in an archive.
struct FolderCopy {
    let from: String
    let to: String
    let limits: ArchiveLimits

    func run(_ check: () throws -> Void) throws {
        let entries = try FileTree.entries(of: from, limits: limits)
        guard mkdir(to, 0o755) == 0 else { throw CatalogError.system("make", to, errno) }
        for entry in entries {
            try check()
            let target = "\(to)/\(entry.path)"
            switch entry.kind {
            case .folder:
                guard mkdir(target, 0o755) == 0 else { throw CatalogError.system("make", target, errno) }
            case .file:
                _ = try FileCopy.copy(
                    "\(from)/\(entry.path)", to: target, mode: entry.isExecutable ? 0o755 : 0o644, check)
            case .link, .other:
                throw CatalogError(
                    .archiveSpecialFile,
                    "'\(from)/\(entry.path)': it is a link or no file; replace it by a copy of the file")
            }
        }
    }
}

enum FileCopy {
    /// Copies a file and hashes it on the way.
    ///
    /// - Returns: The SHA-256 of what was written.
    @discardableResult
    static func copy(
        _ path: String, to target: String, mode: mode_t = 0o600, _ check: () throws -> Void
    ) throws -> String {
        let input = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard input >= 0 else { throw CatalogError.system("open", path, errno) }
        defer { close(input) }
        var status = stat()
        guard fstat(input, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw CatalogError(.archiveMalformed, "'\(path)': it is no file; name a zip archive or a plugin's folder")
        }
        let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard output >= 0 else { throw CatalogError.system("make", target, errno) }
        defer { close(output) }
        var sum = SHA256()
        try FileTree.forEachChunk(of: input, path: path) { bytes in
            try check()
            try FileOutput.write(bytes, to: output, path: target)
            sum.update(bufferPointer: bytes)
        }
        guard fchmod(output, mode) == 0 else { throw CatalogError.system("change", target, errno) }
        return TreeHash.text(sum.finalize())
    }
}
