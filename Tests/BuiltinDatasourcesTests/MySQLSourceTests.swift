// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

/// The MySQL data source against a MariaDB server.
@Suite(.serialized)
struct MySQLSourceTests {
    static let plugin = BuiltinPlugin(descriptorJSON: MySQLPlugin.descriptorJSON, entry: { mysql_entry($0) })

    /// A data source on the server that the tests share.
    private func withSource<Result>(
        _ jsonData: JSONObject = [:], url: String? = nil, user: String = RealDatabase.user,
        secrets: [String: String] = ["password": RealDatabase.password], on own: RealDatabase? = nil,
        _ body: (SQLSource, RealDatabase) async throws -> Result
    ) async throws -> Result {
        let server: RealDatabase
        if let own { server = own } else { server = try await RealDatabase.mariaDB() }
        var settings: JSONObject = ["database": "test"]
        for (key, value) in jsonData { settings[key] = value }
        return try await SQLSource.use(
            Self.plugin, "mysql", jsonData: .object(settings), url: url ?? "127.0.0.1:\(server.port)", user: user,
            secrets: secrets
        ) { try await body($0, server) }
    }

    private func table(_ sql: String) -> JSONObject { ["rawSql": .string(sql), "format": "table"] }
    private func series(_ sql: String) -> JSONObject { ["rawSql": .string(sql), "format": "time_series"] }

    private func run(_ statements: [String]) async throws {
        try await withSource(["readOnly": false]) { (source, _) async throws in
            for statement in statements {
                let answer = try await source.query(table(statement))
                #expect(answer.error == nil, "\(statement): \(String(describing: answer.error?.details))")
            }
        }
    }

    @Test func everyTypeHasItsField() async throws {
        let columns: [(type: String, value: String, field: String, json: String)] = [
            ("tinyint", "-128", "int64", "-128"), ("smallint unsigned", "65535", "int64", "65535"),
            ("mediumint", "-8388608", "int64", "-8388608"), ("int unsigned", "4294967295", "int64", "4294967295"),
            ("bigint", "-9223372036854775808", "int64", "-9223372036854775808"),
            ("bigint unsigned", "18446744073709551615", "uint64", "18446744073709552000"),
            ("year", "2026", "int64", "2026"), ("float", "1.5", "float64", "1.5"), ("double", "0.1", "float64", "0.1"),
            ("decimal(20,4)", "123.4500", "float64", "123.45"),
            ("decimal(18)", "-999999999999999999", "int64", "-999999999999999999"),
            ("decimal(18) unsigned", "999999999999999999", "int64", "999999999999999999"),
            ("datetime(6)", "'2026-01-01 00:00:00.000001'", "time.Time", "1767225600000"),
            ("timestamp", "'2026-01-01 00:00:00'", "time.Time", "1767225600000"),
            ("date", "'2026-01-01'", "time.Time", "1767225600000"), ("time", "'-12:34:56'", "string", "\"-12:34:56\""),
            ("bit(10)", "b'1000000001'", "uint64", "513"), ("char(3)", "'x'", "string", "\"x\""),
            ("varchar(9)", "'☃'", "string", "\"☃\""), ("text", "'t'", "string", "\"t\""),
            ("blob", "x'00ff'", "string", "\"\\\\x00ff\""), ("blob", "'text'", "string", "\"text\""),
            ("enum('sad','glad')", "'glad'", "string", "\"glad\""), ("set('a','b')", "'a,b'", "string", "\"a,b\""),
            ("json", "'{\"a\": 1}'", "string", "\"{\\\"a\\\": 1}\""),
        ]
        let definitions = columns.enumerated().map { "c\($0.offset) \($0.element.type) null" }.joined(separator: ", ")
        try await run([
            "drop table if exists types", "create table types (\(definitions))",
            "insert into types values (\(columns.map(\.value).joined(separator: ", ")))",
            "insert into types values (\(columns.map { _ in "null" }.joined(separator: ", ")))",
        ])
        try await withSource(["timezone": "+00:00"]) { (source, _) async throws in
            let answer = try await source.query(table("select * from types"))

            #expect(answer.error == nil)
            #expect(answer.frame.field(named: "c5")?.column[0, as: UInt64.self] == .max)
            for (index, column) in columns.enumerated() {
                #expect(answer.type("c\(index)") == column.field, "\(column.type)")
                #expect(answer.column("c\(index)") == "[\(column.json),null]", "\(column.type)")
            }
        }
    }

