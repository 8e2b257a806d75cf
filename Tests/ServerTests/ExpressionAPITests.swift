// SPDX-License-Identifier: Apache-2.0
import Expressions
import NIOHTTP1
import PluginABI
import PluginHost
import Storage
import Synchronization
import Testing

@testable import Server

/// Expressions through `POST /api/ds/query`.
struct ExpressionAPITests {
    private func expression(_ refID: String, _ type: String, _ text: String, _ more: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = [
            "refId": .string(refID), "datasource": ["uid": "__expr__", "type": "__expr__"], "type": .string(type),
            "expression": .string(text),
        ]
        for (key, value) in more { object[key] = value }
        return .object(object)
    }

    private func csv(_ refID: String, _ text: String, _ more: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = [
            "refId": .string(refID), "datasource": ["uid": "csv"], "scenarioId": "csv_content",
            "csvContent": .string(text),
        ]
        for (key, value) in more { object[key] = value }
        return .object(object)
    }

    private func probe(_ refID: String, _ type: String, _ more: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = [
            "refId": .string(refID), "datasource": ["uid": "probe"], "queryType": .string(type),
        ]
        for (key, value) in more { object[key] = value }
        return .object(object)
    }

    private func run(
        options: @Sendable (inout ServerOptions) -> Void = { _ in },
        _ body: @Sendable @escaping (TestServer) async throws -> Void
    ) async throws {
        try await TestServer.run(options: options) { server async throws in
            try await server.addProbe()
            let fields = DataSourceFields(name: "csv", type: "grafana-testdata-datasource")
            _ = try await server.stores.dataSources.add(orgID: 1, fields, uid: "csv", secrets: [:])
            try await body(server)
        }
    }

    private func frame(_ answer: Answer, _ refID: String, _ index: Int = 0) -> JSONValue? {
        answer.json["results"]?[refID]?["frames"]?[index]
    }

    private static let twoHosts = """
        time,"cpu{host=a}","cpu{host=b}"
        1000,1,10
        2000,2,20
        3000,3,
        """

    @Test func mathAndReduceOverADataSource() async throws {
        try await run { server async throws in
            let answer = try await server.query([
                csv("A", Self.twoHosts), expression("B", "math", "$A * 2 + 1"),
                expression("C", "reduce", "B", ["reducer": "max", "settings": ["mode": "dropNN"]]),
                expression("D", "math", "$C > 10"),
            ])

            #expect(answer.status == 200, "\(answer.text)")
            #expect(frame(answer, "B")?["data"]?["values"]?[1] == [3, 5, 7])
            #expect(frame(answer, "B", 1)?["data"]?["values"]?[1] == [21, 41, nil])
            #expect(frame(answer, "B")?["schema"]?["fields"]?[1]?["name"]?.string == "B")
            #expect(frame(answer, "B")?["schema"]?["fields"]?[1]?["labels"] == ["host": "a"])
            #expect(frame(answer, "B")?["schema"]?["meta"]?["type"]?.string == "timeseries-multi")
            #expect(frame(answer, "C", 1)?["data"]?["values"] == [[41]])
            #expect(frame(answer, "C", 1)?["schema"]?["meta"]?["type"]?.string == "numeric-multi")
            #expect((0...1).map { frame(answer, "D", $0)?["data"]?["values"] } == [[[0]], [[1]]])
            // The source's own series come one a frame.
            #expect(answer.json["results"]?["A"]?["frames"]?.array?.count == 2)
            #expect(answer.json["results"]?["A"]?["status"]?.int == 200)
        }
    }

