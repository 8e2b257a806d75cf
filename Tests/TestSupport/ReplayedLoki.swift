// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// A server that answers what was recorded from a real Loki and refuses everything else.
///
/// No package of Loki itself exists. The program is `Tests/Tools/replayed_loki.py`.
package enum ReplayedLoki {
    /// What the recordings were asked for, in nanoseconds since 1970.
    package static let end = 1_795_227_489_419_915_282

    /// Runs a body with a server, which is killed when the body ends.
    ///
    /// - Parameter options: `--user NAME:PASSWORD`, `--tenant NAME`: what each request has to have.
    package static func run<Result>(
        repository: URL, options: [String] = [], _ body: (RealServer) async throws -> Result
    ) async throws -> Result {
        let port = try LoopbackSocket.freePort()
        let log = FileManager.default.temporaryDirectory.appending(path: "loki-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let fixtures = repository.deletingLastPathComponent().appending(path: "shared/fixtures/loki").path
        let tool = repository.appending(path: "Tests/Tools/replayed_loki.py").path
        let server = try RealServer("python3", [tool, fixtures, "\(port)"] + options, port: port, log: log)
        defer { server.end() }
        try await server.wait(for: "/replay/refused")
        return try await body(server)
    }
}
