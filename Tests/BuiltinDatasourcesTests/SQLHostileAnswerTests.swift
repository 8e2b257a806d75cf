// SPDX-License-Identifier: Apache-2.0
import PluginABI
import PluginHost
import Synchronization
import Testing

@testable import BuiltinDatasources

/// Servers that let everybody in and then send what no database sends: never a crash, never a wait without end.
@Suite(.timeLimit(.minutes(3)))
struct SQLHostileAnswerTests {
    private typealias PG = PostgreSQLMessage

    private static let oneColumn = PG.columns(["x"])
    private static let oneRow = PG.row([Array("v".utf8)])

    private func withPostgreSQL<Result>(
        _ server: FakeDatabase, _ jsonData: JSONObject = [:], _ body: (SQLSource) async throws -> Result
    ) async throws -> Result {
        defer { server.end() }
        var settings: JSONObject = ["sslmode": "disable", "database": "x", "maxOpenConns": 1]
        for (key, value) in jsonData { settings[key] = value }
        return try await SQLSource.use(
            PostgreSQLSourceTests.plugin, "grafana-postgresql-datasource", jsonData: .object(settings),
            url: "127.0.0.1:\(server.port)", user: "u", secrets: ["password": "s3cret"], body)
    }

    private func withMySQL<Result>(
        _ server: FakeDatabase, _ jsonData: JSONObject = [:], _ body: (SQLSource) async throws -> Result
    ) async throws -> Result {
        defer { server.end() }
        var settings: JSONObject = ["database": "x", "maxOpenConns": 1]
        for (key, value) in jsonData { settings[key] = value }
        return try await SQLSource.use(
            MySQLSourceTests.plugin, "mysql", jsonData: .object(settings), url: "127.0.0.1:\(server.port)", user: "u",
            secrets: ["password": "s3cret"], body)
    }

    private func table(_ sql: String) -> JSONObject { ["rawSql": .string(sql), "format": "table"] }

    // MARK: Without end

    @Test(arguments: [false, true])
    func postgreSQLRowsWithoutEndStopAtTheLimit(keepsCancel: Bool) async throws {
        let rows = Array(repeating: Self.oneRow, count: 1000).flatMap { $0 }
        let server = try PG.server(answer: Self.oneColumn, endless: rows, keepsCancel: keepsCancel)
        try await withPostgreSQL(server) { source in
            // One connection is allowed: the second query shows that the first gave its place back.
            for round in 1...2 {
                let answer = try await source.query(table("select x"), maxRows: 10)

                #expect(answer.error == nil)
                #expect(answer.frame.rowCount == 10)
                #expect(answer.notices == ["Results have been limited to 10 because the SQL row limit was reached"])
                while server.cancelCount < round { await Task.yield() }
            }
            while server.closedCount < 2 { await Task.yield() }
        }
    }

    @Test func anErrorInTheMiddleDoesNotWaitForTheRest() async throws {
        let columns = PG.columns(["a", "a"])
        let rows = Array(repeating: PG.row([[65], [66]]), count: 1000).flatMap { $0 }
        let server = try PG.server(answer: columns, endless: rows, keepsCancel: true)
        try await withPostgreSQL(server) { source in
            for _ in 0..<2 {
                let answer = try await source.query(table("select x"))
                #expect(answer.error?.message.contains("duplicate column names are not allowed") == true)
            }
        }
    }

    @Test(arguments: [true, false])
    func copyIsRefused(isReadOnly: Bool) async throws {
        // The beginning of COPY … TO STDOUT: a text, no columns.
        for type in ["H", "G", "W"] as [Character] {
            let server = try PG.server(answer: PG.message(type, [0, 0, 0]))
            try await withPostgreSQL(server, ["readOnly": .bool(isReadOnly)]) { source in
                for _ in 0..<2 {
                    let answer = try await source.query(table("select 1"))
                    #expect(answer.error?.message == "db query error: COPY is not supported; use SELECT")
                }
            }
        }
    }

    /// A row of 256 MiB, and remarks without a row between them.
    @Test(arguments: [oneColumn, joined(oneColumn, [68, 16, 0, 0, 0, 0, 1, 15, 0, 0, 0])])
    func postgreSQLRowsAreNotLargerThanTheBound(answer: [UInt8]) async throws {
        let text = "SNOTICE\0C00000\0M" + String(repeating: "A", count: 60_000) + "\0\0"
        let remark = PG.message("N", Array(text.utf8))
        let server = try PG.server(answer: answer, endless: remark)
        try await withPostgreSQL(server) { source in
            let answer = try await source.query(table("select x"))

            #expect(answer.error?.code == .limit)
            #expect(answer.error?.message.contains("more than 64 MiB without ending a row") == true)
        }
    }

