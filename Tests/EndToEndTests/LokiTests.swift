// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

extension EndToEnd {
    /// Lines, metrics and the live tail through the server, of recorded traffic.
    struct LokiTests {}
}

extension EndToEnd.LokiTests {
    private func withLoki(_ body: (GrafanaServer, RealServer) async throws -> Void) async throws {
        try await ReplayedLoki.run(repository: repositoryRoot, options: ["--tenant", "team-7", "--times", "ms"]) {
            loki in
            try await GrafanaHome.withServer { server, _ in
                try server.addDataSource(
                    "loki", type: "loki",
                    [
                        "url": .string(loki.url), "jsonData": ["httpHeaderName1": "X-Scope-OrgID"],
                        "secureJsonData": ["httpHeaderValue1": "team-7"],
                    ])
                try await body(server, loki)
            }
        }
    }

    /// The frames that Tests/Tools/loki_frames.py computes for a recorded answer.
    private func expectedFrames(_ name: String) async throws -> [JSONValue] {
        let tool = repositoryRoot.appending(path: "Tests/Tools/loki_frames.py").path
        let folder = repositoryRoot.deletingLastPathComponent().appending(path: "shared/fixtures/loki").path
        let (status, output) = try await Tool.run("python3", [tool, folder])
        try #require(status == 0, "\(output)")
        return try JSONValue(parsing: Array(output.utf8))[name]?["classic"]?.array ?? []
    }

    /// What `docs/datasources/loki.md` shows is what happens.
    @Test func theDocumentedExamplesAreTrue() async throws {
        try await ReplayedLoki.run(repository: repositoryRoot, options: ["--tenant", "team-7", "--times", "ms"]) {
            loki in
            try await GrafanaHome.withServer { server, _ in
                let names = ["localhost:3000": "127.0.0.1:\(server.port)", "http://localhost:3100": loki.url]
                // The tail has no end, and the last needs the settings of the command line.
                let examples = try DocumentedExample.read("datasources/loki.md").filter {
                    !$0.command.contains("curl -sN") && $0.command.hasPrefix("curl")
                }
                #expect(examples.count >= 4)
                for example in examples {
                    let output = try await example.run(replacing: names)
                    if !example.output.isEmpty { #expect(example.matches(output), "\(example.command): \(output)") }
                }
                #expect(try await loki.get("/replay/refused").text == "[]")
            }
        }
    }

    @Test func linesComeThroughTheServer() async throws {
        try await withLoki { server, loki in
            let health = try server.get("/api/datasources/uid/loki/health").json
            #expect(health["status"]?.string == "OK", "\(health.encoded())")

            let lines = try server.query(
                "loki", ["expr": "{app=\"edge\"}", "maxLines": 50, "direction": "forward"], from: "1795223889419",
                to: "1795227489419")
            let rates = try server.query(
                "loki", ["expr": "sum by (app, dc) (count_over_time({env=\"prod\"}[2m]))", "step": "2m"],
                from: "1795220289419", to: "1795227489419")
            let wrong = try server.query(
                "loki", ["expr": "{app=\"web\""], from: "1795223889419", to: "1795227489419")

            for (answer, name) in [(lines, "range_edge_categorized"), (rates, "range_matrix_count")] {
                var expected = try await expectedFrames(name)
                for index in expected.indices {
                    var schema = expected[index]["schema"] ?? .null
                    schema["refId"] = "A"
                    expected[index]["schema"] = schema
                }
                #expect(answer.status == 200 && answer.frames == expected, "\(name): \(answer.text.prefix(2000))")
            }
            #expect(wrong.status == 400, "\(wrong.text)")
            #expect(
                wrong.queryError == "parse error at line 1, col 11: syntax error: unexpected $end, expecting } or ,")
            #expect(try await loki.get("/replay/refused").text == "[]")
        }
    }

