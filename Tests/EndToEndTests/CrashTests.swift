// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// `kill -9` in the middle of writes.
    struct CrashTests {}
}

extension EndToEnd.CrashTests {
    /// What the server said it has.
    private final class Acknowledged: Sendable {
        private let versions = Mutex<[String: Int]>([:])

        func add(_ uid: String, version: Int) { versions.withLock { $0[uid] = version } }
        var all: [String: Int] { versions.withLock { $0 } }
    }

    private static let writerCount = 4

    /// Adds data sources, changes each once, and notes what was acknowledged, until the server is gone.
    private static func write(_ server: GrafanaServer, _ prefix: String, _ acknowledged: Acknowledged) {
        guard let connection = try? LoopbackConnection(port: server.port) else { return }
        for number in 0... {
            let uid = "\(prefix)-\(number)"
            let source: JSONValue = [
                "name": .string(uid), "uid": .string(uid), "type": "testdata", "access": "proxy",
                "secureJsonData": ["key": "s3cret"],
            ]
            let requests = [("POST", "/api/datasources"), ("PUT", "/api/datasources/uid/\(uid)")]
            for (version, (method, path)) in requests.enumerated() {
                let request = GrafanaServer.request(method, path, source)
                guard let answer = try? connection.exchange(request), answer.status == 200 else { return }
                acknowledged.add(uid, version: version + 1)
            }
        }
    }

    @Test func noAcknowledgedWriteIsLost() async throws {
        try await GrafanaHome.use { home in
            let acknowledged = Acknowledged()
            for round in 0..<4 {
                let server = try await home.start()
                defer { server.program.end() }
                let before = acknowledged.all.count
                let running = DispatchGroup()
                for writer in 0..<Self.writerCount {
                    running.enter()
                    Thread.detachNewThread {
                        Self.write(server, "r\(round)-w\(writer)", acknowledged)
                        running.leave()
                    }
                }
                try await eventually("writes are acknowledged", within: 30) { acknowledged.all.count > before + 20 }

                server.program.signal(SIGKILL)

                #expect(try await server.program.exitStatus() == 137)
                try await eventually("the writers notice", within: 30) { running.wait(timeout: .now()) == .success }
                try await checkDatabase(home)
                try await check(home, has: acknowledged.all)
            }
            #expect(acknowledged.all.count > 80)
        }
    }

    /// What SQLite itself thinks of a copy of the files that the dead server left.
    private func checkDatabase(_ home: GrafanaHome) async throws {
        let copy = home.folder.appending(path: "copy-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: home.data, to: copy)
        let script = """
            import sqlite3, sys
            database = sqlite3.connect(sys.argv[1])
            print(database.execute("pragma integrity_check").fetchall())
            print(database.execute("pragma foreign_key_check").fetchall())
            """
        let (status, output) = try await Tool.run(
            "python3", ["-c", script, copy.appending(path: home.database.lastPathComponent).path])
        #expect(status == 0 && output == "[('ok',)]\n[]\n", "\(output)")
    }

    private func check(_ home: GrafanaHome, has acknowledged: [String: Int]) async throws {
        let server = try await home.start()
        defer { server.program.end() }
        var lost: [String] = []
        let connection = try LoopbackConnection(port: server.port)
        for (uid, version) in acknowledged {
            let answer = try connection.exchange(GrafanaServer.request("GET", "/api/datasources/uid/\(uid)"))
            // The last request may have been done although its answer never came.
            let found = answer.json["version"]?.int ?? 0
            if found < version || answer.json["secureJsonFields"]?["key"] != true {
                lost.append("\(uid) \(answer.text)")
            }
        }
        #expect(lost.isEmpty, "\(lost.prefix(3))")
        #expect(try server.get("/api/health").json["database"]?.string == "ok")
        #expect(try await server.stop() == 0)
    }
}
