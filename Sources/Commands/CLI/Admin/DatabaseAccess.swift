// SPDX-License-Identifier: Apache-2.0
import Glibc
import Logging
import Settings
import Storage

/// The database of the settings, as commands beside the server use it.
struct DatabaseAccess: Sendable {
    /// The file.
    let path: String
    let secretKey: Secret

    /// - Throws: ``CommandFailure`` `.configuration` for a database that is no SQLite file.
    init(settings: Settings) throws {
        let type = settings.string("database", "type")
        guard type.isEmpty || type == "sqlite3" else {
            throw CommandFailure(
                .configuration, "[database] type: '\(type)' is not supported by this version; write sqlite3")
        }
        path = Self.path(settings)
        secretKey = Secret(settings.string("security", "secret_key"))
    }

    /// `[database] path`; a relative one starts at `[paths] data`.
    static func path(_ settings: Settings) -> String {
        let name = settings.string("database", "path")
        let file = name.isEmpty ? "grafana.db" : name
        let folder = settings.path("paths", "data")
        return file.hasPrefix("/") || folder.isEmpty ? file : "\(folder)/\(file)"
    }

    /// As ``with(role:_:)`` for work that only looks: beside a running server, and without bringing an older schema up to
    /// date.
    ///
    /// - Throws: `StorageError` `.migrationFailed` for a schema of another version, what opening throws, and what the work
    ///   throws.
    func looking<Value>(_ work: (Stores) async throws -> Value) async throws -> Value {
        // While the probe has the lock of a database that is free, a tool is as one beside a running server.
        let lock = DatabaseLockProbe(path: path)
        return try await with(role: .tool) { stores in
            lock.release()
            return try await work(stores)
        }
    }

    /// Opens the database, runs work with the stores and closes it.
    ///
    /// - Parameter role: `.tool` works beside a running server, `.server` refuses when one runs.
    /// - Throws: ``CommandFailure`` `.inputOutput` when there is no database yet, and what the work throws.
    func with<Value>(role: DatabaseOptions.Role, _ work: (Stores) async throws -> Value) async throws -> Value {
        guard access(path, F_OK) == 0 else {
            throw CommandFailure(
                .inputOutput,
                "database '\(path)': it does not exist (\(Terminal.systemMessage(errno))); start the server once to make it, "
                    + "or name the server's own settings with --homepath and --config")
        }
        var options = DatabaseOptions()
        options.role = role
        options.readers = 1
        options.logger = Logger(label: "grafana.cli") { _ in SwiftLogNoOpLogHandler() }
        let database = try await Database.open(path: path, options: options)
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await work(Stores(database: database, secretKey: secretKey)))
        } catch {
            outcome = .failure(error)
        }
        await database.close()
        return try outcome.get()
    }
}
