// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Settings
import Storage

/// Whether the database can be opened, is whole, and belongs to this secret key.
struct DatabaseCheck: Sendable {
    let settings: Settings

    func findings() async -> [Finding] {
        let database: DatabaseAccess
        do { database = try DatabaseAccess(settings: settings) } catch {
            return [.error("database", CommandFailure(error).message, remedy: "correct the setting")]
        }
        let path = database.path
        guard FolderCheck.exists(path) else {
            return [.ok("database", "'\(path)' does not exist yet; the server makes it at its first start")]
        }
        guard access(path, R_OK | W_OK) == 0 else {
            return [
                .error(
                    "database", "'\(path)' is not readable and writable for this user",
                    remedy: "give it to the server's user with chown")
            ]
        }
        let lock = DatabaseLockProbe(path: path)
        switch lock.state {
        case .held(let process):
            let owner = process.map { " (pid \($0))" } ?? ""
            return [.ok("database", "'\(path)' is in use by a running server\(owner); its content is not checked")]
        case .free:
            lock.release()
            return await contentFindings(database)
        }
    }

    private func contentFindings(_ database: DatabaseAccess) async -> [Finding] {
        do {
            return try await database.looking { stores in
                let steps = try await stores.database.read { connection in
                    try connection.query("SELECT migration_id FROM migration_log ORDER BY id").map {
                        try $0.text("migration_id")
                    }
                }
                let answer = try await stores.database.read { connection in
                    try connection.query("PRAGMA quick_check(1)").map { try $0.text("quick_check") }
                }
                guard answer == ["ok"] else {
                    return [damage(database.path, answer.first ?? "no answer of quick_check")]
                }
                let schema = steps.last.map { "schema \($0)" } ?? "no schema"
                return [.ok("database", "'\(database.path)' is whole, \(schema)")] + (await keyFindings(stores))
            }
        } catch let error as StorageError where error.code == .migrationFailed {
            return [
                .ok(
                    "database", "'\(database.path)' has an older schema; the server brings it up to date when it starts"
                )
            ]
        } catch {
            return [
                .error(
                    "database", CommandFailure(error).message,
                    remedy: "see docs/troubleshooting.md, or restore a backup")
            ]
        }
    }

    private func damage(_ path: String, _ fact: String) -> Finding {
        .error("database", "'\(path)' is damaged: \(fact)", remedy: "stop the server and restore a backup")
    }

    private func keyFindings(_ stores: Stores) async -> [Finding] {
        do {
            try await stores.secrets.verify()
            return []
        } catch {
            return [
                .error("secret-key", CommandFailure(error).message, remedy: "see admin secrets change-key --help")
            ]
        }
    }
}

/// The lock of a database, seen from outside of the server.
///
/// A probe that finds the lock free has it until ``release()``.
final class DatabaseLockProbe: Sendable {
    /// Who has the lock.
    enum State: Sendable, Equatable {
        /// A running server, with its process if that is known.
        case held(process: Int32?)
        case free
    }

    let state: State
    private let descriptor: Int32

    init(path: String) {
        var lockPath = path + ".lock"
        if let resolved = realpath(path, nil) {
            lockPath = String(cString: resolved) + ".lock"
            free(resolved)
        }
        // Without the file no server has ever had the database, and nothing is made here.
        descriptor = open(lockPath, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            state = .free
            return
        }
        state = linux_try_lock(descriptor) == 0 ? .free : .held(process: Self.process(in: descriptor))
    }

    deinit {
        guard descriptor >= 0 else { return }
        linux_unlock(descriptor)
        close(descriptor)
    }

    /// Gives the lock back; more calls do no harm.
    func release() {
        if descriptor >= 0 { linux_unlock(descriptor) }
    }

    private static func process(in descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }
}
