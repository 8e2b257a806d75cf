// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
public import Signing
import Synchronization

/// A file of a plugin, read once into memory and sealed: nobody can change it between the check and its use.
///
/// Owns a memory file and closes it with its last reference; what was opened from it stays mapped.
public final class SealedImage: Sendable {
    /// The file that was read, for messages and debuggers.
    public let origin: String
    /// The descriptor of the memory file.
    public let descriptor: Int32
    /// Bytes.
    public let size: Int
    /// The SHA-256 of the bytes, computed while they were read.
    public let digest: FileDigest
    /// Counts the images, so that no two have the same path.
    private let serial: Int
    private static let lastSerial = Atomic<Int>(0)

    init(origin: String, descriptor: Int32, size: Int, digest: FileDigest) {
        self.origin = origin
        self.descriptor = descriptor
        self.size = size
        self.digest = digest
        serial = Self.lastSerial.wrappingAdd(1, ordering: .relaxed).newValue
    }

    deinit {
        close(descriptor)
    }

    /// The path to give to `dlopen`, such as `/proc/self//././fd/7`, which no other image has or had.
    ///
    /// The dynamic linker recognises libraries by the path they were opened with, and descriptor numbers are used again:
    /// with the plain path it would return an old library for a new one. The detours spell the serial number in binary.
    public var path: String {
        let detours = String(serial, radix: 2).map { $0 == "1" ? "/." : "/" }.joined()
        return "/proc/self\(detours)/fd/\(descriptor)"
    }

    /// Copies bytes from `offset` on; returns how many there were.
    ///
    /// - Throws: ``FileError``.
    public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
        guard count >= 0 else { throw FileError(operation: "read", path: origin, number: errno) }
        return count
    }

    /// Calls `body` with all bytes, mapped read-only.
    ///
    /// - Throws: what `body` throws, or a ``FileError`` when the bytes cannot be mapped.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        guard size > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        guard let map = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), map != MAP_FAILED else {
            throw FileError(operation: "map", path: origin, number: errno)
        }
        defer { munmap(map, size) }
        return try body(UnsafeRawBufferPointer(start: map, count: size))
    }
}

extension SealedImage {
    /// 1 GiB: ten times the largest Swift plugin that carries all of Foundation.
    static let largestSize = 1 << 30

    /// Reads a file into a sealed memory file, hashing what it writes.
    ///
    /// A file that changes meanwhile gives the bytes of whichever moment, and the digest of the very same bytes.
    ///
    /// - Throws: ``FileError``; `number` is `EFBIG` past `limit` and `EISDIR` for anything that is not a regular file.
    convenience init(reading path: String, limit: Int = largestSize) throws {
        let source = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard source >= 0 else { throw FileError(operation: "open", path: path, number: errno) }
        defer { close(source) }
        let mode = linux_mode_of(source)
        guard mode != 0 else { throw FileError(operation: "read", path: path, number: errno) }
        guard mode & S_IFMT == S_IFREG else { throw FileError(operation: "read", path: path, number: EISDIR) }

        let memory = linux_memfd_create(FilePath.lastComponent(path))
        guard memory >= 0 else { throw FileError(operation: "memfd_create", path: path, number: errno) }
        do {
            var hasher = FileHasher()
            let size = try Self.copy(from: source, to: memory, path: path, limit: limit, hasher: &hasher)
            guard linux_seal(memory) == 0 else { throw FileError(operation: "seal", path: path, number: errno) }
            self.init(origin: path, descriptor: memory, size: size, digest: hasher.digest())
        } catch {
            close(memory)
            throw error
        }
    }

    /// Copies until the end of `source`; returns the number of bytes.
    private static func copy(
        from source: Int32, to memory: Int32, path: String, limit: Int, hasher: inout FileHasher
    ) throws -> Int {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 64)
        defer { chunk.deallocate() }
        var size = 0
        while true {
            let count = Glibc.read(source, chunk.baseAddress, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(operation: "read", path: path, number: errno) }
            guard count > 0 else { return size }
            size += count
            guard size <= limit else { throw FileError(operation: "read", path: path, number: EFBIG) }
            let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<count])
            hasher.update(bytes)
            try write(bytes, to: memory, path: path)
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to memory: Int32, path: String) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(memory, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileError(operation: "copy", path: path, number: errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
