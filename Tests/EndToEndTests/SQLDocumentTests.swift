// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// The examples of the pages on SQL data sources: what the reader types gives what the reader sees.
    @Suite struct SQLDocumentTests {
        /// The statements, requests and answer of a page.
        private struct Example {
            var statements: String
            var source: JSONObject
            var query: JSONValue
            var answer: String

            init(page: String) throws {
                let file = repositoryRoot.appending(path: "docs/datasources/\(page)")
                let text = try String(contentsOf: file, encoding: .utf8)
                statements = String(try #require(text.firstMatch(of: /```sql\n((?:.|\n)*?)```/)).1)
                func request(_ path: String) throws -> JSONValue {
                    let start = try #require(text.firstRange(of: "localhost:3000\(path) -d '")).upperBound
                    let end = try #require(text[start...].firstIndex(of: "'"))
                    return try JSONValue(parsing: Array(text[start..<end].utf8))
                }
                source = try #require(try request("/api/datasources").object)
                query = try request("/api/ds/query")
                answer = String(try #require(text.split(separator: "\n").first { $0.hasPrefix("{\"results\"") }))
            }
        }

        /// Does what the page says, with the place and the password of the test's server instead of the page's.
        private func check(_ example: Example, on server: GrafanaServer, _ place: JSONObject) throws {
            var source = example.source
            for (key, value) in place {
                var merged = source[key]?.object ?? [:]
                for (inner, value) in value.object ?? [:] { merged[inner] = value }
                source[key] = value.object == nil ? value : .object(merged)
            }
            let made = try server.send("POST", "/api/datasources", .object(source))
            let answer = try server.send("POST", "/api/ds/query", example.query)

            #expect(made.status == 200, "\(made.text)")
            #expect(answer.text == example.answer)
        }

        /// The same data source under a name of its own, which may write.
        private func prepare(
            _ statements: [String], on server: GrafanaServer, type: String, _ place: JSONObject
        ) throws {
            var place = place
            var settings = place["jsonData"]?.object ?? [:]
            settings["readOnly"] = false
            place["jsonData"] = .object(settings)
            try server.addDataSource("writer", type: type, place)
            for statement in statements {
                let answer = try server.query("writer", ["rawSql": .string(statement), "format": "table"])
                #expect(answer.status == 200, "\(answer.text)")
            }
        }

        private func place(_ database: RealDatabase, _ settings: JSONObject) -> JSONObject {
            [
                "url": .string("127.0.0.1:\(database.port)"), "user": .string(RealDatabase.user),
                "jsonData": .object(settings), "secureJsonData": ["password": .string(RealDatabase.password)],
            ]
        }

        @Test func thePageOnPostgreSQLIsTrue() async throws {
            let example = try Example(page: "postgresql.md")
            let database = try await RealDatabase.postgreSQL()
            let place = place(database, ["database": "postgres", "sslmode": "disable"])
            try await GrafanaHome.withServer { server, _ in
                try prepare(
                    ["drop table if exists orders", example.statements], on: server,
                    type: "grafana-postgresql-datasource", place)
                try check(example, on: server, place)
            }
        }

        @Test func thePageOnMySQLIsTrue() async throws {
            let example = try Example(page: "mysql.md")
            let database = try await RealDatabase.mariaDB()
            let place = place(database, ["database": "test"])
            try await GrafanaHome.withServer { server, _ in
                // A query of MySQL is one statement.
                let statements = example.statements.split(separator: ";\n").map { String($0) }
                try prepare(["drop table if exists orders"] + statements, on: server, type: "mysql", place)
                try check(example, on: server, place)
            }
        }

        @Test func thePageOnSQLiteIsTrue() async throws {
            let example = try Example(page: "sqlite.md")
            try await GrafanaHome.withServer { server, home in
                let file = home.folder.appending(path: "rooms.sqlite")
                let (status, output) = try await Tool.run(
                    "python3",
                    [
                        "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2]).close()",
                        file.path, example.statements,
                    ])
                #expect(status == 0, "\(output)")
                try check(example, on: server, ["jsonData": ["path": .string(file.path)]])
            }
        }
    }
}
