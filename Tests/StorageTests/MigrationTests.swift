// SPDX-License-Identifier: Apache-2.0
import Logging
import Testing

@testable import Storage

struct MigrationTests {
    private let logger = Logger(label: "test")

    @Test func everyStepIsRecordedOnce() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        for _ in 0..<2 {
            let database = try await Database.open(path: path)
            let rows = try await database.read { connection in
                try connection.query("SELECT migration_id, success FROM migration_log ORDER BY id")
            }
            #expect(try rows.map { try $0.text("migration_id") } == Migration.all.map(\.id))
            #expect(try rows.allSatisfy { try $0.bool("success") })
            await database.close()
        }
    }

    @Test func aFailedStepIsRecordedAndLeavesNothing() async throws {
        try await withStores { stores, _ in
            let broken = Migration(id: "9999-broken") { _ in ["CREATE TABLE half (id INTEGER)", "CREATE NONSENSE"] }
            let migrator = Migrator(database: stores.database, migrations: Migration.all + [broken], logger: logger)

            let error = await #expect(throws: StorageError.self) { try await migrator.run(applies: true) }

            #expect(error?.code == .migrationFailed)
            #expect(error?.message.contains("9999-broken") == true)
            let (half, log) = try await stores.database.read { connection in
                (
                    try connection.first(connection.dialect.tableExists, ["half"]),
                    try connection.first("SELECT * FROM migration_log WHERE migration_id = '9999-broken'")
                )
            }
            #expect(half == nil)
            #expect(try log?.bool("success") == false)
            #expect(try log?.text("error").contains("NONSENSE") == true)
        }
    }

    @Test func aMendedStepRunsAtTheNextStart() async throws {
        try await withStores { stores, _ in
            for statement in ["CREATE NONSENSE", "CREATE TABLE mended (id INTEGER)"] {
                let step = Migration(id: "9999-mended") { _ in [statement] }
                try? await Migrator(database: stores.database, migrations: Migration.all + [step], logger: logger)
                    .run(applies: true)
            }

            let table = try await stores.database.read { try $0.first($0.dialect.tableExists, ["mended"]) }
            #expect(table != nil)
        }
    }

    @Test func aToolDoesNotMigrateBesideAServer() async throws {
        try await withStores { stores, _ in
            let step = Migration(id: "9999-new") { _ in ["CREATE TABLE new (id INTEGER)"] }
            let migrator = Migrator(database: stores.database, migrations: Migration.all + [step], logger: logger)

            let code = try await storageErrorCode { try await migrator.run(applies: false) }
            #expect(code == .migrationFailed)
        }
    }

    @Test func newerSchemasOfThisProgramAreFineAndForeignOnesAreNot() async throws {
        try await withStores { stores, _ in
            let older = Migrator(database: stores.database, migrations: Array(Migration.all.prefix(2)), logger: logger)
            try await older.run(applies: true)
            let foreign = Migrator(
                database: stores.database, migrations: [Migration(id: "x") { _ in [] }], logger: logger)
            #expect(try await storageErrorCode { try await foreign.run(applies: true) } == .foreignDatabase)
        }
    }

    @Test func tablesOfAnotherProgramAreRefused() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        let connection = try SQLiteConnection(
            path: path, dialect: SQLiteDialect(), mode: .write, busyTimeout: .seconds(1))
        _ = try connection.execute("CREATE TABLE \"user\" (id INTEGER)", [])

        #expect(try await storageErrorCode { _ = try await Database.open(path: path) } == .foreignDatabase)
    }
}
