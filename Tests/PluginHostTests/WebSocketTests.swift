// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

@testable import PluginHost

/// `gf.websocket/1` from the SDK through the host to a server in another language, which keeps the rules or breaks one.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct WebSocketTests {
    static let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Tools/websocket_peer.py").path

    private static func withPeer(
        limits: CallLimits = CallLimits(), _ body: (TestPlatform, String) async throws -> Void
    ) async throws {
        let port = try LoopbackSocket.freePort()
        let log = FileManager.default.temporaryDirectory.appending(path: "peer-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let peer = try RealServer("python3", [Self.tool, "\(port)"], port: port, log: log)
        defer { peer.end() }
        try await peer.wait(for: "/ready")
        try await TestPlatform.run(limits: limits) { try await body($0, peer.url) }
    }

    /// What the probe tells of one socket.
    private func ask(
        _ test: TestPlatform, _ url: String, _ model: JSONObject, settings: JSONValue = .object([:]),
        secrets: [String: String] = [:]
    ) async throws -> (text: String, error: PluginError?) {
        var model = model
        model["try"] = "socket"
        var source = test.source("probe-datasource", json: settings)
        // A source of its own for each address: an instance keeps the address that it was made with.
        source.settings.uid = url
        source.settings.url = url
        source.secrets = secrets
        let answer = try await test.answer([test.query(JSONValue.object(model).encoded())], of: source)
        return (answer.frames.first?.fields[0].column.string(at: 0) ?? "", answer.failures["A"])
    }

    @Test func messagesGoBothWays() async throws {
        try await Self.withPeer { test, url in
            let echo = try await ask(test, url, ["path": "/echo", "send": ["grün", "", "bye"]])
            let bytes = try await ask(test, url, ["path": "/echo", "sendBytes": 70_000, "count": 1])

            #expect(echo.text == "text grün\ntext \nclosed 4001 enough")
            #expect(bytes.text == "binary 70000")
        }
    }

    @Test func headersAreThoseOfTheDataSource() async throws {
        try await Self.withPeer { test, url in
            let settings: JSONValue = ["httpHeaderName1": "X-Scope-OrgID"]
            let answer = try await ask(
                test, url + "/", ["path": "/headers", "header": "mine", "count": 1, "protocols": ["a", "b"]],
                settings: settings, secrets: ["httpHeaderValue1": "team"])
            let absolute = try await ask(
                test, url, ["path": .string(url.replacing("http://", with: "ws://") + "/headers"), "count": 1],
                settings: settings, secrets: ["httpHeaderValue1": "team"])

            let headers = try JSONValue(parsing: String(answer.text.dropFirst(5)))
            #expect(headers["x-scope-orgid"]?.string == "team" && headers["x-own"]?.string == "mine")
            #expect(headers["host"]?.string == url.replacing("http://", with: ""))
            #expect(headers["upgrade"]?.string == "websocket" && headers["sec-websocket-version"]?.string == "13")
            #expect(headers["sec-websocket-protocol"]?.string == "a, b")
            #expect(absolute.text.contains("team"))
        }
    }

    @Test func aMessageBehindTheHandshakeIsNotLost() async throws {
        try await Self.withPeer { test, url in
            let answer = try await ask(test, url, ["path": "/early", "count": 1])

            #expect(answer.text == "text early")
        }
    }

    /// The end comes while the pipeline is still that of HTTP.
    @Test func aMessageBetweenTheHandshakeAndTheEndIsNotLost() async throws {
        try await Self.withPeer { test, url in
            for _ in 0..<20 {
                let answer = try await ask(test, url, ["path": "/early-end"])

                #expect(answer.text == "text early\nclosed 1006 ", "\(answer)")
            }
        }
    }

    /// GF-R-026.
    @Test func fragmentsAreJoinedAndPingsAnswered() async throws {
        try await Self.withPeer { test, url in
            let answer = try await ask(test, url, ["path": "/fragments", "count": 1])

            #expect(answer.text == "text grün pong")
        }
    }

    /// GF-R-026.
    @Test(arguments: [
        ("/masked", PluginError.Code.badData, "1002"), ("/binary-within-text", .badData, "1002"),
        ("/continuation", .badData, "1002"), ("/long-ping", .badData, "1002"), ("/bad-utf8", .badData, "1007"),
        ("/huge", .limit, "1009"),
    ])
    func breachesEndTheSocket(path: String, code: PluginError.Code, told: String) async throws {
        try await Self.withPeer { test, url in
            let answer = try await ask(test, url, ["path": .string(path), "max": 150_000])
            let closed = try await ask(test, url, ["path": "/closed", "count": 1])

            #expect(answer.error?.code == code, "\(answer)")
            #expect(answer.error?.source == .downstream)
            #expect(answer.error?.message.contains(url) == true)
            #expect(closed.text == "text \(told)")
        }
    }

    /// GF-R-027: 64 MiB are sent, and hardly more than the window and the system's buffers leave the server.
    @Test func aServerThatFloodsIsHeldBack() async throws {
        try await Self.withPeer { test, url in
            let lines = try await ask(test, url, ["path": "/flood", "beside": "/flooded"]).text
                .split(separator: "\n")

            let count = try #require(Int(lines.first ?? ""))
            #expect(count < 128, "\(count) of 256 messages were taken before anybody read")
            #expect(lines.count == 258 && lines.last == "closed 1000 ")
        }
    }

    /// GF-R-028: the SDK waits for room, so that the call runs into its deadline and not into memory.
    @Test func aServerThatDoesNotReadHoldsThePluginBack() async throws {
        let limits = CallLimits(time: .milliseconds(500), grace: .milliseconds(500))
        try await Self.withPeer(limits: limits) { test, url in
            let answer = try await ask(test, url, ["path": "/deaf", "sendBytes": 1_048_576, "times": 64])

            #expect(answer.text.isEmpty && answer.error?.code != .limit, "\(answer)")
        }
    }

    @Test(arguments: [
        ("/cut", "text whole\nclosed 1006 "), ("/silent-close", "closed 1005 "),
        ("/refuse", "refused 400 no such query 65536"), ("/redirect", "refused 302  0"),
    ])
    func endsAreTold(path: String, text: String) async throws {
        try await Self.withPeer { test, url in
            let answer = try await ask(test, url, ["path": .string(path), "send": ["go"]])

            #expect(answer.text == text, "\(answer)")
        }
    }

    @Test func handshakesThatFailSayWhy() async throws {
        try await Self.withPeer { test, url in
            let wrong = try await ask(test, url, ["path": "/wrong-accept"])
            let silent = try await ask(test, url, ["path": "/no-answer", "timeout": 50])
            let dead = try await ask(test, "http://127.0.0.1:1", ["path": "/"])
            let plain = try await ask(test, url.replacing("http", with: "https"), ["path": "/echo"])
            let strange = try await ask(test, "ftp://x", ["path": "/"])

            #expect(wrong.error?.code == .badData)
            #expect(silent.error?.code == .timeout && silent.error?.message.contains("did not answer in time") == true)
            #expect(dead.error?.code == .io, "\(dead)")
            #expect(dead.error?.message.contains("connection refused") == true)
            #expect(plain.error?.code == .io, "\(plain)")
            #expect(strange.error?.code == .invalid, "\(strange)")
        }
    }

    /// GF-R-025 and GF-R-029: the plugin's own goodbye, and the host's when the call completes.
    @Test(arguments: [(JSONValue.integer(4002), "4002"), (.null, "1000")])
    func socketsAreClosed(code: JSONValue, told: String) async throws {
        try await Self.withPeer { test, url in
            _ = try await ask(test, url, ["path": "/wait", "count": 0, "close": code])

            #expect(try await ask(test, url, ["path": "/closed", "count": 1]).text == "text \(told)")
        }
    }

    /// GF-R-025.
    @Test func aCancelledCallClosesItsSocket() async throws {
        try await Self.withPeer { test, url in
            var source = test.source("probe-datasource")
            source.settings.url = url
            let query = try test.query(#"{"try":"socket","path":"/wait","announce":true}"#)
            for await event in try await test.platform.queryData([query], of: source, facts: CallFacts()) {
                // Nobody reads on: the call is cancelled.
                if case .frame = event { break }
            }

            let closed = try await ask(test, url, ["path": "/closed", "count": 1]).text
            #expect(["text 1000", "text 1001"].contains(closed))
        }
    }
}