    @Test func aSilentPostgreSQLIsLeftWhenNobodyWaits() async throws {
        let server = try PG.server(answer: Self.oneColumn, keepsCancel: true)
        try await withPostgreSQL(server) { source in
            for round in 1...2 {
                let task = Task { try await source.query(table("select x")) }
                while server.connectionCount < 2 * round - 1 { await Task.yield() }

                task.cancel()

                _ = try? await task.value
                while server.closedCount < round { await Task.yield() }
            }
        }
    }

    // MARK: Wrong answers

    @Test func aCatalogueWithoutColumnsIsAnError() async throws {
        let server = try PG.server(
            answer: Self.joined(PG.columns([]), PG.row([]), PG.complete("SELECT 1"), PG.ready))
        try await withPostgreSQL(server) { source in
            for path in ["columns", "tables"] {
                await #expect(throws: PluginError.self) { try await source.resource(path, query: "table=x") }
            }
        }
    }

    private static func joined(_ parts: [UInt8]...) -> [UInt8] { parts.flatMap { $0 } }

    private static let wrongAnswers: [[UInt8]] = [
        // Two values for one column, none for one, a value that is longer than its message, a negative count.
        joined(oneColumn, PG.row([[65], [66]])), joined(oneColumn, PG.row([])),
        joined(oneColumn, PG.message("D", [0, 1, 0x7F, 0xFF, 0xFF, 0xFF, 65])),
        joined(oneColumn, PG.message("D", [0xFF, 0xFF])), PG.message("T", [0x80, 0]),
        PG.message("T", [0x7F, 0xFF, 65, 0]),
        // Lengths that are none, rows before columns, an unknown message, an error without words.
        [68, 0, 0, 0, 0], [68, 0xFF, 0xFF, 0xFF, 0xFF], oneRow, PG.message("\u{7F}", [1, 2, 3]),
        joined(PG.message("E", [0]), PG.ready), joined(PG.message("E", Array("SERROR\0C\0M\0".utf8)), PG.ready),
    ]

    @Test(arguments: wrongAnswers)
    func wrongAnswersAreErrors(answer: [UInt8]) async throws {
        // Then the line ends: a client waits for the rest of a message as long as somebody waits for it.
        let server = try PG.server(answer: answer, hangsUp: true)
        try await withPostgreSQL(server) { source in
            let answer = try await source.query(table("select x"))

            #expect(answer.error?.source == .downstream)
        }
    }

    @Test func textsThatAreNoneAreShownInHexadecimal() async throws {
        let server = try PG.server(
            answer: Self.joined(
                Self.oneColumn, PG.row([[0xFF, 0xFE]]), PG.row([[0xC0]]), PG.complete("SELECT 2"), PG.ready))
        try await withPostgreSQL(server) { source in
            let answer = try await source.query(table("select x"))

            #expect(answer.column("x") == #"["\\xfffe","\\xc0"]"#)
        }
    }

    @Test func numbersThatAreNoneAreNullAndTold() async throws {
        let values = ["1", "9e999", "99999999999999999999", "x", ""].map { PG.row([Array($0.utf8)]) }.flatMap { $0 }
        let server = try PG.server(
            answer: Self.joined(PG.columns(["x"], type: 20), values, PG.complete("SELECT 5"), PG.ready))
        try await withPostgreSQL(server) { source in
            let answer = try await source.query(table("select x"))

            #expect(answer.column("x") == "[1,null,null,null,null]")
            #expect(answer.notices == ["4 values of column \"x\" do not fit its type and are shown as null"])
        }
    }

    // MARK: MySQL

    @Test func mySQLRowsWithoutEndStopAtTheLimit() async throws {
        let server = try MySQLPacket.server(
            answer: MySQLPacket.oneColumn,
            endless: { number in
                (0..<256).flatMap { MySQLPacket.packet(UInt8((4 + number * 256 + $0) & 0xFF), MySQLPacket.text("v")) }
            })
        try await withMySQL(server) { source in
            for round in 1...2 {
                let answer = try await source.query(table("select x"), maxRows: 10)

                #expect(answer.error == nil)
                #expect(answer.frame.rowCount == 10)
                while server.cancelCount < round { await Task.yield() }
            }
        }
    }

