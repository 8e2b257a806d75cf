// SPDX-License-Identifier: Apache-2.0
import Logging
import PluginABI
import PluginHost
import Synchronization
import Testing

@testable import BuiltinDatasources

/// TestData through the platform: the C tables in both directions, as the server uses it.
struct TestDataPlatformTests {
    private let source = DataSourceConfiguration(
        settings: DataSourceInstanceSettings(uid: "uid1", name: "T", pluginID: "grafana-testdata-datasource"),
        version: 1)

    /// Starts a platform with TestData alone, and ends it.
    private func withPlatform(_ body: (PluginPlatform) async throws -> Void) async throws {
        let builtin = BuiltinPlugin(
            descriptorJSON: TestDataPlugin.descriptorJSON, entry: { testdata_entry($0) })
        try await TestPlatform.run(builtin, body)
    }

    private func query(_ refID: String, _ model: JSONValue) -> DataQuery {
        DataQuery(
            refID: refID, json: JSONText(model.encoded()), model: model,
            from: Timestamp(milliseconds: ScenarioRun.start), to: Timestamp(milliseconds: ScenarioRun.start + 600_000),
            interval: .seconds(60), maxDataPoints: 100)
    }

    @Test func pluginIsLoadedUnderItsAlias() async throws {
        try await withPlatform { platform in
            #expect(platform.refusals.isEmpty)
            #expect(platform.plugin(id: "testdata") != nil)
            let health = try await platform.checkHealth(of: source, facts: CallFacts())
            #expect(health.message == "Data source is working")
        }
    }

    @Test func queriesFailAlone() async throws {
        try await withPlatform { platform in
            let queries = [
                query("A", ["scenarioId": "server_error_500"]), query("B", ["scenarioId": "table_static"]),
                query("C", ["scenarioId": "nonsense"]), query("D", ["scenarioId": "random_walk_with_error"]),
            ]

            var frames: [String: Int] = [:]
            var errors: [String: String] = [:]
            var end: PluginError?
            for await event in try await platform.queryData(queries, of: source, facts: CallFacts()) {
                switch event {
                case .frame(_, let frame): frames[frame.refID, default: 0] += frame.rowCount
                case .rows(_, let frame): frames[frame.refID, default: 0] += frame.rowCount
                case .failed(let error, let refID): errors[refID] = error.message
                case .completed(let error): end = error
                default: break
                }
            }

            #expect(frames == ["B": 10, "D": 10])
            #expect(errors.keys.sorted() == ["A", "D"])
            #expect(errors["A"] == "Test Data Panic!")
            #expect(end == nil)
        }
    }

    @Test func everyFieldTypeCrossesTheBorderUnchanged() async throws {
        let direct = await ScenarioRun(["scenarioId": "all_field_types", "lines": 100, "seed": 1])
        try await withPlatform { platform in
            let queries = [query("A", ["scenarioId": "all_field_types", "lines": 100, "seed": 1])]

            var frame: DataFrame?
            for await event in try await platform.queryData(queries, of: source, facts: CallFacts()) {
                if case .frame(_, let first) = event { frame = first }
            }

            var expected = try #require(direct.frames.first)
            expected.refID = "A"
            let received = try #require(frame)
            #expect(received.arrowFile() == expected.arrowFile())
        }
    }

    @Test func resourceStreamsItsLines() async throws {
        try await withPlatform { platform in
            let call = ResourceCall(method: "GET", path: "stream", query: "count=3&start=7&sleep=0s")

            let answer = try await platform.callResource(call, of: source, facts: CallFacts())

            var text = ""
            try await answer.forEachChunk { chunk in
                text += chunk.withBytes { String(decoding: $0, as: UTF8.self) }
            }
            #expect(answer.status == 200)
            #expect(text == "Message #7\nMessage #8\nMessage #9\n")
        }
    }

    @Test func streamRunsUntilItsReaderLeaves() async throws {
        try await withPlatform { platform in
            let request = StreamRequest(path: "random-20Hz-stream-1")

            let answer = try await platform.subscribeStream(request, of: source, facts: CallFacts())
            var rows = 0
            for await event in try await platform.runStream(request, of: source, facts: CallFacts()) {
                switch event {
                case .frame(_, let frame), .rows(_, let frame): rows += frame.rowCount
                default: break
                }
                if rows == 3 { break }
            }

            #expect(answer.status == .ok)
            #expect(answer.frame?.name == "testdata")
            #expect(answer.frame?.rowCount == 0)
            #expect(rows == 3)
        }
    }

    @Test func publishingIsRefused() async throws {
        try await withPlatform { platform in
            let request = StreamRequest(path: "random-2s-stream", data: Array("{}".utf8))

            let answer = try await platform.publishStream(request, of: source, facts: CallFacts())

            #expect(answer.status == .permissionDenied)
        }
    }
}

/// A store that is always empty.
