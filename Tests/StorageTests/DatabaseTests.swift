// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Testing

@testable import Storage

struct DatabaseTests {
    @Test func valuesComeBackAsTheyWere() async throws {
        try await withStores { stores, _ in
            let values: [SQLValue] = [
                .null, .integer(.min), .real(-0.5), .text(""), .text("a\u{0}ü🙂"), .blob([]), .blob([0, 255]),
            ]
            let row = try await stores.database.read { connection in
                try connection.first("SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f, ? AS g", values)
            }

            #expect(row?.values == values)
        }
    }

    @Test func aFailingTransactionLeavesNothing() async throws {
        try await withStores { stores, _ in
            struct Stop: Error {}
            await #expect(throws: Stop.self) {
                try await stores.database.write { connection in
                    try connection.execute("INSERT INTO org (name, version, created, updated) VALUES ('x', 1, 0, 0)")
                    throw Stop()
                }
            }

            let names = try await stores.orgs.list().map(\.name)
            #expect(names == ["Main Org."])
        }
    }

    @Test func readersCannotWrite() async throws {
        try await withStores { stores, _ in
            let code = try await storageErrorCode {
                _ = try await stores.database.read { try $0.execute("DELETE FROM org") }
            }

            #expect(code == .readOnly)
        }
    }

    @Test func foreignKeysAndDurabilityAreOn() async throws {
        try await withStores { stores, _ in
            let pragmas = try await stores.database.write { connection in
                try ["foreign_keys", "synchronous", "journal_mode"].map {
                    try connection.first("PRAGMA \($0)")?.value($0)
                }
            }

            #expect(pragmas == [.integer(1), .integer(2), .text("wal")])
        }
    }

    @Test func manyWritersAndReadersAtOnceLoseNothing() async throws {
        try await withStores { stores, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<20 {
                    group.addTask {
                        for number in 0..<10 {
                            try await stores.keyValues.set(
                                orgID: 1, namespace: "n", key: "\(writer)-\(number)", to: [UInt8(number)])
                            _ = try await stores.keyValues.find(orgID: 1, namespace: "n", key: "\(writer)-0")
                        }
                    }
                }
                try await group.waitForAll()
            }

            #expect(try await stores.keyValues.keys(orgID: 1, namespace: "n").count == 200)
        }
    }

    @Test func aCancelledTaskDoesNotWrite() async throws {
        try await withStores { stores, _ in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                _ = try await stores.orgs.create(name: "never")
            }

            await #expect(throws: CancellationError.self) { try await task.value }
            let orgs = try await stores.orgs.list()
            #expect(orgs.count == 1)
        }
    }

    @Test func aSecondServerIsRefusedAndToldThePid() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        let first = try await Database.open(path: path)
        let link = folder.path + "/link.db"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)

        for name in [path, link] {
            let error = await #expect(throws: StorageError.self) { try await Database.open(path: name) }
            #expect(error?.code == .databaseLocked)
            #expect(error?.message.contains("(pid \(ProcessInfo.processInfo.processIdentifier))") == true)
        }
        await first.close()
        try await Database.open(path: path).close()
    }

    @Test func theLockEndsAtCloseAlsoWhenAChildHasTheDescriptor() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        let lock = try #require(try DatabaseLock.take(path: path, role: .server))
        let inherited = try descriptors(of: path + ".lock").map { dup($0) }
        defer { for descriptor in inherited { close(descriptor) } }

        lock.release()

        #expect(inherited.count == 1)
        #expect(try DatabaseLock.take(path: path, role: .tool) != nil)
    }

    private func descriptors(of path: String) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int32.init).filter {
            descriptor in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")) == path
        }
    }

    @Test func aToolWorksBesideAServer() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        var options = DatabaseOptions()
        options.role = .tool
        let server = try await Stores.open(path: path, secretKey: Secret("k"))
        let tool = try await Stores.open(path: path, secretKey: Secret("k"), options: options)

        _ = try await tool.users.create(NewUser(login: "ada", password: Secret("p")))
        #expect(try await server.users.find(loginOrEmail: "ada").login == "ada")
        await tool.close()
        await server.close()
    }

    @Test func closedDatabasesRefuseWork() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let database = try await Database.open(path: folder.path + "/g.db")
        await database.close()
        await database.close()

        #expect(try await storageErrorCode { try await database.checkHealth() } == .closed)
    }

    @Test(arguments: ["", ":memory:", "/nowhere/at/all/g.db", "/proc/g.db", "/"])
    func impossiblePathsAreErrors(path: String) async throws {
        let code = try await storageErrorCode { _ = try await Database.open(path: path) }

        #expect(code == .cannotOpen)
    }

    @Test func filesThatAreNoDatabaseAreErrors() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        try Data(repeating: 0x41, count: 8192).write(to: URL(filePath: path))

        #expect(try await storageErrorCode { _ = try await Database.open(path: path) } == .corrupt)
    }

    @Test func aFullDiskFailsTheWriteAndKeepsTheRest() async throws {
        try await withStores { stores, _ in
            try await stores.keyValues.set(orgID: 1, namespace: "n", key: "before", to: [1])
            try await stores.database.write { connection in
                let pages = try connection.first("PRAGMA page_count")?.integer("page_count") ?? 0
                try connection.execute("PRAGMA max_page_count = \(pages + 2)")
            }
            let code = try await storageErrorCode {
                try await stores.keyValues.set(
                    orgID: 1, namespace: "n", key: "big", to: [UInt8](repeating: 7, count: 100_000))
            }

            #expect(code == .diskFull)
            #expect(try await stores.keyValues.keys(orgID: 1, namespace: "n") == ["before"])
            try await stores.database.write { _ = try $0.execute("PRAGMA max_page_count = 1000000") }
            try await stores.keyValues.set(orgID: 1, namespace: "n", key: "after", to: [2])
        }
    }

    @Test func wrongStatementsAreErrors() async throws {
        try await withStores { stores, _ in
            for sql in ["", "NOT SQL", "SELECT ?", "SELECT * FROM nothing"] {
                let code = try await storageErrorCode { _ = try await stores.database.read { try $0.query(sql) } }
                #expect(code == .databaseFailure)
            }
        }
    }
}
