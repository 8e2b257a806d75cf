// SPDX-License-Identifier: Apache-2.0
import CZip
import Glibc

/// A zip archive, read through libzip, which also checks that its directory and its entries agree.
///
/// One thread uses it.
final class ZipArchive {
    private let handle: OpaquePointer
    /// What is said about the archive in errors.
    let subject: String
    let fileBytes: UInt64

    /// - Throws: ``CatalogError`` `.archiveMalformed`, `.folderFailed`.
    init(path: String, subject: String) throws {
        self.subject = subject
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw CatalogError.system("open", path, errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw CatalogError(.archiveMalformed, "\(subject): it is no file; give a zip archive")
        }
        fileBytes = UInt64(clamping: status.st_size)
        var code: Int32 = 0
        // libzip owns the descriptor unless it fails.
        guard let handle = zip_fdopen(descriptor, ZIP_CHECKCONS, &code) else {
            close(descriptor)
            guard code != ZIP_ER_EXISTS else {
                throw CatalogError(
                    .archiveDuplicateName, "\(subject): it has two files of one name; do not use this archive")
            }
            var error = zip_error_t()
            zip_error_init_with_code(&error, code)
            defer { zip_error_fini(&error) }
            throw Self.malformed(subject, String(cString: zip_error_strerror(&error)))
        }
        self.handle = handle
    }

    deinit { zip_discard(handle) }

    private static func malformed(_ subject: String, _ fact: String) -> CatalogError {
        CatalogError(
            .archiveMalformed, "\(subject): it is not a sound zip archive (\(fact)); fetch it again or build it again")
    }

    /// The entries in the order of the directory.
    ///
    /// - Throws: ``CatalogError`` `.archiveTooLarge` for more than `limit` of them, `.archiveMalformed`.
    func entries(limit: Int) throws -> [ArchiveEntry] {
        let count = zip_get_num_entries(handle, 0)
        guard count <= Int64(limit) else {
            throw CatalogError(
                .archiveTooLarge, "\(subject): it has \(count) entries, more than \(limit); it is no plugin")
        }
        return try (0..<UInt64(max(count, 0))).map(entry)
    }

    private func entry(_ index: UInt64) throws -> ArchiveEntry {
        var status = zip_stat_t()
        guard zip_stat_index(handle, index, zip_flags_t(ZIP_FL_ENC_RAW), &status) == 0, let name = status.name,
            status.valid & UInt64(ZIP_STAT_SIZE) != 0, status.valid & UInt64(ZIP_STAT_COMP_SIZE) != 0
        else { throw Self.malformed(subject, "entry \(index) has no name or size") }
        var system: UInt8 = 0
        var attributes: UInt32 = 0
        guard zip_file_get_external_attributes(handle, index, 0, &system, &attributes) == 0 else {
            throw Self.malformed(subject, "entry \(index) has no attributes")
        }
        let bytes = Array(UnsafeRawBufferPointer(start: name, count: strlen(name)))
        // Only Unix (3) and macOS (19) put a mode into the upper half.
        let mode = system == 3 || system == 19 ? mode_t(attributes >> 16) : 0
        return ArchiveEntry(
            index: index, name: bytes, kind: Self.kind(mode, isFolder: bytes.last == UInt8(ascii: "/")),
            isExecutable: mode & 0o100 != 0, packedBytes: status.comp_size, size: status.size,
            isEncrypted: status.valid & UInt64(ZIP_STAT_ENCRYPTION_METHOD) != 0 && status.encryption_method != 0,
            isCommonMethod: status.comp_method == 0 || status.comp_method == 8)
    }

    private static func kind(_ mode: mode_t, isFolder: Bool) -> ArchiveEntry.Kind {
        switch mode & S_IFMT {
        case 0: isFolder ? .folder : .file
        case S_IFREG: isFolder ? .special : .file
        case S_IFDIR: isFolder ? .folder : .special
        case S_IFLNK: .link
        default: .special
        }
    }

    /// Unpacks one entry, at most its declared size.
    ///
    /// - Throws: ``CatalogError`` when its content is broken or larger or smaller than declared, and what `write` throws.
    func read(_ entry: ArchiveEntry, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let file = zip_fopen_index(handle, entry.index, 0) else {
            throw Self.malformed(subject, "'\(entry.shownName)' cannot be unpacked: \(lastError)")
        }
        defer { zip_fclose(file) }
        var rest = entry.size
        try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
            guard let base = buffer.baseAddress else { return }
            while true {
                let count = zip_fread(file, base, UInt64(buffer.count))
                guard count >= 0 else {
                    throw Self.malformed(subject, "'\(entry.shownName)' is damaged")
                }
                guard UInt64(count) <= rest else {
                    throw CatalogError(
                        .archiveTooLarge,
                        "\(subject): '\(entry.shownName)' is larger than the \(entry.size) bytes that it claims; "
                            + "it is no honest archive")
                }
                guard count > 0 else { break }
                rest -= UInt64(count)
                try write(UnsafeRawBufferPointer(start: base, count: Int(count)))
            }
        }
        guard rest == 0 else { throw Self.malformed(subject, "'\(entry.shownName)' ends early") }
    }

    private var lastError: String { zip_get_error(handle).map { String(cString: zip_error_strerror($0)) } ?? "" }
}
