// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// The ADBC data source of a real server, in a process of its own: the example of `docs/datasources/adbc.md`.
    @Suite struct ADBCDataTests {
        private static let environment = repositoryRoot.appending(path: ".build/test-venv")

        private static func driver() async throws -> String {
            let (status, output) = try await Tool.run(
                environment.appending(path: "bin/python").path,
                ["-c", "import adbc_driver_sqlite; print(adbc_driver_sqlite._driver_path(), end='')"])
            try #require(status == 0, "run packaging/make-test-environment.sh: \(output)")
            return output
        }

        /// The bodies that the document sends, and the answer that it shows.
        private static func example() throws -> (bodies: [JSONValue], answer: JSONValue) {
            let text = try String(
                contentsOf: repositoryRoot.appending(path: "docs/datasources/adbc.md"), encoding: .utf8)
            let bodies = try text.matches(of: /-d '(\{[^']*\})'\n/).map { match in
                try JSONValue(parsing: Array(match.output.1.utf8))
            }
            let answer = try #require(text.split(separator: "\n").first { $0.hasPrefix("{\"results\"") })
            return (bodies, try JSONValue(parsing: Array(answer.utf8)))
        }

        @Test func theExampleOfTheDocumentRuns() async throws {
            let (bodies, expected) = try Self.example()
            try #require(bodies.count == 2)
            try await GrafanaHome.use { home in
                let file = home.folder.appending(path: "rooms.sqlite")
                let script = """
                    import sqlite3, sys
                    sqlite3.connect(sys.argv[1]).executescript('''create table rooms (time integer, room text, celsius real);
                    insert into rooms values (1767225600, 'hall', 19.5), (1767225660, 'hall', 19.75),
                      (1767225600, 'loft', 17.25), (1767229200, 'hall', 99)''')
                    """
                let (status, output) = try await Tool.run("python3", ["-c", script, file.path])
                try #require(status == 0, "\(output)")
                let server = try await home.start(
                    ["plugin.gf-adbc-datasource.drivers=sqlite=\(try await Self.driver())"])
                defer { server.program.end() }
                var source = bodies[0]
                source["url"] = .string("file:\(file.path)")

                let made = try server.send("POST", "/api/datasources", source)
                let answer = try server.send("POST", "/api/ds/query", bodies[1])
                let health = try server.get("/api/datasources/uid/rooms/health").json
                let tables = try server.get("/api/datasources/uid/rooms/resources/tables").json
                let plugin = try server.get("/api/plugins/gf-adbc-datasource").json

                #expect(made.status == 200, "\(made.text) \(server.log)")
                #expect(answer.status == 200, "\(answer.text)")
                #expect(answer.json == expected, "\(answer.text)")
                #expect(health["message"]?.string?.hasPrefix("Database Connection OK: SQLite") == true, "\(health)")
                #expect(tables == ["rooms"])
                #expect(plugin["status"]?["level"] == "process", "\(plugin)")
            }
        }
    }
}
