// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A failed system call on a file.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was tried, such as `open`.
    public var operation: String
    /// The file or folder.
    public var path: String
    /// The value of `errno`.
    public var number: Int32

    /// The system's words for `number`, such as `Permission denied`.
    public var reason: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress, strerror_r(number, start, buffer.count) == 0 else {
                return "error \(number)"
            }
            return String(cString: start)
        }
    }

    /// Whether nothing is at the path.
    var isMissing: Bool { number == ENOENT || number == ENOTDIR }

    /// Operation, path and reason.
    public var description: String { "cannot \(operation) '\(path)': \(reason)" }
}

/// The few file operations of the loader, as values and errors instead of `errno`.
enum FileSystem {
    struct Status: Sendable {
        var isFile: Bool
        var isFolder: Bool
        var isSymlink: Bool
    }

    /// What is at the path, or nil when nothing can be seen there; symlinks are followed unless told otherwise.
    static func status(of path: String, followingSymlinks: Bool = true) -> Status? {
        try? requiredStatus(of: path, followingSymlinks: followingSymlinks)
    }

    static func requiredStatus(of path: String, followingSymlinks: Bool = true) throws(FileError) -> Status {
        let mode = linux_mode(path, followingSymlinks ? 1 : 0)
        guard mode != 0 else { throw FileError(operation: "read", path: path, number: errno) }
        let kind = mode & S_IFMT
        return Status(isFile: kind == S_IFREG, isFolder: kind == S_IFDIR, isSymlink: kind == S_IFLNK)
    }

    /// The path with all symlinks resolved, or nil when it does not exist or cannot be reached.
    static func realPath(_ path: String) -> String? {
        guard !path.isEmpty, let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The names in a folder, sorted by bytes, without `.` and `..`; names that are not UTF-8 are left out.
    static func names(in folder: String) throws(FileError) -> [String] { try listing(of: folder).names }

    /// The names in a folder, sorted by bytes, without `.` and `..`; and one that is not UTF-8, with U+FFFD in it.
    static func listing(of folder: String) throws(FileError) -> (names: [String], unreadable: String?) {
        guard let stream = opendir(folder) else { throw FileError(operation: "list", path: folder, number: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        var unreadable: String?
        while let entry = readdir(stream) {
            withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                let bytes = bytes.prefix { $0 != 0 }
                guard let name = String(validating: bytes, as: UTF8.self) else {
                    unreadable = String(decoding: bytes, as: UTF8.self)
                    return
                }
                if name != ".", name != ".." { names.append(name) }
            }
        }
        return (names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }, unreadable)
    }

    /// All bytes of a regular file of at most `limit` bytes.
    static func bytes(of path: String, limit: Int) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileError(operation: "open", path: path, number: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(operation: "read", path: path, number: errno) }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw FileError(operation: "read", path: path, number: EFBIG) }
        }
    }
}

/// Paths as text.
enum FilePath {
    static func join(_ folder: String, _ name: String) -> String {
        folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }

    static func lastComponent(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// The path without trailing slashes; `/` stays.
    static func withoutTrailingSlash(_ path: String) -> String {
        var path = path[...]
        while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
        return String(path)
    }

    /// A relative path without `.` parts and double slashes; nil when it is empty, absolute or climbs with `..`.
    static func normalized(_ path: String) -> String? {
        guard !path.hasPrefix("/"), !path.utf8.contains(0) else { return nil }
        // By bytes, as files are named: to a character "/" and an accent are one.
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
        guard !parts.isEmpty, !parts.contains(where: { $0.elementsEqual("..".utf8) }) else { return nil }
        return parts.map(Substring.init).joined(separator: "/")
    }

    /// Whether `path` is `folder` itself or below it; both without `..` parts.
    static func isInside(_ path: String, folder: String) -> Bool {
        path == folder || path.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/")
    }

    /// The part of `path` below `folder`; empty for the folder itself, nil when it is not below.
    static func relative(_ path: String, to folder: String) -> String? {
        guard isInside(path, folder: folder) else { return nil }
        return String(path.dropFirst(folder.count).drop { $0 == "/" })
    }
}
