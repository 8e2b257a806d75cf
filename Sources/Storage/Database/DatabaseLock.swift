// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization

/// The file `<database>.lock`, locked while a server has the database.
///
/// It ends with the process, however that ends; the file itself stays, since removing it would race with another server
/// that just opened it.
final class DatabaseLock: Sendable {
    private let descriptor: Atomic<Int32>

    private init(descriptor: Int32) {
        self.descriptor = Atomic(descriptor)
    }

    deinit {
        release()
    }

    /// Takes the lock, or returns nil for a tool when a server has it.
    static func take(path: String, role: DatabaseOptions.Role) throws -> DatabaseLock? {
        guard !path.isEmpty, path != ":memory:", !path.utf8.contains(0) else {
            throw StorageError(.cannotOpen, "database: '\(path)' is not a file; give a file name in [database] path")
        }
        // Two names of one file, such as a symbolic link, must meet at one lock.
        let file = realPath(path) ?? path
        let lockPath = file + ".lock"
        let descriptor = Glibc.open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else {
            throw StorageError(
                .cannotOpen,
                "database '\(path)': its lock file '\(lockPath)' cannot be opened (\(systemMessage(errno))); check that the "
                    + "folder exists and belongs to the server's user")
        }
        if linux_try_lock(descriptor) == 0 {
            writeProcess(to: descriptor)
            return DatabaseLock(descriptor: descriptor)
        }
        let code = errno
        let owner = readProcess(from: descriptor)
        Glibc.close(descriptor)
        if role == .tool, code == EAGAIN || code == EACCES { return nil }
        guard code == EAGAIN || code == EACCES else {
            throw StorageError(
                .cannotOpen,
                "database '\(path)': '\(lockPath)' cannot be locked (\(systemMessage(code))); use a local disk")
        }
        throw StorageError(
            .databaseLocked,
            "database '\(path)': another server\(owner) has it open; stop that server, or give this one its own [database] path"
        )
    }

    /// Gives the lock back; a second call does nothing.
    func release() {
        let open = descriptor.exchange(-1, ordering: .acquiringAndReleasing)
        guard open >= 0 else { return }
        linux_unlock(open)
        Glibc.close(open)
    }

    private static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func writeProcess(to descriptor: Int32) {
        let text = "\(getpid())\n"
        // Only the message of another server needs the number: a failure to write it is no reason to stop.
        _ = ftruncate(descriptor, 0)
        _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    private static func readProcess(from descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0, let process = Int32(String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self))
        else {
            return ""
        }
        return " (pid \(process))"
    }
}
