// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Folders with all that is in them; links are never followed.
enum FileTree {
    enum Kind: Sendable, Equatable {
        case file
        case folder
        case link
        case other
    }

    struct Entry: Sendable, Equatable {
        /// Relative to the root of the walk.
        var path: String
        var kind: Kind
        var isExecutable: Bool
        var size: UInt64
    }

    /// What is at a path itself; nil when nothing is.
    static func kind(of path: String) -> Kind? {
        var status = stat()
        return lstat(path, &status) == 0 ? kind(status) : nil
    }

    /// The inode of what is at a path; nil when nothing is.
    static func inode(of path: String) -> UInt64? {
        var status = stat()
        return lstat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    private static func kind(_ status: stat) -> Kind {
        switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .folder
        case S_IFLNK: .link
        default: .other
        }
    }

    /// The names in a folder, sorted by bytes.
    ///
    /// - Throws: ``CatalogError`` `.folderFailed`, also for a name that is not UTF-8.
    static func names(in folder: String) throws -> [String] {
        guard let stream = opendir(folder) else { throw CatalogError.system("list", folder, errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                let shown = bytes.map { $0 < 0x80 ? String(UnicodeScalar($0)) : "\\x" + String($0, radix: 16) }
                throw CatalogError(
                    .folderFailed, "'\(folder)': the name '\(shown.joined())' in it is not UTF-8; rename or remove it")
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Everything below a folder, each folder before what is in it.
    ///
    /// - Throws: ``CatalogError`` `.folderFailed`, `.archiveTooLarge` for more than a package may have.
    static func entries(of root: String, limits: ArchiveLimits = ArchiveLimits()) throws -> [Entry] {
        var entries: [Entry] = []
        var open = [""]
        while let prefix = open.popLast() {
            let folder = prefix.isEmpty ? root : "\(root)/\(prefix)"
            for name in try names(in: folder) {
                let path = prefix.isEmpty ? name : "\(prefix)/\(name)"
                var status = stat()
                guard lstat("\(root)/\(path)", &status) == 0 else {
                    throw CatalogError.system("read", "\(root)/\(path)", errno)
                }
                let kind = kind(status)
                entries.append(
                    Entry(
                        path: path, kind: kind, isExecutable: status.st_mode & 0o100 != 0,
                        size: UInt64(clamping: status.st_size)))
                if kind == .folder { open.append(path) }
                guard entries.count <= limits.entries, path.utf8.count <= limits.nameBytes else {
                    throw CatalogError(
                        .archiveTooLarge, "'\(root)': it has too many files or levels; it is no plugin")
                }
            }
        }
        return entries
    }

    /// Removes a file, or a folder with everything in it; nothing there is fine.
    static func remove(_ path: String) throws {
        guard let kind = kind(of: path) else { return }
        guard kind == .folder else {
            guard unlink(path) == 0 || errno == ENOENT else { throw CatalogError.system("remove", path, errno) }
            return
        }
        // A folder of a package may lack the right to be emptied.
        _ = chmod(path, 0o755)
        for name in try names(in: path) { try remove("\(path)/\(name)") }
        guard rmdir(path) == 0 || errno == ENOENT else { throw CatalogError.system("remove", path, errno) }
    }

    /// Moves what is at a path to another one on the same file system, where nothing is.
    static func move(_ path: String, to target: String) throws {
        guard rename(path, target) == 0 else { throw CatalogError.system("move", path, errno) }
    }

    /// Makes a folder; one that is there is fine.
    static func makeFolder(_ path: String) throws {
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw CatalogError.system("make", path, errno) }
        guard kind(of: path) == .folder else { throw CatalogError.system("make", path, ENOTDIR) }
    }

    /// The bytes of a file of at most `limit` bytes; nil when there is none.
    static func read(_ path: String, limit: Int = 64 << 20) throws -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw CatalogError.system("open", path, errno)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        try forEachChunk(of: descriptor, path: path) { chunk in
            guard bytes.count + chunk.count <= limit else {
                throw CatalogError(
                    .folderFailed,
                    "'\(path)': it has more than \(limit) bytes, as no file of its kind has; name another one")
            }
            bytes += chunk
        }
        return bytes
    }

    /// Replaces a file by a new one with these bytes; after a crash it is the old or the new one.
    static func replace(_ path: String, with bytes: [UInt8], temporary: String) throws {
        try write(bytes, to: temporary)
        try replace(path, by: temporary)
    }

    /// Lets a file take the place of another one.
    static func replace(_ path: String, by temporary: String) throws {
        guard rename(temporary, path) == 0 else { throw CatalogError.system("replace", path, errno) }
    }

    /// Writes a file that is on the disk when this returns; when it fails, nothing is there.
    static func write(_ bytes: [UInt8], to temporary: String) throws {
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw CatalogError.system("make", temporary, errno) }
        do {
            defer { close(descriptor) }
            try bytes.withUnsafeBytes { try FileOutput.write($0, to: descriptor, path: temporary) }
            guard fchmod(descriptor, 0o644) == 0, fsync(descriptor) == 0 else {
                throw CatalogError.system("write", temporary, errno)
            }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    static func forEachChunk(
        of descriptor: Int32, path: String, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try withUnsafeTemporaryAllocation(byteCount: 1 << 17, alignment: 16) { buffer in
            while true {
                let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw CatalogError.system("read", path, errno) }
                guard count > 0 else { return }
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }
}
