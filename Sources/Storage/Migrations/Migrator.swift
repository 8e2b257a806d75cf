// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Logging

/// Brings the schema up to date, one transaction a step, and keeps the record in `migration_log`.
///
/// The server's lock on the database guards the whole run. Each step looks again, inside of its own transaction, whether
/// it is still due.
struct Migrator {
    var database: Database
    var migrations: [Migration]
    var logger: Logger

    /// Runs the steps that are due.
    ///
    /// - Parameter applies: False for a tool beside a running server: then a step that is due is an error.
    func run(applies: Bool) async throws {
        let recorded = try await recordedSteps()
        try checkOrigin(recorded)
        let due = migrations.filter { !recorded.contains($0.id) }
        guard !due.isEmpty else { return }
        guard applies else {
            throw StorageError(
                .migrationFailed,
                "database '\(database.path)': its schema is older than this program; stop the server and start it with the "
                    + "same version as this command")
        }
        if recorded.isEmpty { try await createLog() }
        for migration in due { try await apply(migration) }
        logger.info("database schema is up to date", metadata: ["migrations.applied": "\(due.count)"])
    }

    private func recordedSteps() async throws -> Set<String> {
        try await database.read { connection in
            guard try connection.first(connection.dialect.tableExists, ["migration_log"]) != nil else {
                guard try connection.first(connection.dialect.tableExists, ["user"]) == nil else {
                    throw foreignTables()
                }
                return []
            }
            let rows = try connection.query("SELECT migration_id FROM migration_log WHERE success = ?", [true])
            return Set(try rows.map { try $0.text("migration_id") })
        }
    }

    /// Refuses tables of another program; steps of a newer version of this one are fine, since schemas stay compatible
    /// with the version before.
    private func checkOrigin(_ recorded: Set<String>) throws {
        let known = Set(migrations.map(\.id))
        let unknown = recorded.subtracting(known)
        guard recorded.isEmpty || !recorded.isDisjoint(with: known) else { throw foreignTables() }
        if !unknown.isEmpty {
            logger.warning(
                "database schema is newer than this program",
                metadata: ["migrations.unknown": "\(unknown.sorted().joined(separator: " "))"])
        }
    }

    private func foreignTables() -> StorageError {
        StorageError(
            .foreignDatabase,
            "database '\(database.path)': its tables were made by another program; give a new file in [database] path")
    }

    private func createLog() async throws {
        try await database.write { connection in
            let dialect = connection.dialect
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS migration_log (
                    id \(dialect.primaryKey),
                    migration_id \(dialect.name190) NOT NULL,
                    "sql" \(dialect.text) NOT NULL,
                    success \(dialect.boolean) NOT NULL,
                    error \(dialect.text) NOT NULL,
                    "timestamp" \(dialect.integer) NOT NULL
                )
                """)
        }
    }

    private func apply(_ migration: Migration) async throws {
        let statements = migration.statements(database.dialect)
        let id = migration.id
        do {
            try await database.write { connection in
                let count = try connection.count(
                    "SELECT COUNT(*) AS n FROM migration_log WHERE migration_id = ? AND success = ?", [.text(id), true])
                guard count == 0 else { return }
                for statement in statements { try connection.execute(statement) }
                try Self.record(id, statements, error: nil, in: connection)
            }
        } catch {
            let text = (error as? StorageError)?.message ?? "\(error)"
            // The failure itself is what the operator must see, even if the record of it cannot be written.
            try? await database.write { try Self.record(id, statements, error: text, in: $0) }
            throw StorageError(
                .migrationFailed,
                "database '\(database.path)': migration '\(id)' failed: \(text); nothing of it was applied. Restore a backup "
                    + "or mend the cause, then start again")
        }
    }

    private static func record(
        _ id: String, _ statements: [String], error: String?, in connection: any DatabaseConnection
    ) throws {
        try connection.execute(
            "INSERT INTO migration_log (migration_id, \"sql\", success, error, \"timestamp\") VALUES (?, ?, ?, ?, ?)",
            [
                .text(id), .text(statements.joined(separator: ";\n")), .bool(error == nil), .text(error ?? ""),
                .time(Date()),
            ])
    }
}
