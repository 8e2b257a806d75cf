// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The few file operations of this module.
enum FileAccess {
    /// The system's words for an `errno`.
    static func reason(_ number: Int32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress, strerror_r(number, start, buffer.count) == 0 else {
                return "error \(number)"
            }
            return String(cString: start)
        }
    }

    /// An open regular file; the caller closes it.
    static func open(_ path: String) throws(SigningError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw SigningError(.fileUnreadable, "'\(path)' cannot be opened: \(reason(errno))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw SigningError(.fileSpecial, "'\(path)' is no regular file")
        }
        return descriptor
    }

    /// Reads a file to its end, in pieces that are valid during each call only.
    static func read(_ path: String, _ piece: (UnsafeRawBufferPointer) throws(SigningError) -> Void)
        throws(SigningError)
    {
        let descriptor = try open(path)
        defer { close(descriptor) }
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 64)
        defer { chunk.deallocate() }
        while true {
            let count = Glibc.read(descriptor, chunk.baseAddress, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw SigningError(.fileUnreadable, "'\(path)' cannot be read: \(reason(errno))")
            }
            guard count > 0 else { return }
            try piece(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
        }
    }

    /// All bytes of a file of at most `limit` bytes.
    static func bytes(of path: String, limit: Int) throws(SigningError) -> [UInt8] {
        var bytes: [UInt8] = []
        try read(path) { (piece) throws(SigningError) in
            bytes += piece
            guard bytes.count <= limit else {
                throw SigningError(.fileTooLarge, "'\(path)' has more than \(limit) bytes")
            }
        }
        return bytes
    }

    /// The names in a folder, sorted by bytes; bytes that are not UTF-8 become U+FFFD.
    static func names(in folder: String) throws(SigningError) -> [String] {
        guard let stream = opendir(folder) else {
            throw SigningError(.fileUnreadable, "'\(folder)' cannot be listed: \(reason(errno))")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted(by: PathOrder.precedes)
    }

    /// Whether something is at the path.
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The path with all links resolved; nil when it leads to nothing.
    static func realPath(_ path: String) -> String? {
        guard !path.isEmpty, let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Replaces a file at once and durably: readers see the old or the new content.
    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o644) throws(SigningError) {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw unwritable(path) }
        var isWritten = write(bytes, to: descriptor) && fsync(descriptor) == 0
        let number = errno
        isWritten = close(descriptor) == 0 && isWritten
        guard isWritten, rename(temporary, path) == 0 else {
            let error = unwritable(path, isWritten ? errno : number)
            unlink(temporary)
            throw error
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { whole in
            var rest = whole
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
            return true
        }
    }

    private static func unwritable(_ path: String, _ number: Int32 = errno) -> SigningError {
        SigningError(.fileUnwritable, "'\(path)' cannot be written: \(reason(number)); check its folder and the disk")
    }
}
