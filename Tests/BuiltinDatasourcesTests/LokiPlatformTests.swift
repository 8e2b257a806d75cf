// SPDX-License-Identifier: Apache-2.0
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

/// Loki through the platform, against a server that answers what was recorded and nothing else.
@Suite(.timeLimit(.minutes(2)))
struct LokiPlatformTests {
    private static let builtin = BuiltinPlugin(descriptorJSON: LokiPlugin.descriptorJSON, entry: { loki_entry($0) })

    private func withLoki(
        options: [String] = [], _ body: (PluginPlatform, RealServer, DataSourceConfiguration) async throws -> Void
    ) async throws {
        try await ReplayedLoki.run(repository: Fixtures.repository, options: options) { server in
            try await TestPlatform.run(Self.builtin) { platform in
                try await body(platform, server, Self.source(server.url))
            }
        }
    }

    private static func source(
        _ url: String, uid: String = "loki", json: JSONValue = .object([:]), user: String = "",
        secrets: [String: String] = [:]
    ) -> DataSourceConfiguration {
        DataSourceConfiguration(
            settings: DataSourceInstanceSettings(
                uid: uid, name: "Loki", pluginID: "loki", url: url, basicAuthEnabled: !user.isEmpty,
                basicAuthUser: user, jsonData: json),
            secrets: secrets, version: 1)
    }

    /// A query with the recorded parameters.
    private func query(_ recorded: RecordedQuery, refID: String = "A") -> DataQuery {
        let isRange = recorded.path.hasSuffix("query_range")
        var model: JSONObject = [
            "expr": .string(recorded.parameters["query"] ?? ""), "queryType": isRange ? "range" : "instant",
        ]
        if let limit = recorded.parameters["limit"].flatMap({ Int64($0) }) { model["maxLines"] = .integer(limit) }
        if let direction = recorded.parameters["direction"] { model["direction"] = .string(direction) }
        if let step = recorded.parameters["step"] { model["step"] = .string(step) }
        let from = recorded.parameters["start"].flatMap { Int64($0) } ?? 0
        let to = recorded.parameters[isRange ? "end" : "time"].flatMap { Int64($0) } ?? from
        return DataQuery(
            refID: refID, json: JSONText(JSONValue.object(model).encoded()), model: .object(model),
            from: Timestamp(nanoseconds: from), to: Timestamp(nanoseconds: to), interval: .seconds(1),
            maxDataPoints: 100)
    }

    /// What was recorded with the header that this data source always sends, or does not depend on it.
    private static let answers = LokiFixtures.all.filter { answer in
        let isError = answer.name.hasPrefix("error_") && answer.parameters["query"] != nil
        let hasNanoseconds = answer.parameters["start"].flatMap { Int64($0) } ?? 0 > 1 << 50
        let isMetric = answer.name.contains("matrix") || answer.name.hasPrefix("instant_")
        let isQuery = answer.path.hasSuffix("/query") || answer.path.hasSuffix("/query_range")
        let isOurs = answer.name.contains("categorized") || isMetric || (isError && hasNanoseconds)
        // These ask for what the query model does not have.
        let isOther = ["error_bad_direction", "error_end_before_start"].contains(answer.name)
        return isQuery && isOurs && !isOther
    }

    @Test func recordedTrafficIsReplayed() async throws {
        #expect(Self.answers.count >= 24, "\(Self.answers.map(\.name))")
        let expected = try await LokiFixtures.expectedFrames()
        try await withLoki { platform, server, source in
            for answer in Self.answers {
                let events = try await platform.queryData([query(answer)], of: source, facts: CallFacts())
                let result = try await CallResult(events)
                if answer.status == 200 {
                    #expect(result.failure == nil, "\(answer.name): \(result.failure?.message ?? "")")
                    let wanted = expected[answer.name]?["classic"]?.array ?? [.null]
                    let found = try result.frames.map { frame in
                        var frame = frame
                        frame.refID = ""
                        frame.meta?.notices = []
                        return try JSONValue(parsing: frame.json())
                    }
                    #expect(found == wanted, "\(answer.name)")
                } else {
                    #expect(result.failure?.httpStatus == answer.status, "\(answer.name)")
                    let text = String(decoding: answer.body, as: UTF8.self)
                    #expect(text.hasPrefix(result.failure?.message ?? "?"), "\(answer.name)")
                }
            }
            let refused = try await server.get("/replay/refused").text
            #expect(refused == "[]", "\(refused)")
        }
    }

