// SPDX-License-Identifier: Apache-2.0
import Dispatch
import NIOHTTP1
import PluginABI
import PluginHost
import Storage
import Synchronization
import Testing

@testable import Server

struct QueryAPITests {
    private func query(_ refID: String, _ type: String = "", uid: String = "probe", _ more: JSONObject = [:])
        -> JSONValue
    {
        var object: JSONObject = [
            "refId": .string(refID), "queryType": .string(type), "datasource": ["uid": .string(uid)],
        ]
        for (key, value) in more { object[key] = value }
        return .object(object)
    }

    private func value(_ answer: Answer, _ refID: String, _ field: Int) -> JSONValue? {
        answer.json["results"]?[refID]?["frames"]?[0]?["data"]?["values"]?[field]?[0]
    }

    @Test func aQueryReachesThePluginWithAllItsFacts() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe(jsonData: #"{"keepCookies":["kept","grafana_session"]}"#)

            let headers = [
                ("x-panel-id", "7"), ("cookie", "kept=1; dropped=2; grafana_session=3"),
                ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ]
            let answer = try await server.query([query("A", ["maxDataPoints": 5, "expr": "up"])], headers: headers)

            #expect(answer.status == 200)
            #expect(answer.headers.first(name: "content-type") == "application/json; charset=UTF-8")
            #expect(value(answer, "A", 0)?.string == query("A", ["maxDataPoints": 5, "expr": "up"]).encoded())
            #expect(value(answer, "A", 3)?.int == 5)
            #expect(value(answer, "A", 5)?.string == "admin")
            #expect(value(answer, "A", 7)?.string == "7")
            #expect(value(answer, "A", 8)?.string == "s3cret")
            #expect(value(answer, "A", 9)?.string == "kept=1")
            #expect(value(answer, "A", 10)?.string?.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") == true)
            #expect(answer.headers.first(name: "grafana-trace-id") == "0af7651916cd43dd8448eb211c80319c")
        }
    }

    private func query(_ refID: String, _ more: JSONObject) -> JSONValue { query(refID, "", uid: "probe", more) }

    @Test func severalSourcesAnswerInOneBodySortedByRefID() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            let id = try await server.addProbe(name: "other", uid: "other")
            let queries: [JSONValue] = [
                query("Z"), ["refId": "B", "datasourceId": .integer(id)], ["refId": "A", "datasource": "other"],
                query("H", ["hide": true]),
            ]

            let answer = try await server.query(queries)

            #expect(answer.status == 200)
            #expect(answer.json["results"]?.object?.keys == ["A", "B", "Z"])
            #expect(value(answer, "A", 6)?.string == "other" && value(answer, "B", 6)?.string == "other")
            #expect(value(answer, "Z", 6)?.string == "probe")
        }
    }

    @Test func aFailingQueryFailsAlone() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()

            let answer = try await server.query([
                query("A", "fail"), query("B"), query("C", "downstream"), query("D", "empty"),
            ])

            #expect(answer.status == 400)
            let results = answer.json["results"]
            #expect(results?["A"]?["error"]?.string == "bad expression <here>")
            #expect(results?["A"]?["status"]?.int == 400 && results?["A"]?["errorSource"]?.string == "plugin")
            #expect(results?["B"]?["frames"]?.array?.count == 1 && results?["B"]?["status"]?.int == 200)
            #expect(results?["C"]?["status"]?.int == 503 && results?["C"]?["errorSource"]?.string == "downstream")
            #expect(results?["D"]?["frames"] == [])
        }
    }

    @Test func noticesLandOnTheFrames() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()

            let answer = try await server.query([query("A", "notice")])

            let notices = answer.json["results"]?["A"]?["frames"]?[0]?["schema"]?["meta"]?["notices"]
            #expect(notices?[0]?["text"]?.string == "careful" && notices?[0]?["severity"]?.string == "warning")
        }
    }

    @Test func aLargeAnswerStreamsAndIsTheSame() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()

            let answer = try await server.query([query("B"), query("A", "large", ["frames": 60])])

            #expect(answer.status == 200)
            #expect(answer.headers.first(name: "transfer-encoding") == "chunked")
            let frames = answer.json["results"]?["A"]?["frames"]?.array ?? []
            #expect(frames.map { $0["schema"]?["name"]?.string } == (0..<60).map { "f\($0)" })
            #expect(frames.last?["data"]?["values"]?[1]?.array?.count == 2000)
            #expect(answer.json["results"]?["A"]?["status"]?.int == 200)
            #expect(value(answer, "B", 6)?.string == "probe")
        }
    }

    @Test func aFailureAfterTheFirstBytesStandsInItsResult() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()

            let answer = try await server.query([query("A", "late-failure")])

            #expect(answer.json["results"]?["A"]?["error"]?.string == "broke in the middle")
            #expect(answer.json["results"]?["A"]?["frames"]?.array?.count == 80)
        }
    }

    /// A failure that is known before the first byte decides the status, however large the other answers are.
    @Test(arguments: [("fail", "probe"), ("", "gone")])
    func aFailureBesideALargeAnswerIsInTheStatus(type: String, uid: String) async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            try await server.addProbe(name: "other", uid: "other")
            _ = try await server.stores.dataSources.add(
                orgID: 1, DataSourceFields(name: "gone", type: "not-installed"), uid: "gone")
            let queries = [query("A", type, uid: uid), query("B", "large", uid: "other", ["frames": 60])]

            let answer = try await server.query(queries)
            let arrow = try await server.query(queries, headers: [("accept", "application/vnd.apache.arrow.stream")])

            for answer in [answer, arrow] {
                #expect(answer.status == 400)
                #expect(answer.headers.first(name: "content-type") == "application/json; charset=UTF-8")
                #expect(answer.json["results"]?["A"]?["error"] != nil)
                #expect(answer.json["results"]?["B"]?["frames"]?.array?.count == 60)
            }
        }
    }

    @Test func aToggleMakesTheStatusOfFailuresThatOfSeveral() async throws {
        try await TestServer.run(options: { $0.featureToggles = ["datasourceQueryMultiStatus"] }) {
            server async throws in
            try await server.addProbe()

            let mixed = try await server.query([query("A", "fail"), query("B")])
            let good = try await server.query([query("B")])

            #expect(mixed.status == 207 && mixed.json["results"]?["A"]?["status"]?.int == 400)
            #expect(good.status == 200)
        }
    }

    @Test func answersOfSourcesThatAskForItAreKept() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe(jsonData: #"{"queryCaching":true}"#)
            try await server.addProbe(name: "plain", uid: "plain")
            func ask(_ queries: [JSONValue], _ headers: [(String, String)] = []) async throws -> (String?, [UInt8]) {
                let body: JSONValue = ["queries": .array(queries), "from": "0", "to": "60000"]
                let answer = try await server.send(.POST, "/api/ds/query", body, headers: headers)
                return (answer.headers.first(name: "x-cache"), answer.body)
            }

            let first = try await ask([query("A")])
            let second = try await ask([query("A")])
            let skipped = try await ask([query("A")], [("x-cache-skip", "true")])
            let failing = [try await ask([query("F", "fail")]).0, try await ask([query("F", "fail")]).0]
            let plain = [try await ask([query("A", uid: "plain")]).0, try await ask([query("A", uid: "plain")]).0]
            let mixed = try await ask([query("A"), query("B", uid: "plain")])
            let expression: JSONValue = [
                "refId": "E", "datasource": ["uid": "__expr__"], "type": "math", "expression": "$N + 1",
            ]
            let calculated = [
                try await ask([query("N", "notice"), expression]).0,
                try await ask([query("M", "empty"), expression]).0,
            ]

            #expect(first.0 == "MISS" && second.0 == "HIT" && first.1 == second.1)
            // The trace of each call is in the answer.
            #expect(skipped.0 == "MISS" && skipped.1 != first.1)
            #expect(failing == ["MISS", "MISS"] && plain == [nil, nil])
            #expect(mixed.0 == "HIT")
            #expect(calculated == ["MISS", nil])
            #expect(try await server.get("/metrics").text.contains("grafana_caching_requests_total{result=\"hit\"} 2"))
        }
    }

    @Test func aChangedSourceIsAskedAnew() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe(jsonData: #"{"queryCaching":true}"#)
            let body: JSONValue = ["queries": [query("A")], "from": "0", "to": "60000"]
            _ = try await server.send(.POST, "/api/ds/query", body)
            let stored = try await server.get("/api/datasources/uid/probe").json
            var changed = stored.object ?? [:]
            changed["url"] = "http://other"

            let update = try await server.send(.PUT, "/api/datasources/uid/probe", .object(changed))
            let answer = try await server.send(.POST, "/api/ds/query", body)

            #expect(update.status == 200 && answer.headers.first(name: "x-cache") == "MISS")
        }
    }

    @Test func framesComeAsArrowStreams() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            let headers = [("accept", "application/vnd.apache.arrow.stream")]

            let answer = try await server.query([query("A", "notice"), query("B")], headers: headers)
            let failed = try await server.query([query("A", "fail")], headers: headers)

            #expect(answer.status == 200)
            #expect(answer.headers.first(name: "content-type") == "application/vnd.apache.arrow.stream")
            // Each stream begins with a continuation mark and ends with one and the length 0.
            let end: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]
            #expect(Array(answer.body.prefix(4)) == Array(end.prefix(4)) && Array(answer.body.suffix(8)) == end)
            #expect(failed.status == 400 && failed.json["results"]?["A"]?["error"] != nil)
        }
    }

    @Test func missingThingsHaveTheirOwnAnswers() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            _ = try await server.stores.dataSources.add(
                orgID: 1, DataSourceFields(name: "gone", type: "not-installed"), uid: "gone")

            let unknown = try await server.query([query("A", uid: "nope")])
            let none = try await server.query([])
            let broken = try await server.sendBytes(.POST, "/api/ds/query", Array("{".utf8))
            let noPlugin = try await server.query([query("A", uid: "gone")])
            let partly = try await server.query([query("A", uid: "gone"), query("B")])

            #expect(unknown.status == 404 && unknown.message == "Data source not found")
            #expect(none.status == 400 && none.message == "No queries found")
            #expect(none.json["messageId"]?.string == "query.noQueries" && none.json["traceID"]?.string?.count == 32)
            #expect(broken.status == 400 && broken.message == "bad request data")
            #expect(noPlugin.status == 404 && noPlugin.message == "Plugin not registered")
            #expect(partly.status == 400 && partly.json["results"]?["B"]?["status"]?.int == 200)
        }
    }

    @Test func answersAreCompressedForThoseWhoAcceptIt() async throws {
        try await TestServer.run(options: { $0.enablesGzip = true }) { server async throws in
            try await server.addProbe()
            let headers = [("accept-encoding", "gzip")]

            let large = try await server.query([query("A", "large")], headers: headers)
            let small = try await server.get("/api/health", headers: headers)
            let plain = try await server.query([query("A", "large")])

            #expect(large.headers.first(name: "content-encoding") == "gzip")
            #expect(large.headers.first(name: "vary") == "Accept-Encoding")
            #expect(try Gunzip.bytes(large.body) == plain.body)
            #expect(small.headers.first(name: "content-encoding") == nil)
        }
    }

    @Test func aClientThatLeavesCancelsItsQuery() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            for (refID, isReset) in [("left-by-close", false), ("left-by-reset", true)] {
                let body =
                    #"{"from":"0","to":"1","queries":[{"refId":"\#(refID)","queryType":"wait","datasource":{"uid":"probe"}}]}"#
                let connection = try RawConnection(port: server.port)
                connection.send(
                    "POST /api/ds/query HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                try await eventually {
                    server.platform.plugins.contains { $0.id == "acme-probe-datasource" && $0.callsRunning > 0 }
                }

                if isReset { connection.reset() } else { connection.close() }

                try await eventually { ProbeDataSource.cancellations.withLock { $0.contains(refID) } }
                try await eventually {
                    server.platform.plugins.allSatisfy { $0.id != "acme-probe-datasource" || $0.callsRunning == 0 }
                }
            }
        }
    }

    /// The connection is long forgotten when the call begins, which must not go on for nobody.
    @Test func aClientThatLeavesBeforeTheCallBeginsCancelsIt() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe(jsonData: #"{"slow":true}"#)
            @Sendable func connections() async throws -> Int? {
                let text = try await server.send(.GET, "/metrics").text
                return text.firstMatch(of: /grafana_http_connections (\d+)/).flatMap { Int($0.1) }
            }
            let before = try await connections()
            let made = ProbeDataSource.making.load(ordering: .relaxed)
            // Also when the test fails before: a thread waits.
            defer { ProbeDataSource.mayBeMade.signal() }
            let body =
                #"{"from":"0","to":"1","queries":[{"refId":"early","queryType":"wait","datasource":{"uid":"probe"}}]}"#
            let connection = try RawConnection(port: server.port)
            connection.send(
                "POST /api/ds/query HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            try await eventually { ProbeDataSource.making.load(ordering: .relaxed) == made + 1 }
            connection.reset()
            try await eventually { try await connections() == before }

            ProbeDataSource.mayBeMade.signal()

            try await eventually { ProbeDataSource.cancellations.withLock { $0.contains("early") } }
        }
    }

    @Test func viewersMayQueryAndStrangersMayNot() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            _ = try await server.stores.users.create(NewUser(login: "vera", password: Secret("vera1"), role: .viewer))
            _ = try await server.stores.users.create(
                NewUser(login: "nora", password: Secret("nora1"), role: OrgRole.none))
            let body: JSONValue = ["queries": [query("A")], "from": "now-1h", "to": "now"]

            let viewer = try await server.send(.POST, "/api/ds/query", body, user: "vera:vera1")
            let nobody = try await server.send(.POST, "/api/ds/query", body, user: "nora:nora1")
            let stranger = try await server.send(.POST, "/api/ds/query", body, user: nil)

            #expect(viewer.status == 200)
            #expect(nobody.status == 403)
            #expect(stranger.status == 401 && stranger.message == "Unauthorized")
            #expect(
                stranger.json["messageId"]?.string == "auth.unauthorized" && stranger.json["statusCode"]?.int == 401)
        }
    }
}
