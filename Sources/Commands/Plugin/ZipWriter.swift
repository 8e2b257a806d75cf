// SPDX-License-Identifier: Apache-2.0
import CZip
import Glibc

/// Writes zip archives that depend on nothing but their files: no times, no owners, a fixed order.
enum ZipWriter {
    /// 1980-01-01 00:00, the first moment that a zip archive can say.
    private static let date: UInt16 = 1 << 5 | 1

    /// Writes an archive; it takes the place of `path` at once when it is complete.
    ///
    /// - Parameter folder: The folder in the archive that all files are in.
    /// - Returns: The archive's size in bytes.
    /// - Throws: ``CommandFailure`` `.inputOutput`.
    static func write(_ files: [PackageFile], below folder: String, to path: String) throws -> Int64 {
        let draft = "\(path).\(getpid()).new"
        var code: Int32 = 0
        guard let zip = zip_open(draft, ZIP_CREATE | ZIP_TRUNCATE, &code) else {
            throw failure(path, Terminal.systemMessage(errno))
        }
        do {
            for file in files { try add(file, as: "\(folder)/\(file.name)", to: zip) }
        } catch {
            zip_discard(zip)
            throw error
        }
        guard zip_close(zip) == 0 else {
            let reason = String(cString: zip_strerror(zip))
            zip_discard(zip)
            unlink(draft)
            throw failure(path, reason)
        }
        var status = stat()
        guard stat(draft, &status) == 0, rename(draft, path) == 0 else {
            let number = errno
            unlink(draft)
            throw failure(path, Terminal.systemMessage(number))
        }
        return Int64(status.st_size)
    }

    private static func add(_ file: PackageFile, as name: String, to zip: OpaquePointer) throws {
        let source: OpaquePointer?
        switch file.content {
        case .file(let path):
            guard access(path, R_OK) == 0 else {
                throw CommandFailure(
                    .inputOutput, "'\(path)': \(Terminal.systemMessage(errno)); make it readable for this user")
            }
            source = zip_source_file(zip, path, 0, -1)
        case .bytes(let bytes):
            // libzip frees the copy.
            guard let copy = malloc(max(1, bytes.count)) else { throw failure(name, "out of memory") }
            bytes.withUnsafeBytes { if let start = $0.baseAddress { memcpy(copy, start, $0.count) } }
            source = zip_source_buffer(zip, copy, UInt64(bytes.count), 1)
        }
        guard let source else { throw failure(name, String(cString: zip_strerror(zip))) }
        let index = zip_file_add(zip, name, source, UInt32(ZIP_FL_ENC_UTF_8))
        guard index >= 0 else {
            zip_source_free(source)
            throw failure(name, String(cString: zip_strerror(zip)))
        }
        let mode: UInt32 = S_IFREG | (file.isProgram ? 0o755 : 0o644)
        guard zip_file_set_dostime(zip, UInt64(index), 0, date, 0) == 0,
            zip_file_set_external_attributes(zip, UInt64(index), 0, UInt8(ZIP_OPSYS_UNIX), mode << 16) == 0
        else { throw failure(name, String(cString: zip_strerror(zip))) }
    }

    private static func failure(_ path: String, _ reason: String) -> CommandFailure {
        CommandFailure(.inputOutput, "'\(path)' cannot be written: \(reason); name another --output or make room")
    }
}
