// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// Starts that cannot work say why and what to do, and end with a code that scripts understand.
    struct RefusedStartTests {}
}

extension EndToEnd.RefusedStartTests {
    /// Waits for a server that cannot start.
    private func outcome(
        _ home: GrafanaHome, _ overrides: [String] = [], environment: [String: String] = [:]
    ) async throws -> (status: Int32, error: String) {
        let program = try home.launch(overrides, environment: environment)
        defer { program.end() }
        let status = try await program.exitStatus()
        return (status, program.output.split(separator: "\n").last { $0.hasPrefix("error: ") }.map(String.init) ?? "")
    }

    @Test func aSecondServerOnTheSameDataIsRefused() async throws {
        try await GrafanaHome.withServer { server, home in
            let (status, error) = try await outcome(home)

            #expect(status == 75)
            #expect(error.contains("another server (pid \(server.program.pid)) has it open"), "\(error)")
            #expect(error.contains("stop that server"))
            #expect(try server.get("/api/user").status == 200)
        }
    }

    @Test func aPortInUseIsNamedWithARemedy() async throws {
        try await GrafanaHome.withServer { server, _ in
            try await GrafanaHome.use { other in
                let (status, error) = try await outcome(other, ["server.http_port=\(server.port)"])

                #expect(status == 69)
                #expect(error.contains("cannot listen on '127.0.0.1:\(server.port)'"), "\(error)")
                #expect(error.contains("address already in use") && error.contains("choose another port"), "\(error)")
            }
        }
    }

    @Test func anUnknownSettingIsAWarningWithTheNearestName() async throws {
        try await GrafanaHome.withServer(["server.http_prot=3001", "databse.type=x"]) { server, _ in
            let warnings = server.log.split(separator: "\n").filter { $0.contains("level=warn") }

            #expect(warnings.contains { $0.contains("http_prot") && $0.contains("did you mean 'http_port'?") })
            #expect(warnings.contains { $0.contains("databse") && $0.contains("did you mean [database]?") })
        }
    }

    @Test func aSettingOfTheWrongKindIsRefused() async throws {
        try await GrafanaHome.use { home in
            let (status, error) = try await outcome(home, ["server.http_port=many"])

            #expect(status == 78)
            #expect(error.contains("http_port") && error.contains("many"), "\(error)")
        }
    }

    @Test func aDataFolderThatCannotBeMadeIsRefused() async throws {
        try await GrafanaHome.use { home in
            let file = home.folder.appending(path: "file")
            try "not a folder".write(to: file, atomically: true, encoding: .utf8)
            for path in [file.appending(path: "data").path, "/proc/grafana-data"] {
                let (status, error) = try await outcome(home, ["paths.data=\(path)"])

                #expect(status == 74, "\(path)")
                #expect(error.contains("'\(path)' cannot be made") && error.contains("[paths]"), "\(error)")
            }
        }
    }

    @Test func anotherSecretKeyIsRefused() async throws {
        try await GrafanaHome.use { home in
            let first = try await home.start(["security.secret_key=first"])
            defer { first.program.end() }
            try first.addDataSource("secret", type: "testdata", ["secureJsonData": ["key": "s3cret"]])
            #expect(try await first.stop() == 0)

            let (status, error) = try await outcome(home, environment: ["GF_SECURITY_SECRET_KEY": "other"])

            #expect(status == 78)
            #expect(error.contains("secret_key") && error.contains("[wrong-secret-key]"), "\(error)")
            #expect(!error.contains("first") && !error.contains("other"))
            let again = try await home.start(["security.secret_key=first"])
            defer { again.program.end() }
            #expect(try again.get("/api/datasources/uid/secret").status == 200)
        }
    }

    @Test func aDatabaseThatIsNoneIsRefused() async throws {
        try await GrafanaHome.use { home in
            try FileManager.default.createDirectory(at: home.data, withIntermediateDirectories: true)
            try String(repeating: "no database\n", count: 1000).write(
                to: home.database, atomically: true, encoding: .utf8)

            let (status, error) = try await outcome(home)

            #expect(status == 65)
            #expect(error.contains(home.database.path), "\(error)")
        }
    }
}
