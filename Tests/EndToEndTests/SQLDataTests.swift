// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// SQL data sources of a real server: SQLite files, PostgreSQL and MariaDB.
    @Suite struct SQLDataTests {
        private static let from = "1767225600000"
        private static let to = "1767225660000"

        @Test func sqliteFileIsQueried() async throws {
            try await GrafanaHome.withServer { server, home in
                let file = home.folder.appending(path: "points.sqlite")
                let (status, output) = try await Tool.run(
                    "python3",
                    [
                        "-c",
                        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript('create table p (time "
                            + "integer, host text, v real); insert into p values (1767225600, \"a\", 1.5)')", file.path,
                    ])
                #expect(status == 0, "\(output)")
                try server.addDataSource(
                    "lite", type: "frser-sqlite-datasource",
                    ["jsonData": ["path": .string(file.path), "pathPrefix": "file:"]])

                let answer = try server.query(
                    "lite", ["queryText": "select * from p where $__timeFilter(time)", "queryType": "table"],
                    from: Self.from, to: Self.to)

                #expect(answer.status == 200, "\(answer.text)")
                #expect(answer.frames.first?["data"]?["values"] == [[1_767_225_600_000], ["a"], [1.5]])
                #expect(try server.get("/api/datasources/uid/lite/health").json["message"] == "Data source is working")
            }
        }

        /// Whoever may make data sources must not read the users and secrets of the server.
        @Test func theServersOwnDatabaseIsNoDataSource() async throws {
            try await GrafanaHome.use { home in
                let folder = home.folder.appending(path: "other")
                let (database, link) = (folder.appending(path: "my.db"), folder.appending(path: "link.db"))
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                let server = try await home.start(["database.path=\(database.path)"])
                defer { server.program.end() }
                try FileManager.default.linkItem(at: database, to: link)
                for (name, file) in [("own", database), ("link", link)] {
                    try server.addDataSource(
                        name, type: "frser-sqlite-datasource", ["jsonData": ["path": .string(file.path)]])

                    let health = try server.get("/api/datasources/uid/\(name)/health")
                    let answer = try server.query(name, ["queryText": "select * from user", "queryType": "table"])

                    #expect(health.message.contains("it is the server's own database"), "\(health.text)")
                    #expect(answer.queryError?.contains("it is the server's own database") == true, "\(answer.text)")
                }
            }
        }

        @Test func postgreSQLIsQueried() async throws {
            let database = try await RealDatabase.postgreSQL()
            try await check(
                database, type: "grafana-postgresql-datasource",
                jsonData: ["database": "postgres", "sslmode": "disable"],
                sql: "select timestamptz '2026-01-01 00:00:00Z' as time, 'a' as host, 1.5::float8 as v "
                    + "where $__timeFilter(timestamptz '2026-01-01 00:00:30Z')")
        }

        @Test func mariaDBIsQueried() async throws {
            let database = try await RealDatabase.mariaDB()
            try await check(
                database, type: "mysql", jsonData: ["database": "test", "timezone": "+00:00"],
                sql: "select timestamp '2026-01-01 00:00:00' as time, 'a' as host, 1.5 as v "
                    + "from dual where $__timeFilter(timestamp '2026-01-01 00:00:30')")
        }

        private func check(_ database: RealDatabase, type: String, jsonData: JSONValue, sql: String) async throws {
            try await GrafanaHome.withServer(["dataproxy.row_limit=1"]) { server, home in
                try server.addDataSource(
                    "db", type: type,
                    [
                        "url": .string("127.0.0.1:\(database.port)"), "user": .string(RealDatabase.user),
                        "jsonData": jsonData, "secureJsonData": ["password": .string(RealDatabase.password)],
                    ])

                let table = try server.query(
                    "db", ["rawSql": .string(sql), "format": "table"], from: Self.from, to: Self.to)
                let series = try server.query(
                    "db", ["rawSql": .string(sql), "format": "time_series"], from: Self.from, to: Self.to)
                let limited = try server.query(
                    "db", ["rawSql": "select 1 as a union all select 2", "format": "table"])
                let wrong = try server.query("db", ["rawSql": "select * from nowhere", "format": "table"])

                #expect(table.status == 200, "\(table.text)")
                #expect(table.frames.first?["data"]?["values"] == [[1_767_225_600_000], ["a"], [1.5]])
                #expect(series.frames.first?["schema"]?["fields"]?[1]?["labels"] == ["host": "a"])
                #expect(
                    limited.frames.first?["schema"]?["meta"]?["notices"]?[0]?["text"]
                        == "Results have been limited to 1 because the SQL row limit was reached")
                #expect(wrong.status == 400)
                #expect(wrong.queryError?.contains("nowhere") == true)
                #expect(wrong.json["results"]?["A"]?["errorSource"] == "downstream")
                #expect(try server.get("/api/datasources/uid/db/health").json["message"] == "Database Connection OK")
                let log =
                    server.log
                    + ((try? String(contentsOf: home.folder.appending(path: "logs/grafana.log"), encoding: .utf8)) ?? "")
                #expect(!log.contains("s3cret"))
            }
        }
    }
}