    @Test func mySQLColumnsWithoutEndAreAnError() async throws {
        // 65 535 columns are said to come, and more do.
        let server = try MySQLPacket.server(
            answer: MySQLPacket.packet(1, [0xFC, 0xFF, 0xFF]),
            endless: { number in
                (0..<256).flatMap {
                    MySQLPacket.packet(UInt8((2 + number * 256 + $0) & 0xFF), MySQLPacket.column("c\(number)"))
                }
            })
        try await withMySQL(server) { source in
            let answer = try await source.query(table("select x"))

            // Whoever is first ends it: the library, which is told 65,535 of them, or we at our bound.
            let error = try #require(answer.error)
            #expect(error.code == .limit || error.code == .io, "\(error)")
        }
    }

    @Test func mySQLRowsAreNotLargerThanTheBound() async throws {
        // A row goes on as long as its packets are full.
        let full = [UInt8](repeating: 0xFF, count: 3)
        let server = try MySQLPacket.server(
            answer: MySQLPacket.oneColumn,
            endless: { number in
                Self.joined(full, [UInt8((4 + number) & 0xFF)], [UInt8](repeating: 65, count: 0xFF_FFFF))
            })
        try await withMySQL(server) { source in
            let answer = try await source.query(table("select x"))

            // Whoever is first ends it: the library at its largest packet, or we at our bound.
            let error = try #require(answer.error)
            #expect(error.source == .limit || error.hint?.contains("64 MiB") == true, "\(error)")
        }
    }

    private static let wrongMySQLAnswers: [[UInt8]] = [
        joined(MySQLPacket.oneColumn, MySQLPacket.packet(4, [200, 65])),
        joined(MySQLPacket.oneColumn, MySQLPacket.packet(9, [1, 65])),
        joined(
            MySQLPacket.oneColumn, MySQLPacket.packet(4, [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 65])),
        MySQLPacket.packet(1, []),
        MySQLPacket.packet(1, Array("\u{FB}/etc/passwd".unicodeScalars.map { UInt8($0.value) })),
        MySQLPacket.packet(1, [0xFF]), MySQLPacket.packet(1, [0xFF, 0x15, 0x04, 0x23, 0x30]),
        joined(MySQLPacket.packet(1, [1]), MySQLPacket.packet(2, [0xFE, 0xFF])),
        joined(
            MySQLPacket.packet(1, [2]), MySQLPacket.packet(2, MySQLPacket.column("x")),
            MySQLPacket.packet(3, MySQLPacket.end)),
    ]

    @Test(arguments: wrongMySQLAnswers)
    func wrongMySQLAnswersAreErrors(answer: [UInt8]) async throws {
        let server = try MySQLPacket.server(answer: answer, hangsUp: true)
        try await withMySQL(server) { source in
            let answer = try await source.query(table("select x"))

            #expect(answer.error?.source == .downstream)
        }
    }

    @Test(arguments: ["mysql_clear_password", "dialog", "auth_gssapi_client", "mysql_old_password"])
    func aServerWithoutTLSIsNotToldThePassword(method: String) async throws {
        let told = Mutex<[UInt8]>([])
        for allows in [false, true] {
            let server = try MySQLPacket.server(switching: method, seen: { bytes in told.withLock { $0 += bytes } })
            try await withMySQL(server, ["allowCleartextPasswords": .bool(allows)]) { source in
                let answer = try await source.query(table("select x"))

                #expect(answer.error?.source == .downstream)
                #expect(!String(decoding: told.withLock { $0 }, as: UTF8.self).contains("s3cret"))
            }
        }
    }

    @Test func aGreetingThatDripsIsNotWaitedFor() throws {
        let server = try FakeDatabase { _, client in
            client.send([0xFF, 0xFF, 0, 0, 10])
            while !client.hasInput(withinMilliseconds: 10), client.send([53]) {}
        }
        defer { server.end() }
        let settings = try MySQLSettings(
            DataSourceInstanceSettings(
                uid: "m", name: "M", pluginID: "mysql", url: "127.0.0.1:\(server.port)", jsonData: [:]))

        #expect(throws: PluginError.self) {
            _ = try MySQLHandle.connect(settings, { _ in nil }, withinMilliseconds: 200)
        }
    }
}
