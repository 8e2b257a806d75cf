// SPDX-License-Identifier: Apache-2.0
import Logging

/// A database with one writer and a few readers, each a connection on a thread of its own, so that blocking calls never
/// run on the cooperative pool.
///
/// A write is acknowledged after its transaction is on disk (WAL, `synchronous=FULL`): a power cut or `kill -9`
/// afterwards loses nothing.
public final class Database: Sendable {
    /// How this database says things.
    public let dialect: any Dialect
    /// The file, for messages.
    public let path: String
    private let writer: ConnectionThreads
    private let readers: ConnectionThreads
    private let lock: DatabaseLock?

    /// Opens or creates an SQLite database, takes the server's lock and brings the schema up to date.
    ///
    /// - Parameter path: A file in a folder that exists; `:memory:` is not supported.
    /// - Throws: ``StorageError`` `.databaseLocked` when another server has the file (the message names its pid),
    ///   `.cannotOpen`, `.corrupt`, `.migrationFailed` or `.foreignDatabase`.
    public static func open(path: String, options: DatabaseOptions = DatabaseOptions()) async throws -> Database {
        let dialect = SQLiteDialect()
        let lock = try DatabaseLock.take(path: path, role: options.role)
        let timeout = options.busyTimeout
        let writer = try await ConnectionThreads.start(count: 1) {
            try SQLiteConnection(path: path, dialect: dialect, mode: .write, busyTimeout: timeout)
        }
        let readers: ConnectionThreads
        do {
            readers = try await ConnectionThreads.start(count: min(max(options.readers, 1), 64)) {
                try SQLiteConnection(path: path, dialect: dialect, mode: .read, busyTimeout: timeout)
            }
        } catch {
            await writer.stop()
            throw error
        }
        let database = Database(path: path, dialect: dialect, writer: writer, readers: readers, lock: lock)
        try await database.prepareSchema(migrates: lock != nil, logger: options.logger)
        return database
    }

    private init(
        path: String, dialect: any Dialect, writer: ConnectionThreads, readers: ConnectionThreads, lock: DatabaseLock?
    ) {
        self.path = path
        self.dialect = dialect
        self.writer = writer
        self.readers = readers
        self.lock = lock
    }

    /// Runs the body in one write transaction: committed when it returns, rolled back when it throws.
    ///
    /// - Throws: What the body throws, ``StorageError`` of the commit, or `CancellationError` when the task was
    ///   cancelled before its turn came. A transaction that began is not interrupted.
    @discardableResult
    public func write<Value: Sendable>(
        _ body: @escaping @Sendable (any DatabaseConnection) throws -> Value
    ) async throws -> Value {
        try await writer.run { connection in try connection.transaction(.immediate) { try body(connection) } }
    }

    /// Runs the body in one read transaction: all its queries see the same state of the database.
    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (any DatabaseConnection) throws -> Value
    ) async throws -> Value {
        try await readers.run { connection in try connection.transaction(.deferred) { try body(connection) } }
    }

    /// Runs work that takes milliseconds of processor time, such as a password hash, on a reader's thread.
    func offload<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await readers.run { _ in try body() }
    }

    /// Fails unless the database answers a query; for `/api/health`.
    public func checkHealth() async throws {
        _ = try await read { try $0.count("SELECT 1 AS n") }
    }

    /// Ends the threads after the work that is queued, closes the connections and gives the lock back.
    ///
    /// Later calls throw ``StorageError/Code/closed``.
    public func close() async {
        await readers.stop()
        await writer.stop()
        lock?.release()
    }

    private func prepareSchema(migrates: Bool, logger: Logger) async throws {
        do {
            try await Migrator(database: self, migrations: Migration.all, logger: logger).run(applies: migrates)
        } catch {
            await close()
            throw error
        }
    }
}