    @Test func resourcesAndErrorsComeThroughTheServer() async throws {
        try await withLoki { server, loki in
            let base = "/api/datasources/uid/loki/resources/"
            let times = "start=1795202289419915282&end=1795227489419915282"

            #expect(try server.get(base + "labels").json["data"]?.array?.contains("app") == true)
            let values = try server.get(base + "label/app/values?\(times)")
            #expect(values.json["data"]?.array?.contains("api") == true, "\(values.text)")
            let stats = try server.get(base + "index/stats?\(times)&query=%7Bapp%3D%22api%22%7D")
            #expect(stats.json["streams"]?.int != nil, "\(stats.text)")
            let limits = try server.get(base + "drilldown-limits")
            #expect(limits.status == 401 && limits.json["message"]?.string == "no org id", "\(limits.text)")
            #expect(try server.get(base + "push").status == 400)
            #expect(try server.send("POST", base + "series?match[]=x").status == 400)
            #expect(try await loki.get("/replay/refused").text == "[]")
        }
    }

    /// As Explore does it: Loki's own messages, through the proxy with the credentials of the data source.
    @Test func theTailComesThroughTheProxy() async throws {
        try await withLoki { server, loki in
            let stream = try LoopbackConnection(port: server.port)
            let path = "/api/datasources/proxy/uid/loki/loki/api/v1/tail?query=%7Benv%3D%22tail%22%7D&limit=100"
            let credentials = Data(GrafanaServer.administrator.utf8).base64EncodedString()
            stream.send(
                "GET \(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic \(credentials)\r\nConnection: Upgrade\r\n"
                    + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

            let text = try stream.readText(until: "\"streams\"")
            stream.close()

            #expect(text.hasPrefix("HTTP/1.1 101"), "\(text)")
            #expect(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
            #expect(try await loki.get("/replay/connections").json.array?.count == 1)
        }
    }

    @Test func theTailStreamsOverCuts() async throws {
        try await withLoki { server, loki in
            let data = "%7B%22expr%22%3A%22%7Bcut%3D%5C%225%5C%22%7D%22%2C%22maxLines%22%3A100%7D"
            let stream = try LoopbackConnection(port: server.port)
            stream.send(GrafanaServer.request("GET", "/api/live/sse/ds/loki/tail/x?data=\(data)"))
            let entries = try #require(
                try JSONValue(
                    parsing: [UInt8](
                        Data(
                            contentsOf: repositoryRoot.deletingLastPathComponent().appending(
                                path: "shared/fixtures/loki/tail.json")))
                ).array?.first { $0["name"]?.string == "tail_categorized" })
            let times = try (entries["messages"]?.array ?? []).flatMap { message in
                try (JSONValue(parsing: message["text"]?.string ?? "")["streams"]?.array ?? []).compactMap {
                    $0["values"]?[0]?[0]?.string
                }
            }.sorted()
            let last = try #require(times.last)

            var text = try stream.readText(until: "\"\(last)\"")
            text += try stream.readText(until: "\n\n")
            stream.close()

            let head = try #require(text.firstRange(of: "\"schema\""))
            #expect(text.hasPrefix("HTTP/1.1 200") && text[..<head.lowerBound].contains("text/event-stream"))
            for time in times {
                // Once in tsNs, and once in front of the line's id.
                #expect(text.components(separatedBy: "\"\(time)\"").count == 2, "\(time)")
            }
            #expect(try #require(try await loki.get("/replay/connections").json.array).count >= 3)
        }
    }

    @Test func aTailThatIsRefusedEndsWithLokisWords() async throws {
        try await withLoki { server, _ in
            let stream = try LoopbackConnection(port: server.port)
            let data = "%7B%22expr%22%3A%22%7Benv%3D%22%7D"
            stream.send(GrafanaServer.request("GET", "/api/live/sse/ds/loki/tail/x?data=\(data)"))

            let text = try stream.readText(until: "event: end\ndata: ") + stream.readText(until: "\n\n")

            #expect(text.contains("parse error at line 1, col 6: syntax error: unexpected $end"))
        }
    }
}
