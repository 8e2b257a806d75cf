// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// The repository's root.
let repositoryRoot = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

/// The built programs: beside the test program, or in the folder that GRAFANA_TEST_PROGRAMS names.
enum BuiltProgram {
    static func url(_ name: String) throws -> URL {
        let folder =
            try ProcessInfo.processInfo.environment["GRAFANA_TEST_PROGRAMS"].map { URL(filePath: $0) }
            ?? URL(filePath: FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            .deletingLastPathComponent()
        let url = folder.appending(path: name)
        guard FileManager.default.isExecutableFile(atPath: url.path) else {
            throw RealServerError("no program at \(url.path); run 'swift build' or set GRAFANA_TEST_PROGRAMS")
        }
        return url
    }
}

/// Folders for servers of one test: data, logs, plugins.
struct GrafanaHome {
    let folder: URL

    var data: URL { folder.appending(path: "data") }
    var plugins: URL { folder.appending(path: "plugins") }
    var database: URL { data.appending(path: "grafana.db") }
    /// What servers read with `--config`, when it is there.
    var settings: URL { folder.appending(path: "custom.ini") }

    /// Runs the body; then ends all servers that it started and removes the folders, whichever way it ends.
    static func use<R>(_ body: (GrafanaHome) async throws -> R) async throws -> R {
        let folder = FileManager.default.temporaryDirectory.appending(path: "end-to-end-\(UUID().uuidString)")
        let home = GrafanaHome(folder: folder)
        try FileManager.default.createDirectory(at: home.plugins, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(home)
    }

    /// The command line of a server with these folders on a free port.
    func arguments(_ overrides: [String]) -> [String] {
        let paths = [
            "paths.data=\(data.path)", "paths.logs=\(folder.path)/logs", "paths.plugins=\(plugins.path)",
            "server.http_addr=127.0.0.1", "server.http_port=0",
        ]
        let config = FileManager.default.fileExists(atPath: settings.path) ? ["--config", settings.path] : []
        return ["server", "--homepath", repositoryRoot.path] + config + (paths + overrides).map { "cfg:\($0)" }
    }

    /// Starts a server and leaves it alone.
    func launch(_ overrides: [String] = [], environment: [String: String] = [:]) throws -> LeashedProgram {
        try LeashedProgram(
            try BuiltProgram.url("grafana").path, arguments(overrides), environment: environment,
            log: folder.appending(path: "output-\(UUID().uuidString)"))
    }

    /// Starts a server and waits until it is ready; it is killed when nobody holds it any more.
    func start(_ overrides: [String] = [], environment: [String: String] = [:]) async throws -> GrafanaServer {
        let program = try launch(overrides, environment: environment)
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline, program.isRunning {
            if let port = Self.port(in: program.output) {
                let server = GrafanaServer(program: program, port: port)
                if (try? server.get("/readyz", user: nil))?.status == 200 { return server }
            }
            try await Task.sleep(for: .milliseconds(10))  // Reason: another program tells nobody
        }
        throw RealServerError("the server did not become ready; it says: \(program.lastWords)")
    }

    /// Runs the body with a server.
    static func withServer<R>(
        _ overrides: [String] = [], _ body: (GrafanaServer, GrafanaHome) async throws -> R
    ) async throws -> R {
        try await use { home in
            let server = try await home.start(overrides)
            defer { server.program.end() }
            return try await body(server, home)
        }
    }

    /// The port that a log names once the server listens.
    private static func port(in log: String) -> Int? {
        guard let line = log.split(separator: "\n").last(where: { $0.contains("HTTP server listens") }),
            let address = line.firstMatch(of: /127\.0\.0\.1[^0-9]+([0-9]+)/)
        else { return nil }
        return Int(address.1)
    }
}
