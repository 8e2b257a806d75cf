// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Commands

struct QueryModelTests {
    private func source(_ type: String) -> DataSourceIdentity { DataSourceIdentity(uid: "u1", name: "n", type: type) }

    private func query(_ model: QueryModel, _ type: String) throws -> JSONValue? {
        try model.body(for: source(type))["queries"]?[0]
    }

    @Test func aBodyNamesSourceRangeAndPoints() throws {
        let body = try QueryModel(expression: "up", from: "now-2h", to: "now-1h", maxDataPoints: 100)
            .body(for: source("prometheus"))

        #expect(
            body == [
                "queries": [
                    [
                        "expr": "up", "range": true, "refId": "A", "datasource": ["uid": "u1", "type": "prometheus"],
                        "maxDataPoints": 100, "intervalMs": 36_000,
                    ]
                ], "from": "now-2h", "to": "now-1h",
            ])
    }

    @Test(arguments: [
        ("loki", #"{app="x"}"#, #"{"expr":"{app=\"x\"}","queryType":"range","step":"15s","maxLines":1000}"#),
        ("prometheus", #"{__name__="up"}"#, #"{"expr":"{__name__=\"up\"}","range":true,"interval":"15s"}"#),
        ("testdata", "random_walk", #"{"scenarioId":"random_walk"}"#),
        ("grafana-testdata-datasource", "csv_content", #"{"scenarioId":"csv_content"}"#),
        (
            "anything", #" {"refId":"B","maxDataPoints":5,"rawSql":"x"}"#,
            #"{"refId":"B","maxDataPoints":5,"rawSql":"x"}"#
        ),
    ])
    func eachTypeHasItsModel(_ type: String, _ expression: String, _ expected: String) throws {
        var model = QueryModel(expression: expression)
        model.step = TimeAmount(argument: "15s")

        let query = try #require(try query(model, type)?.object)

        for (key, value) in try #require(try JSONValue(parsing: expected).object) { #expect(query[key] == value) }
        #expect(query["intervalMs"] == 15_000)
    }

    @Test func aRangeThatOnlyTheServerKnowsHasNoInterval() throws {
        #expect(try query(QueryModel(expression: "up", from: "now/d"), "prometheus")?["intervalMs"] == nil)
        #expect(try query(QueryModel(expression: "up", from: "1700000000000"), "prometheus")?["intervalMs"] == nil)
    }

    @Test(arguments: [("mysql", "SELECT 1"), ("mysql", "{broken"), ("testdata", "{broken")])
    func whatCannotBeAskedIsAUsageError(_ type: String, _ expression: String) {
        let failure = #expect(throws: CommandFailure.self) { try query(QueryModel(expression: expression), type) }
        #expect(failure?.status == .usage)
    }
}

struct QueryAnswerTests {
    static let frame =
        #"{"schema":{"refId":"A","meta":{"typeVersion":[0,0],"notices":[{"severity":"warning","text":"cut"}]},"#
        + #""fields":[{"name":"v","type":"number","typeInfo":{"frame":"float64","nullable":true}}]},"#
        + #""data":{"values":[[1,null,null]],"entities":[{"NaN":[2]}]}}"#

    @Test func framesErrorsAndNoticesAreRead() throws {
        let body =
            #"{"results":{"A":{"status":200,"frames":[\#(Self.frame), \#(Self.frame)]},"#
            + #""B":{"error":"no such series","errorSource":"downstream","status":400}}}"#

        let answer = try QueryAnswer(body: Array(body.utf8))

        #expect(answer.frames.count == 2)
        #expect(answer.frames[0].fields[0].column.double(at: 2)?.isNaN == true)
        #expect(answer.frameTexts.map { String(decoding: $0, as: UTF8.self) } == [Self.frame, Self.frame])
        #expect(answer.failures == [.init(refID: "B", message: "no such series", source: "downstream")])
        #expect(answer.notices.map(\.text) == ["cut"])
    }

    @Test(arguments: [#"{"results":{"A":{"status":200}}}"#, #"{"results":{"A":{"frames":null}}}"#, #"{"results":{}}"#])
    func anEmptyAnswerIsFine(_ body: String) throws {
        #expect(try QueryAnswer(body: Array(body.utf8)).frames.isEmpty)
    }

    @Test(arguments: [
        "", "<html>", "{}", #"{"results":[]}"#, #"{"results":{"A":{"frames":[{}, 1]}}}"#,
        #"{"results":{"A":{"frames":[{"schema":{"fields":[{"name":"v","type":"number"}]},"data":{"values":[["x"]]}}]}}}"#,
        #"{"results":{"A":1}}"#,
    ])
    func otherBodiesAreBadData(_ body: String) {
        let error = #expect(throws: (any Error).self) { try QueryAnswer(body: Array(body.utf8)) }
        #expect(error.map { CommandFailure($0).status } == .badData)
    }
}

struct APIAnswerTests {
    @Test(arguments: [
        (401, Commands.ExitStatus.refused), (403, .refused), (302, .usage), (404, .badData), (400, .badData),
        (429, .tryAgain),
        (503, .tryAgain), (504, .tryAgain), (500, .unavailable), (502, .unavailable),
    ])
    func statusesHaveExitCodes(_ status: Int, _ expected: Commands.ExitStatus) throws {
        let answer = APIClient.Answer(status: status, body: Array(#"{"message":"why"}"#.utf8))

        let failure = try #require(answer.failure("query"))
        #expect(failure.status == expected)
        #expect(failure.message.hasPrefix("query: the server answers \(status): why; "))
    }

    @Test func successIsNoFailure() {
        #expect(APIClient.Answer(status: 200, body: []).failure("query") == nil)
        #expect(APIClient.Answer(status: 207, body: []).failure("query") == nil)
    }

    @Test func namesAreEncodedForAPath() {
        #expect(DataSourceLookup.encoded("a-Z_0.~") == "a-Z_0.~")
        #expect(DataSourceLookup.encoded("a/b ?#%ä") == "a%2Fb%20%3F%23%25%C3%A4")
    }
}
