// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Testing

@testable import Storage

/// What a crash may cost: nothing that was acknowledged.
///
/// Two proofs. `killedWriterLosesNothing` really kills a writing process at a moment that it does not choose: whatever it
/// said to have written is there afterwards. `filesAtTheMomentOfAcknowledgement` copies database and log, byte for byte,
/// right after each acknowledgement: what is in those two files alone is enough, so nothing depends on the shared-memory
/// index or on a proper end. That the bytes are on the disk, and not only with the kernel, is SQLite's promise for
/// `synchronous=FULL`, which DatabaseTests checks to be on.
struct CrashTests {
    private static let variable = "GRAFANA_STORAGE_CRASH_TEST_DATABASE"

    /// Not a test by itself: the body of the process that ``killedWriterLosesNothing()`` starts and kills.
    @Test(.enabled(if: ProcessInfo.processInfo.environment[variable] != nil))
    func writesUntilKilled() async throws {
        let path = try #require(ProcessInfo.processInfo.environment[Self.variable])
        let stores = try await Stores.open(path: path, secretKey: Secret("k"))
        for number in 0... {
            try await stores.keyValues.set(
                orgID: 1, namespace: "crash", key: "\(number)", to: [UInt8](repeating: 1, count: 500))
            let line = "acknowledged \(number)\n"
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        }
    }

    @Test func killedWriterLosesNothing() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/g.db"
        for round in 1...3 {
            let acknowledged = try Self.runWriter(database: path, killAfter: 20 * round)

            let stores = try await Stores.open(path: path, secretKey: Secret("k"))
            let keys = Set(try await stores.keyValues.keys(orgID: 1, namespace: "crash"))
            let integrity = try await stores.database.read { try $0.first("PRAGMA integrity_check") }
            await stores.close()

            #expect(acknowledged.count >= 20 * round)
            #expect(acknowledged.subtracting(keys).isEmpty)
            #expect(try integrity?.text("integrity_check") == "ok")
        }
    }

    @Test func filesAtTheMomentOfAcknowledgement() async throws {
        try await withStores { stores, _ in
            let source = stores.database.path
            for number in 0..<5 {
                try await stores.keyValues.set(orgID: 1, namespace: "n", key: "\(number)", to: [UInt8(number)])
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                let copy = folder.path + "/copy.db"
                try FileManager.default.copyItem(atPath: source, toPath: copy)
                try FileManager.default.copyItem(atPath: source + "-wal", toPath: copy + "-wal")

                let reopened = try await Stores.open(path: copy, secretKey: Secret("key"))
                let keys = try await reopened.keyValues.keys(orgID: 1, namespace: "n")
                await reopened.close()

                #expect(keys == (0...number).map(String.init))
            }
        }
    }

    /// Starts this test program again with only ``writesUntilKilled()``, reads what it acknowledges, and kills it.
    private static func runWriter(database: String, killAfter count: Int) throws -> Set<String> {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        posix_spawn_file_actions_addclose(&actions, ends[1])
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)

        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let arguments = [program, "--testing-library", "swift-testing", "--filter", "CrashTests/writesUntilKilled"]
        let variables =
            ProcessInfo.processInfo.environment.map { "\($0)=\($1)" } + [
                "\(variable)=\(database)", "SWIFT_BACKTRACE=enable=no",
            ]
        var process: pid_t = 0
        let status = withCStrings(arguments) { arguments in
            withCStrings(variables) { posix_spawn(&process, program, &actions, nil, arguments, $0) }
        }
        close(ends[1])
        try #require(status == 0)
        let acknowledged = readLines(from: ends[0]) { lines in
            if lines.count >= count { kill(process, SIGKILL) }
        }
        close(ends[0])
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
        return acknowledged
    }

    /// Reads `acknowledged N` lines until the pipe ends.
    private static func readLines(from descriptor: Int32, onLine: (Set<String>) -> Void) -> Set<String> {
        var numbers: Set<String> = []
        var pending: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return numbers }
            pending += chunk[..<count]
            while let end = pending.firstIndex(of: 10) {
                let words = String(decoding: pending[..<end], as: UTF8.self).split(separator: " ")
                pending.removeSubrange(...end)
                guard words.count == 2, words[0] == "acknowledged" else { continue }
                numbers.insert(String(words[1]))
                onLine(numbers)
            }
        }
    }

    private static func withCStrings<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = texts.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
