// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Writes the files of a plan into an empty folder that only this process writes to.
struct Unpacker {
    let archive: ZipArchive
    let plan: UnpackPlan

    /// - Parameters:
    ///   - folder: Exists and is empty.
    ///   - progress: Gets the bytes written so far; throws to stop.
    /// - Throws: ``CatalogError``; what was written then stays for the caller to remove.
    func unpack(into folder: String, progress: (UInt64) throws -> Void) throws {
        let root = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard root >= 0 else { throw CatalogError.system("open", folder, errno) }
        defer { close(root) }
        for path in plan.folders where mkdirat(root, path, 0o755) != 0 {
            throw CatalogError.system("make", "\(folder)/\(path)", errno)
        }
        var written: UInt64 = 0
        for file in plan.files {
            try progress(written)
            let path = "\(folder)/\(file.path)"
            let mode: mode_t = file.isExecutable ? 0o755 : 0o644
            let descriptor = openat(root, file.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
            guard descriptor >= 0 else { throw CatalogError.system("make", path, errno) }
            defer { close(descriptor) }
            try archive.read(file.entry) { bytes in
                try FileOutput.write(bytes, to: descriptor, path: path)
                written += UInt64(bytes.count)
                try progress(written)
            }
            // The umask of the operator must not hide the plugin from the server's user.
            guard fchmod(descriptor, mode) == 0 else { throw CatalogError.system("change", path, errno) }
        }
        for path in plan.folders where fchmodat(root, path, 0o755, 0) != 0 {
            throw CatalogError.system("change", "\(folder)/\(path)", errno)
        }
    }
}

/// Writes to descriptors.
enum FileOutput {
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw CatalogError.system("write", path, errno) }
            rest = rest.dropFirst(count)
        }
    }
}
