// SPDX-License-Identifier: Apache-2.0
import Logging
import Synchronization
import Testing

@testable import Server

struct RequestLogTests {
    @Test func theLogNamesTheUserAndTheSeconds() async throws {
        let lines = LogLines()
        let logger = Logger(label: "test") { _ in LineHandler(lines: lines) }
        try await TestServer.run(options: { $0.logsRequests = true }, logger: logger) { server async throws in
            #expect(try await server.get("/api/user").status == 200)
            #expect(try await server.get("/api/user", user: nil).status == 401)
            #expect(try await server.get("/public/plugins/none/x.js").status == 404)
        }

        let logged = lines.all.withLock { $0 }
        #expect(logged.map { "\($0["user.login"] ?? "")" } == ["admin", "", ""])
        #expect(logged.map { "\($0["http.status"] ?? "")" } == ["200", "401", "404"])
        #expect(logged.allSatisfy { Double("\($0["http.duration"] ?? "")").map { $0 >= 0 && $0 < 60 } ?? false })
    }

    @Test func durationsAreSecondsAsAPlainNumber() {
        #expect(RequestScope.seconds(.zero) == "0.000000")
        #expect(RequestScope.seconds(.microseconds(1250)) == "0.001250")
        #expect(RequestScope.seconds(.seconds(61) + .milliseconds(5)) == "61.005000")
        #expect(RequestScope.seconds(.seconds(-1)) == "0.000000")
    }
}

/// The metadata of the request log's lines.
private final class LogLines: Sendable {
    let all = Mutex<[Logger.Metadata]>([])
}

private struct LineHandler: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard "\(event.message)" == "Request answered" else { return }
        lines.all.withLock { $0.append(event.metadata ?? [:]) }
    }
}
