// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

/// Servers that go wrong give an error that says how, soon and in little memory.
@Suite(.timeLimit(.minutes(1)))
struct LokiHostileTests {
    @Test(arguments: [
        ("endless", PluginError.Code.limit, ""), ("cut", .io, ""),
        ("long", .badData, "before it is complete"),
        ("headers", .io, ""), ("loop", .downstream, "302"), ("garbage", .io, ""), ("silent", .io, ""),
        ("zeros", .badData, "is not valid JSON at byte 0"),
    ])
    func faultsAreNamed(mode: String, code: PluginError.Code, part: String) async throws {
        let result = try await answer(mode, CallLimits(bytes: 4 << 20))

        #expect(result.failure?.code == code, "\(result)")
        #expect(
            part.isEmpty || result.failure?.message.contains(part) == true, "\(result.failure?.message ?? "no error")")
    }

    /// An answer that comes byte by byte lasts as long as the call may, and no longer.
    @Test func aSlowAnswerEndsWithTheCall() async throws {
        let result = try await answer("drip", CallLimits(time: .milliseconds(300), grace: .milliseconds(500)))

        #expect([.timeout, .cancelled].contains(result.failure?.code), "\(result)")
        #expect(result.frames.isEmpty)
    }

    /// A health check reads no more than the answer to a sum has.
    @Test(arguments: ["endless", "zeros", "loop"])
    func healthOfAHostileServerIsBad(mode: String) async throws {
        let health = try await ask(mode, CallLimits()) { platform, source in
            try await platform.checkHealth(of: source, facts: CallFacts())
        }

        #expect(health.status == .error && health.details == nil)
        #expect(health.message == "Unable to connect with Loki. Please check the server logs for more details.")
    }

    private func answer(_ mode: String, _ limits: CallLimits) async throws -> CallResult {
        try await ask(mode, limits) { platform, source in
            let query = DataQuery(
                refID: "A", json: JSONText("{}"), model: ["expr": "{a=\"b\"}"], from: Timestamp(nanoseconds: 0),
                to: Timestamp(nanoseconds: 1), interval: .seconds(1), maxDataPoints: 100)
            return try await CallResult(platform.queryData([query], of: source, facts: CallFacts()))
        }
    }

    private func ask<Result: Sendable>(
        _ mode: String, _ limits: CallLimits, _ body: (PluginPlatform, DataSourceConfiguration) async throws -> Result
    ) async throws -> Result {
        let port = try LoopbackSocket.freePort()
        let log = FileManager.default.temporaryDirectory.appending(path: "hostile-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let tool = Fixtures.repository.appending(path: "Tests/Tools/hostile_server.py").path
        let server = try RealServer("python3", [tool, "\(port)"], port: port, log: log)
        defer { server.end() }
        try await server.wait(for: "/ready")
        let builtin = BuiltinPlugin(descriptorJSON: LokiPlugin.descriptorJSON, entry: { loki_entry($0) })
        return try await TestPlatform.run(builtin, limits: limits) { platform in
            let source = DataSourceConfiguration(
                settings: DataSourceInstanceSettings(
                    uid: "loki", name: "Loki", pluginID: "loki", url: "\(server.url)/\(mode)"), version: 1)
            return try await body(platform, source)
        }
    }
}