    @Test func hiddenQueriesFeedOthersAndAreNotAnswered() async throws {
        try await run { server async throws in
            let answer = try await server.query([
                csv("A", Self.twoHosts, ["hide": true]), expression("B", "reduce", "A", ["reducer": "count"]),
                // Nobody needs it: it is not even asked.
                probe("H", "fail", ["hide": true]),
            ])

            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.json["results"]?.object?.keys == ["B"])
            #expect(frame(answer, "B")?["data"]?["values"] == [[3]])
        }
    }

    @Test func aFailureStaysWithThoseThatNeedIt() async throws {
        try await run { server async throws in
            let answer = try await server.query([
                probe("A", "downstream"), probe("X", "echo"), csv("B", Self.twoHosts),
                expression("C", "math", "$A + $B"), expression("D", "math", "$C + 1"),
                expression("E", "reduce", "B", ["reducer": "sum"]),
            ])

            #expect(answer.status == 400)
            let results = answer.json["results"]
            #expect(
                results?["A"]
                    == [
                        "error": "[sse.dataQueryError] failed to execute query [A]: upstream said no",
                        "errorSource": "downstream", "status": 400,
                    ])
            #expect(
                results?["C"]
                    == [
                        "error": """
                        [sse.dependencyError] did not execute expression [C] due to a failure of the dependent \
                        expression or query [A]
                        """, "errorSource": "", "status": 400,
                    ])
            #expect(
                results?["D"]?["error"]?.string == """
                    [sse.dependencyError] did not execute expression [D] due to a failure of the dependent expression \
                    or query [C]
                    """)
            #expect(
                results?["X"]?["error"]?.string == """
                    [sse.readDataError] [X] got error: input data must be a wide series but got type long (input refid)
                    """)
            #expect(frame(answer, "E")?["data"]?["values"] == [[6]])
            #expect(frame(answer, "B")?["data"]?["values"]?[1] == [1, 2, 3])
        }
    }

    @Test(arguments: [
        ("math", "$X + 1", "unable to find dependent node 'X'", "expression-graph"),
        (
            "math", "$B", "expression 'B' cannot reference itself. Must be query or another expression",
            "expression-graph"
        ),
        (
            "math", "$A +",
            """
            failed to parse expression 'B': invalid math command: expr: unexpected EOF in input: F() at \
            character 5
            """, "expression-parse"
        ),
        ("", "1", "invalid command type in expression 'B': no expression command type in query", "expression-parse"),
        (
            "magic", "1", "invalid command type in expression 'B': 'magic' is not a recognized expression type",
            "expression-parse"
        ),
        ("sql", "SELECT 1", "failed to parse expression 'B': sql expressions are disabled", "expression-disabled"),
    ])
    func aWrongExpressionRefusesTheRequest(type: String, text: String, message: String, code: String) async throws {
        try await run { server async throws in
            let answer = try await server.query([csv("A", Self.twoHosts), expression("B", type, text)])

            #expect(answer.status == 400)
            #expect(answer.message == message)
            #expect(answer.json["messageId"]?.string == code)
        }
    }

    @Test func sqlRunsOverSourcesWhenItIsSwitchedOn() async throws {
        try await run(options: { $0.expressions.isSQLEnabled = true }) { server async throws in
            let table = "host,cpu\na,1\nb,2\na,3"
            let sql = """
                SELECT A.host, sum(A.cpu) AS cpu, B.owner FROM A JOIN B ON A.host = B.host GROUP BY A.host ORDER BY 1
                """
            let answer = try await server.query([
                csv("A", table, ["hide": true]), csv("B", "host,owner\na,ann\nb,bob", ["hide": true]),
                expression("C", "sql", sql), expression("D", "sql", "DELETE FROM A"),
            ])

            #expect(answer.status == 400)
            #expect(
                frame(answer, "C")?["data"]?["values"] == [["a", "b"], [4, 2], ["ann", "bob"]], "\(answer.text)")
            #expect(
                answer.json["results"]?["D"]?["error"]?.string == "sql expression: table A may not be modified")
        }
    }

    @Test func anEndlessStatementIsStoppedInTime() async throws {
        let change: @Sendable (inout ServerOptions) -> Void = {
            $0.expressions.isSQLEnabled = true
            $0.expressions.sqlTimeout = .milliseconds(50)
        }
        try await run(options: change) { server async throws in
            let endless = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x"
            let answer = try await server.query([expression("A", "sql", endless), expression("B", "math", "1")])

            #expect(answer.status == 400)
            #expect(answer.json["results"]?["A"]?["status"]?.int == 504)
            #expect(frame(answer, "B")?["data"]?["values"] == [[1]])
        }
    }

    @Test func expressionsCanBeSwitchedOff() async throws {
        try await run(options: { $0.expressions.isEnabled = false }) { server async throws in
            let answer = try await server.query([expression("A", "math", "1")])

            #expect(answer.status == 400 && answer.message == "server side expressions are disabled")
        }
    }

    @Test func sourcesHearThatExpressionsAsk() async throws {
        try await run { server async throws in
            let answer = try await server.query([probe("A", "defaults"), expression("B", "math", "1 + 1")])

            #expect(answer.status == 200, "\(answer.text)")
            #expect(frame(answer, "B")?["data"]?["values"] == [[2]])
            #expect(frame(answer, "B")?["schema"]?["meta"] == nil)
            // What a query beside an expression has that says nothing.
            let labels = frame(answer, "A")?["schema"]?["fields"]?[0]?["labels"]
            #expect(labels == ["fromExpression": "true", "interval": "0.064 seconds", "points": "5000"])
        }
    }

    @Test func aLargeResultStreamsWithItsExactStatus() async throws {
        try await run { server async throws in
            let answer = try await server.query([
                probe("A", "large", ["frames": 60, "hide": true]), expression("B", "math", "$A * 2"),
                probe("C", "fail"),
            ])

            #expect(answer.status == 400)
            #expect(answer.headers.first(name: "transfer-encoding") == "chunked")
            let frames = answer.json["results"]?["B"]?["frames"]?.array ?? []
            #expect(frames.count == 60 && frames[59]["data"]?["values"]?[1]?[1999]?.double == 3998)
        }
    }

    @Test func resultsComeAsArrowWhenAsked() async throws {
        try await run { server async throws in
            let accept = [("accept", "application/vnd.apache.arrow.stream")]
            let answer = try await server.query([expression("A", "math", "1 + 1")], headers: accept)
            let failed = try await server.query(
                [probe("A", "fail"), expression("B", "math", "$A")], headers: accept)

            #expect(answer.status == 200)
            #expect(answer.headers.first(name: "content-type") == "application/vnd.apache.arrow.stream")
            #expect(failed.status == 400)
            #expect(failed.headers.first(name: "content-type") == "application/json; charset=UTF-8")
        }
    }

    @Test func aClientThatLeavesCancelsTheQueries() async throws {
        try await run { server async throws in
            let refID = "expression-leaver"
            let queries = [probe(refID, "wait"), expression("B", "math", "1")]
            let body: JSONValue = ["queries": .array(queries), "from": "now-1h", "to": "now"]
            let text = body.encoded()
            let connection = try RawConnection(port: server.port)
            connection.send(
                "POST /api/ds/query HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n"
                    + "Content-Length: \(text.utf8.count)\r\n\r\n\(text)")
            try await eventually {
                server.platform.plugins.contains { $0.id == "acme-probe-datasource" && $0.callsRunning > 0 }
            }

            connection.close()

            try await eventually { ProbeDataSource.cancellations.withLock { $0.contains(refID) } }
        }
    }

    @Test(arguments: [([], 2), (["sseGroupByDatasource"], 1)] as [([String], Int)])
    func queriesOfASourceMayGoInOneCall(toggles: [String], calls: Int) async throws {
        try await run(options: { $0.featureToggles = toggles }) { server async throws in
            let answer = try await server.query([
                probe("A", "defaults"), probe("B", "defaults"), expression("C", "math", "$A + $B"),
            ])

            #expect(answer.status == 200, "\(answer.text)")
            #expect(server.platform.plugin(id: "acme-probe-datasource")?.callsTotal == calls)
            #expect(answer.json["results"]?.object?.keys == ["A", "B", "C"])
        }
    }

    @Test func inOneCallAFailureStaysWithItsQuery() async throws {
        try await run(options: { $0.featureToggles = ["sseGroupByDatasource"] }) { server async throws in
            let answer = try await server.query([
                probe("A", "defaults"), probe("B", "downstream"), expression("C", "math", "$A + 1"),
            ])

            #expect(answer.status == 400)
            #expect(answer.json["results"]?["B"]?["error"]?.string?.contains("upstream said no") == true)
            #expect(answer.json["results"]?["C"]?["status"]?.int == 200)
        }
    }
}