    @Test func wholeNumbersThatLoseDigitsAreTold() async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(table("select cast(9007199254740993 as decimal(30)) as x"))

            #expect(
                answer.notices == [
                    "1 values of column \"x\" are rounded, as a number has 53 bits; cast the column to text to see every digit"
                ])
        }
    }

    @Test func aSessionIsAsNewForTheNextUser() async throws {
        try await withSource(["maxOpenConns": 1, "readOnly": false, "timezone": "+02:00"]) { (source, _) async throws in
            let id = try await source.query(table("select connection_id() as id")).column("id")
            for statement in [
                "select get_lock('left', 0)", "set @left = 1", "set time_zone = '+05:00'", "set autocommit = 0",
                "create temporary table left_over (x int)", "set names latin1", "start transaction",
            ] {
                #expect(try await source.query(table(statement)).error == nil, "\(statement)")
            }

            let left = try await source.query(
                table(
                    "select connection_id() as id, is_free_lock('left') as free, @left as v, @@time_zone as z, "
                        + "@@autocommit as a, @@collation_connection as c, @@character_set_results as r"))

            #expect(left.column("id") == id, "the connection is the same")
            #expect(left.column("free") == "[1]" && left.column("v") == "[null]" && left.column("a") == "[1]")
            #expect(left.column("z") == #"["+02:00"]"#)
            #expect(left.column("c") == #"["utf8mb4_unicode_ci"]"# && left.column("r") == #"["utf8mb4"]"#)
            #expect(try await source.query(table("select * from left_over")).error != nil)
        }
    }

    @Test func aRowThatIsTooLargeIsAnError() async throws {
        try await run(["set global max_allowed_packet = 1073741824"])
        try await withSource { (source, _) async throws in
            let answer = try await source.query(table("select repeat('x', 100000000)"))

            // The library says no more than that.
            #expect(answer.error?.hint == "A row of more than 64 MiB ends the connection, too.")
            #expect(answer.frame.rowCount == 0)
        }
    }

    @Test func zeroDatesAreNullAndTold() async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(
                table("select cast('0000-00-00' as date) as d, from_unixtime(0) is null as n"))

            #expect(answer.column("d") == "[null]")
        }
    }

    @Test func timezoneIsThatOfTheSession() async throws {
        try await withSource(["timezone": "+02:00"]) { (source, _) async throws in
            #expect(try await source.query(table("select @@session.time_zone as z")).column("z") == #"["+02:00"]"#)
        }
    }

    @Test func textColumnsBecomeLabels() async throws {
        try await withSource(["timezone": "+00:00"]) { (source, _) async throws in
            let answer = try await source.query(
                series(
                    "select timestamp '2026-01-01 00:00:00' as time_sec, 'a' as metric, 1 as v union all "
                        + "select timestamp '2026-01-01 00:00:30', 'b', 2 order by 1"))

            #expect(answer.error == nil)
            #expect(answer.frame.fields.map(\.name) == ["Time", "a", "b"])
            #expect(answer.column("a") == "[1,null]")
        }
    }

    @Test(arguments: [
        "select unix_timestamp('2026-01-01 00:01:00') as time_sec, 1 as v from dual where $__timeFilter(timestamp'2026-01-01 00:01')",
        "select $__timeFrom() as time, 1 as v", "select $__unixEpochFrom() as time, 1 as v",
        "select $__timeGroupAlias(t, '1m'), count(*) as v from (select timestamp'2026-01-01 00:01:10' as t) x group by 1",
    ])
    func macrosRunOnTheServer(sql: String) async throws {
        try await withSource(["timezone": "+00:00"]) { (source, _) async throws in
            let answer = try await source.query(series(sql))

            #expect(answer.error == nil)
            #expect(answer.column("v") == "[1]")
        }
    }

    @Test(arguments: [
        ("select * from nowhere", "db query error: Error 1146 (42S02): Table 'test.nowhere' doesn't exist"),
        ("select nothing", "db query error: Error 1054 (42S22): Unknown column 'nothing' in "),
        (
            "select benchmark('x', 1, 2)",
            "db query error: query failed - please inspect Grafana server log for details"
        ),
        (
            "select current_user",
            "interpolation failed: invalid query - please inspect Grafana server log for details"
        ),
    ])
    func failuresSayWhatIsWrong(sql: String, message: String) async throws {
        try await withSource { (source, _) async throws in
            let answer = try await source.query(table(sql))

            // MariaDB and MySQL name the place of an unknown column in different words.
            #expect(answer.error?.message.hasPrefix(message) == true)
        }
    }

    @Test(arguments: [
        "insert into guarded values (1)", "select 1; insert into guarded values (1)", "delete from guarded",
        "create table guarded2 (x int)", "select 1 into outfile '/tmp/x'", "select '\\'' into outfile '/tmp/y' -- '",
        "/*!50000 delete from guarded */", "set session transaction read write", "call p()", "commit",
        "with a as (select 1 as x) delete from guarded where x in (select x from a)",
        "select '\\'; drop table guarded; -- '",
        "select x from guarded into @a", "truncate guarded", "handler guarded open", "lock tables guarded write",
        "explain insert into guarded values (1); delete from guarded", "analyze delete from guarded",
    ])
    func nothingIsWritten(sql: String) async throws {
        try await run([
            "create table if not exists guarded (x int)", "delete from guarded", "insert into guarded values (5)",
        ])
        try await withSource { (source, _) async throws in
            let attempt = try await source.query(table(sql))
            let left = try await source.query(
                table(
                    "select count(*) as n, (select count(*) from information_schema.tables where table_name = 'guarded2') as m "
                        + "from guarded"))

            // A text that only looks like a statement is a text with this server's settings.
            #expect(attempt.error != nil || sql.contains("; -- '"))
            #expect(left.column("n") == "[1]")
            #expect(left.column("m") == "[0]")
        }
    }

    @Test func aMillionRowsPassInBatches() async throws {
        try await withSource { (source, _) async throws in
            let model = JSONValue.object(
                table("select seq as id, seq * 0.5 as half, concat('row ', seq) as name from seq_1_to_1000000"))
            let query = DataQuery(
                refID: "A", json: JSONText(model.encoded()), model: model, from: Timestamp(nanoseconds: 0),
                to: Timestamp(nanoseconds: 1), interval: .seconds(1), maxDataPoints: 1)
            var rows = 0
            var sum: UInt64 = 0
            for await event in try await source.platform.queryData([query], of: source.source, facts: CallFacts()) {
                switch event {
                case .frame(_, let frame), .rows(_, let frame):
                    rows += frame.rowCount
                    for index in 0..<frame.rowCount { sum += frame.fields[0].column[index, as: UInt64.self] ?? 0 }
                case .failed(let error, _): Issue.record("\(error)")
                default: break
                }
            }

            #expect(rows == 1_000_000)
            #expect(sum == 500_000_500_000)
        }
    }

    @Test func rowsPastTheLimitAreLeftOutAndTold() async throws {
        try await withSource(["maxOpenConns": 1]) { (source, _) async throws in
            let answer = try await source.query(table("select seq from seq_1_to_100000000"), maxRows: 10_000)

            #expect(answer.frame.rowCount == 10_000)
            #expect(answer.notices == ["Results have been limited to 10000 because the SQL row limit was reached"])
            #expect(try await source.query(table("select 1 as one")).column("one") == "[1]")
        }
    }

    @Test func cancellationStopsTheServer() async throws {
        try await withSource { (source, _) async throws in
            try await withSource { (watcher, _) async throws in
                let mark = "mark_\(UInt32.random(in: 0 ... .max))"
                let running = table(
                    "select id from information_schema.processlist where info like '%\(mark)%' and id <> connection_id()"
                )
                let task = Task { try await source.query(table("select sleep(600) as \(mark)")) }
                while try await watcher.query(running).frame.rowCount == 0 { await Task.yield() }

                task.cancel()

                _ = try? await task.value
                while try await watcher.query(running).frame.rowCount > 0 { await Task.yield() }
                #expect(try await source.query(table("select 1 as one")).column("one") == "[1]")
            }
        }
    }

    @Test func wrongPasswordIsToldToAdministratorsOnly() async throws {
        try await withSource(secrets: ["password": "wr0ng-s3cret"]) { (source, _) async throws in
            let answer = try await source.query(table("select 1"))
            let health = try await source.health()

            #expect(
                answer.error?.message == "db query error: query failed - please inspect Grafana server log for details")
            #expect(answer.error?.code == .unauthenticated)
            #expect(health.message.hasPrefix("Error 1045 (28000): Access denied for user 'grafana'"))
            #expect(!"\(answer.error as Any) \(health)".contains("wr0ng"))
        }
    }

    @Test func noServerIsANetworkError() async throws {
        let port = try LoopbackSocket.freePort()
        try await withSource(url: "127.0.0.1:\(port)") { (source, _) async throws in
            let answer = try await source.query(table("select 1"))

            #expect(
                answer.error?.message
                    == "db query error: failed to connect to server - please inspect Grafana server log for details")
            #expect(try await source.health().status == .error)
        }
    }

    @Test func unixSocketWorks() async throws {
        let server = try await RealDatabase.mariaDB()
        try await withSource(url: server.socket) { (source, _) async throws in
            #expect(try await source.health() == HealthResult(.ok, "Database Connection OK"))
        }
    }

    @Test func tlsIsCheckedUnlessToldNotTo() async throws {
        let server = try await RealDatabase.mariaDB()
        let cipher = table("show session status like 'Ssl_cipher'")
        let secrets = [
            "password": RealDatabase.password, "tlsCACert": try TestCertificates.text(server.certificates.root),
        ]

        try await withSource(["tlsAuthWithCACert": true], url: "localhost:\(server.port)", secrets: secrets) {
            (source, _) async throws in
            let answer = try await source.query(cipher)
            #expect(answer.error == nil)
            #expect(answer.column("Value") != #"[""]"#)
        }
        try await withSource(["tlsAuthWithCACert": true], secrets: secrets) { (source, _) async throws in
            #expect(try await source.health().status == .error, "127.0.0.1 is not in the certificate")
        }
        try await withSource(["tlsSkipVerify": true]) { (source, _) async throws in
            #expect(try await source.query(cipher).column("Value") != #"[""]"#)
        }
        try await withSource(["tlsAuthWithCACert": true]) { (source, _) async throws in
            #expect(try await source.health().message.contains("tlsCACert is missing"))
        }
    }

    @Test func clientCertificateIsSent() async throws {
        let server = try await RealDatabase.mariaDB()
        let secrets = [
            "password": RealDatabase.password, "tlsCACert": try TestCertificates.text(server.certificates.root),
            "tlsClientCert": try TestCertificates.text(server.certificates.client),
            "tlsClientKey": try TestCertificates.text(server.certificates.clientKey),
        ]
        let settings: JSONObject = ["tlsAuth": true, "tlsAuthWithCACert": true]
        try await withSource(settings, url: "localhost:\(server.port)", user: "certified", secrets: secrets) {
            (source, _) async throws in
            #expect(try await source.health() == HealthResult(.ok, "Database Connection OK"))
        }
        try await withSource(["tlsSkipVerify": true], user: "certified") { (source, _) async throws in
            #expect(try await source.health().status == .error)
        }
    }

    @Test func connectionThatTheServerClosedIsReplaced() async throws {
        try await withSource { (source, _) async throws in
            let first = try await source.query(table("select connection_id() as id")).column("id")
            try await run(["kill \(first.dropFirst().dropLast())"])
            try await withSource { (watcher, _) async throws in
                let killed = table(
                    "select 1 from information_schema.processlist where id = \(first.dropFirst().dropLast())")
                while try await watcher.query(killed).frame.rowCount > 0 { await Task.yield() }
            }

            let second = try await source.query(table("select connection_id() as id"))

            #expect(second.error == nil)
            #expect(second.column("id") != first)
        }
    }

    @Test func catalogueNamesTablesAndColumns() async throws {
        try await run(["drop table if exists `odd 'name`", "create table `odd 'name` (a int, b bigint unsigned)"])
        try await withSource { (source, _) async throws in
            #expect(try await source.resource("tables").array?.contains("odd 'name") == true)
            #expect(
                try await source.resource("columns", query: "table=odd%20%27name")
                    == [["name": "a", "type": "int(11)"], ["name": "b", "type": "bigint(20) unsigned"]])
        }
    }
}
