// SPDX-License-Identifier: Apache-2.0
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

/// The live tail through the platform, against a server that replays recorded messages and cuts connections.
@Suite(.timeLimit(.minutes(2)))
struct LokiTailTests {
    private func withLoki(
        options: [String] = [], _ body: (PluginPlatform, RealServer, DataSourceConfiguration) async throws -> Void
    ) async throws {
        let builtin = BuiltinPlugin(descriptorJSON: LokiPlugin.descriptorJSON, entry: { loki_entry($0) })
        try await ReplayedLoki.run(repository: Fixtures.repository, options: options) { server in
            try await TestPlatform.run(builtin) { platform in
                let settings = DataSourceInstanceSettings(
                    uid: "loki", name: "Loki", pluginID: "loki", url: server.url,
                    jsonData: ["httpHeaderName1": "X-Scope-OrgID"])
                let source = DataSourceConfiguration(
                    settings: settings, secrets: ["httpHeaderValue1": "team-7"], version: 1)
                try await body(platform, server, source)
            }
        }
    }

    private func request(_ model: JSONObject, token: [UInt8] = []) -> StreamRequest {
        StreamRequest(
            path: "tail/x", data: Array(JSONValue.object(model).encoded().utf8), resumeToken: token)
    }

    private static func lines(_ frames: [DataFrame]) -> [String] {
        frames.flatMap { frame -> [String] in
            guard let times = frame.field(named: "tsNs")?.column, let lines = frame.field(named: "Line")?.column else {
                return []
            }
            return (0..<frame.rowCount).map { "\(times.string(at: $0) ?? "") \(lines.string(at: $0) ?? "")" }
        }
    }

    /// The lines of the recorded session with categories, by their times.
    private static func recordedLines() throws -> [String] {
        let session = try #require(
            try Fixtures.json("loki/tail.json").array?.first { $0["name"]?.string == "tail_categorized" })
        let lines = try (session["messages"]?.array ?? []).flatMap { message -> [String] in
            let streams = try JSONValue(parsing: message["text"]?.string ?? "")["streams"]?.array ?? []
            return streams.flatMap { stream in
                (stream["values"]?.array ?? []).map { "\($0[0]?.string ?? "") \($0[1]?.string ?? "")" }
            }
        }
        return lines.sorted()
    }

    @Test func subscriptionsNeedAnExpression() async throws {
        try await withLoki { platform, _, source in
            for (path, data, status) in [
                ("tail/x", #"{"expr":"{a=\"b\"}"}"#, SubscribeAnswer.Status.ok), ("tail/x", "{}", .notFound),
                ("tail/x", "", .notFound), ("tail/x", #"{"expr":""}"#, .notFound), ("x", #"{"expr":"x"}"#, .notFound),
            ] {
                let request = StreamRequest(path: path, data: Array(data.utf8))
                let answer = try await platform.subscribeStream(request, of: source, facts: CallFacts())
                #expect(answer.status == status, "\(path) \(data)")
                let names = answer.frame?.fields.map(\.name)
                #expect(names == (status == .ok ? ["labels", "Time", "Line", "tsNs", "labelTypes", "id"] : nil))
            }
        }
    }

    @Test func recordedMessagesBecomeRows() async throws {
        let wanted = try Self.recordedLines()
        try await withLoki(options: ["--tenant", "team-7"]) { platform, server, source in
            let model: JSONObject = ["expr": "{env=\"tail\"}", "maxLines": 10, "queryType": "stream"]
            let events = try await platform.runStream(request(model), of: source, facts: CallFacts())
            let result = try await CallResult(events) { Self.lines($0.frames).count >= wanted.count }

            #expect(Self.lines(result.frames).sorted() == wanted)
            let labels = result.frames[0].field(named: "labels")?.column.string(at: 0)
            #expect(
                labels == #"{"app":"tailer","detected_level":"unknown","env":"tail","service_name":"tailer","sm":"x3"}"#
            )
            let asked = try await server.get("/replay/connections").text
            #expect(asked.contains(#""flags": "categorize-labels""#) && asked.contains(#""limit": "10""#))
            #expect(!asked.contains("start"))
        }
    }

    /// Connections that end after N lines: with a long history, and with one that is too short to reach back.
    @Test(arguments: [(4, 100), (4, 2), (1, 1), (3, 1)])
    func noLineIsLostOrDoubledOverCuts(size: Int, limit: Int) async throws {
        let all = try Self.recordedLines()
        try await withLoki { platform, server, source in
            let model: JSONObject = ["expr": .string("{cut=\"\(size)\"}"), "maxLines": .integer(Int64(limit))]
            // The first connection begins with the newest lines of its history.
            let wanted = Array(all.dropFirst(max(0, size - limit)))
            let events = try await platform.runStream(request(model), of: source, facts: CallFacts())

            let result = try await CallResult(events) { Self.lines($0.frames).count >= wanted.count }

            #expect(Self.lines(result.frames) == wanted)
            let connections = try #require(try await server.get("/replay/connections").json?.array)
            #expect(connections.count >= min(all.count / size, 2))
            #expect(connections.dropFirst().allSatisfy { $0["start"]?.string != nil })
            #expect(try await server.get("/replay/refused").text == "[]")
        }
    }

    /// A reload of the plugin goes on where the run before was.
    @Test func aTokenGoesOn() async throws {
        let all = try Self.recordedLines()
        try await withLoki { platform, _, source in
            let model: JSONObject = ["expr": "{cut=\"5\"}", "maxLines": 100]
            var token: [UInt8] = []
            var before = 0
            for await event in try await platform.runStream(request(model), of: source, facts: CallFacts()) {
                if case .frame(_, let frame) = event { before += frame.rowCount }
                if case .rows(_, let rows) = event { before += rows.rowCount }
                if case .checkpoint(let bytes) = event, before >= 5 {
                    token = bytes
                    break
                }
            }

            let rest = all.count - before
            let events = try await platform.runStream(request(model, token: token), of: source, facts: CallFacts())
            let result = try await CallResult(events) { Self.lines($0.frames).count >= rest }

            #expect(Self.lines(result.frames) == Array(all.suffix(rest)))
        }
    }

    @Test(
        arguments: [
            ("{env=", "parse error at line 1, col 6: syntax error: unexpected $end, expecting STRING", 400),
            (
                "sum(rate({env=\"tail\"}[1m]))",
                "the server ended the tail with code 1011: only log selector is supported", nil
            ),
        ] as [(String, String, Int?)])
    func refusalsAreToldInTheServersWords(expression: String, text: String, status: Int?) async throws {
        try await withLoki { platform, _, source in
            let events = try await platform.runStream(
                request(["expr": .string(expression)]), of: source, facts: CallFacts())
            let result = try await CallResult(events)

            #expect(result.failure?.message == text)
            #expect(result.failure?.code == .invalid && result.failure?.source == .downstream)
            #expect(result.failure?.httpStatus == status)
        }
    }

    @Test func missingTenantIsToldAtOnce() async throws {
        try await withLoki(options: ["--tenant", "other"]) { platform, _, source in
            let events = try await platform.runStream(
                request(["expr": "{env=\"tail\"}"]), of: source, facts: CallFacts())

            #expect(try await CallResult(events).failure?.code == .unauthenticated)
        }
    }
}

extension HTTPAnswer {
    fileprivate var json: JSONValue? { try? JSONValue(parsing: body) }
}