    private static let resources = LokiFixtures.all.filter { answer in
        answer.method == "GET" && answer.path.hasPrefix("/loki/api/v1/")
            && LokiDataSource.isAllowed(String(answer.path.dropFirst("/loki/api/v1/".count)))
    }

    /// Every recorded answer that clients may ask for comes as Loki gave it.
    @Test func recordedResourcesComeByteForByte() async throws {
        #expect(Self.resources.count >= 17, "\(Self.resources.map(\.name))")
        try await withLoki { platform, server, source in
            for answer in Self.resources {
                let call = ResourceCall(
                    method: "GET", path: String(answer.path.dropFirst("/loki/api/v1/".count)),
                    query: FormEncoding.encode(answer.pairs.map { ($0.name, $0.value) }))
                let found = try await platform.callResource(call, of: source, facts: CallFacts())
                var body: [UInt8] = []
                try await found.forEachChunk { body += $0.array }

                #expect(found.status == answer.status, "\(answer.name)")
                #expect(found.headers["Content-Type"] == "application/json", "\(answer.name)")
                if answer.status == 200 {
                    #expect(body == answer.body, "\(answer.name)")
                } else {
                    let message = try JSONValue(parsing: body)["message"]?.string ?? "none"
                    #expect(String(decoding: answer.body, as: UTF8.self).hasPrefix(message), "\(answer.name)")
                }
            }
            let refused = try await server.get("/replay/refused").text
            #expect(refused == "[]", "\(refused)")
        }
    }

    @Test func whatWasNotRecordedIsRefused() async throws {
        try await withLoki { platform, server, source in
            var other = try #require(Self.answers.first { $0.name == "range_matrix_rate" })
            other.parameters["step"] = "61"

            let result = try await CallResult(platform.queryData([query(other)], of: source, facts: CallFacts()))

            #expect(result.failure?.message.hasPrefix("not recorded") == true)
            #expect(try await server.get("/replay/refused").text.contains("range_matrix_rate"))
        }
    }

    @Test func theDataPlaneShapeIsASetting() async throws {
        let expected = try await LokiFixtures.expectedFrames()
        try await withLoki { platform, server, _ in
            let source = Self.source(server.url, json: ["lokiLogsDataplane": true])
            let answer = try #require(Self.answers.first { $0.name == "range_edge_categorized" })

            let result = try await CallResult(platform.queryData([query(answer)], of: source, facts: CallFacts()))

            var frame = try #require(result.frames.first)
            frame.refID = ""
            #expect(try JSONValue(parsing: frame.json()) == expected[answer.name]?["dataplane"]?[0])
        }
    }

    @Test func healthAndCredentials() async throws {
        try await withLoki(options: ["--user", "ada:s3cret", "--tenant", "team-7"]) { platform, server, bare in
            let tenant: JSONValue = ["httpHeaderName1": "X-Scope-OrgID"]
            let secrets = ["basicAuthPassword": "s3cret", "httpHeaderValue1": "team-7"]
            let good = Self.source(server.url, uid: "good", json: tenant, user: "ada", secrets: secrets)
            let lost = Self.source("http://127.0.0.1:1", uid: "lost", json: tenant, user: "ada", secrets: secrets)

            let ok = try await platform.checkHealth(of: good, facts: CallFacts())
            #expect(ok.status == .ok && ok.message == "Data source successfully connected.")
            for (source, part) in [(bare, "unauthorized"), (lost, "connection refused")] {
                let health = try await platform.checkHealth(of: source, facts: CallFacts())
                #expect(health.status == .error)
                #expect(health.message == "Unable to connect with Loki. Please check the server logs for more details.")
                #expect(health.details == nil, "what the server says is for the log: \(part)")
            }
        }
    }
}
