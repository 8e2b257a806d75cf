// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import PluginABI
import PluginHost
import Synchronization
import TestSupport
import Testing

@testable import BuiltinDatasources

/// Servers that are none: what they send never crashes or hangs a data source.
struct SQLHostileServerTests {
    /// A data source and its settings without a server.
    enum Kind: CaseIterable, Sendable {
        case postgreSQL, mySQL

        var plugin: BuiltinPlugin { self == .postgreSQL ? PostgreSQLSourceTests.plugin : MySQLSourceTests.plugin }
        var id: String { self == .postgreSQL ? "grafana-postgresql-datasource" : "mysql" }
    }

    private static let settings: JSONValue = ["sslmode": "disable", "database": "x"]
    private static let query: JSONObject = ["rawSql": "select 1", "format": "table"]

    static let answers: [[UInt8]] = [
        [], [0], Array("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes".utf8), Array(repeating: 0xFF, count: 100_000),
        // PostgreSQL: an authentication request of 2 GiB, an error without its end, a ready server that never asked.
        [0x52, 0x7F, 0xFF, 0xFF, 0xFF, 0], [0x45, 0, 0, 0, 40] + Array("SFATAL".utf8),
        [0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5A, 0, 0, 0, 5, 0x49], [0x52, 0, 0, 0, 8, 0, 0, 0, 99],
        // MySQL: a greeting that is cut, one of another protocol, a packet that is shorter than it says.
        [0x4A, 0, 0, 0, 0x0A] + Array("5.5.5-10.11".utf8), [2, 0, 0, 0, 9, 0], [0xFF, 0xFF, 0xFF, 0, 0x0A],
        [5, 0, 0, 0, 0xFF, 0x15, 0x04, 0x23, 0x30],
    ]

    @Test(arguments: Kind.allCases, answers)
    func garbageIsAnError(kind: Kind, answer: [UInt8]) async throws {
        let server = try RudeServer(answer: answer)
        try await SQLSource.use(kind.plugin, kind.id, jsonData: Self.settings, url: "127.0.0.1:\(server.port)") {
            (source) async throws in
            let answer = try await source.query(Self.query)
            let health = try await source.health()

            #expect(answer.error?.source == .downstream)
            #expect(health.status == .error)
        }
    }

    @Test(arguments: Kind.allCases)
    func theOperatorReadsWhyInTheLog(kind: Kind) async throws {
        let port = try LoopbackSocket.freePort()
        let log = RecordedLog()
        try await SQLSource.use(
            kind.plugin, kind.id, jsonData: Self.settings, url: "127.0.0.1:\(port)", secrets: ["password": "s3cret"],
            log: log
        ) { (source) async throws in
            let answer = try await source.query(Self.query)

            #expect(answer.error?.message.hasSuffix("please inspect Grafana server log for details") == true)
        }
        #expect(log.text.contains("query failed") && log.text.contains("127.0.0.1"), "\(log.text)")
        #expect(!log.text.contains("s3cret"))
    }

    @Test(arguments: Kind.allCases)
    func aSilentServerIsLeftWhenNobodyWaits(kind: Kind) async throws {
        let server = try RudeServer(answer: nil)
        try await SQLSource.use(kind.plugin, kind.id, jsonData: Self.settings, url: "127.0.0.1:\(server.port)") {
            (source) async throws in
            let task = Task { try await source.query(Self.query) }
            while server.connectionCount == 0 { await Task.yield() }

            task.cancel()

            // Long before the ten seconds of a connection's time-out.
            let begin = ContinuousClock.now
            _ = try? await task.value
            #expect(ContinuousClock.now - begin < .seconds(8))
        }
    }
}

/// Gives every client the same bytes and hangs up, or says nothing.
private final class RudeServer: Sendable {
    var port: Int { listener.port }
    private let listener: LoopbackListener
    private let silent = Mutex<[Int32]>([])
    private let count = Atomic(0)

    var connectionCount: Int { count.load(ordering: .acquiring) }

    /// - Parameter answer: nil says nothing.
    init(answer: [UInt8]?) throws {
        listener = try LoopbackListener()
        listener.start { [weak self] connection in
            if let answer {
                _ = answer.withUnsafeBytes {
                    send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                // What the client sent is read first, or the close would take the answer back.
                shutdown(connection, Int32(SHUT_WR))
                var rest = [UInt8](repeating: 0, count: 4096)
                while recv(connection, &rest, rest.count, 0) > 0 {}
                close(connection)
            } else if let self {
                silent.withLock { $0.append(connection) }
            } else {
                close(connection)
            }
            self?.count.add(1, ordering: .releasing)
        }
    }

    deinit {
        listener.end()
        for connection in silent.withLock({ $0 }) { close(connection) }
    }
}
