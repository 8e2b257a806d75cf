// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import PluginTesting
import Testing

/// Plugins behave the same behind Grafana's protocol, as far as that can carry it.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ProtocolConformanceTests {
    /// Compares a plugin in the server's process with itself behind the protocol.
    private func expectTheSame(
        _ plugin: ConformancePlugin, _ prepare: (inout PluginConformance) -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        var kit = PluginConformance(try Plugins.serving(plugin, in: folder))
        kit.places = [.inProcess, .grpc]
        prepare(&kit)

        await expectConformance(kit)
        withExtendedLifetime(folder) {}
    }

    @Test func helloInC() async throws {
        try await expectTheSame(Plugins.example("hello-c")) { kit in
            // Grafana sends no query that is not an object.
            kit.queries = ["{}", #"{"amplitude": 2}"#, #"{"period": -1}"#]
            kit.resources = [
                ResourceCall(method: "GET", path: "greeting"), ResourceCall(method: "GET", path: "none"),
            ]
        }
    }

    @Test func sineInSwift() async throws {
        try await expectTheSame(Plugins.example("sine-swift")) { kit in
            kit.queries = ["{}", #"{"amplitude": 2}"#]
            kit.secrets = ["apiKey": "s3cret"]
            kit.subscriptions = [StreamRequest(path: "sine")]
        }
    }

    @Test func testData() async throws {
        try await expectTheSame(Plugins.testData()) { kit in
            kit.queries = [
                #"{"scenarioId": "predictable_pulse", "pulseWave": {"timeStep": 60}}"#,
                #"{"scenarioId": "all_field_types"}"#, #"{"scenarioId": "table_static"}"#,
                #"{"scenarioId": "error_with_source", "errorSource": "downstream"}"#,
                #"{"scenarioId": "no_data_points"}"#, #"{"scenarioId": "logs", "lines": 50, "seed": 3}"#,
            ]
            kit.resources = [
                ResourceCall(method: "GET", path: "scenarios"),
                ResourceCall(method: "POST", path: "test/json", query: "a=b%20c", body: Array("{}".utf8)),
            ]
        }
    }

    /// A plugin of another language, which knows Grafana's protocol alone: there is no other place to compare it with, but the
    /// rules of calls hold for it as well.
    @Test func filesInPython() async throws {
        let folder = try TemporaryFolder()
        try "when,celsius\n2026-01-02T03:04:05,1.5\n".write(
            toFile: "\(folder.path)/t.csv", atomically: true, encoding: .utf8)
        let kit = PluginConformance(
            try ConformancePlugin(program: Plugins.root.appending(path: ".build/examples/files-python").path),
            queries: [#"{"file": "t.csv"}"#, #"{"file": "../none.csv"}"#],
            resources: [ResourceCall(method: "GET", path: "files"), ResourceCall(method: "GET", path: "none")],
            jsonData: ["folder": .string(folder.path)])

        let report = await kit.run()
        #expect(report.differences.isEmpty && report.cases.count > 30, "\(report)")
        withExtendedLifetime(folder) {}
    }
}
