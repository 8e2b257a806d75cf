// SPDX-License-Identifier: Apache-2.0
import NIOHTTP1
import PluginABI
import Storage
import Testing

@testable import Server

/// WebSockets through the data source proxy.
struct ProxyUpgradeTests {
    private func add(_ server: TestServer, _ upstream: UpgradeServer) async throws {
        let body: JSONValue = [
            "name": "logs", "type": "loki", "uid": "logs", "url": .string("http://127.0.0.1:\(upstream.port)/base"),
            "basicAuth": true, "basicAuthUser": "u", "jsonData": ["httpHeaderName1": "X-Scope-OrgID"],
            "secureJsonData": ["basicAuthPassword": "p", "httpHeaderValue1": "team-7"],
        ]
        let answer = try await server.send(.POST, "/api/datasources", body)
        #expect(answer.status == 200)
    }

    private static func request(
        _ path: String = "/api/datasources/proxy/uid/logs/loki/api/v1/tail?query=%7Ba%7D", _ more: String = "",
        credentials: String = "Authorization: Basic YWRtaW46YWRtaW4=\r\n"
    ) -> String {
        "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\(credentials)\(more)\r\n"
    }

    @Test func bytesGoBothWays() async throws {
        let upstream = try UpgradeServer()
        try await TestServer.run { server async throws in
            try await add(server, upstream)
            let client = try RawConnection(port: server.port)

            client.send(Self.request())
            let head = await client.readText(until: "greeting")
            client.send("hello")
            let echo = await client.readText(until: "HELLO")

            #expect(head.hasPrefix("HTTP/1.1 101 "))
            #expect(head.lowercased().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"))
            #expect(!head.lowercased().contains("set-cookie") && head.hasSuffix("\r\n\r\ngreeting"))
            #expect(echo == "HELLO")
            let asked = upstream.heads[0].lowercased()
            #expect(asked.hasPrefix("get /base/loki/api/v1/tail?query=%7ba%7d http/1.1\r\n"))
            #expect(asked.contains("authorization: basic dtpw\r\n") && asked.contains("x-scope-orgid: team-7\r\n"))
            #expect(asked.contains("sec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n"))
            #expect(asked.contains("\r\nupgrade: websocket\r\n") && !asked.contains("ywrtaw46ywrtaw4"))
        }
    }

    @Test func manyBytesArriveInTheirOrder() async throws {
        let upstream = try UpgradeServer()
        try await TestServer.run { server async throws in
            try await add(server, upstream)
            let client = try RawConnection(port: server.port)
            client.send(Self.request())
            _ = await client.readText(until: "greeting")
            let text = (0..<200_000).map { "<\($0)>" }.joined()

            async let answer = client.readText(until: "<199999>")
            let sender = Task.detached { client.send(text) }

            #expect(await answer == text)
            _ = await sender.value
        }
    }

    @Test func whenOneSideEndsTheOtherDoes() async throws {
        let upstream = try UpgradeServer()
        try await TestServer.run { server async throws in
            try await add(server, upstream)
            let client = try RawConnection(port: server.port)
            client.send(Self.request())
            _ = await client.readText(until: "greeting")
            client.send("quit")
            #expect(await client.readText() == "QUIT")

            let other = try RawConnection(port: server.port)
            other.send(Self.request())
            _ = await other.readText(until: "greeting")
            other.close()

            try await eventually { upstream.openCount == 0 }
        }
    }

    /// The server ends with a WebSocket that is open.
    @Test func aShutdownEndsWhatIsOpen() async throws {
        let upstream = try UpgradeServer()
        let client = try await withOpenSocket(upstream)

        #expect(await client.readText().isEmpty)
        try await eventually { upstream.openCount == 0 }
    }

    private func withOpenSocket(_ upstream: UpgradeServer) async throws -> RawConnection {
        let (sockets, signal) = AsyncStream<RawConnection>.makeStream()
        try await TestServer.run { server async throws in
            try await add(server, upstream)
            let client = try RawConnection(port: server.port)
            client.send(Self.request())
            _ = await client.readText(until: "greeting")
            signal.yield(client)
        }
        signal.finish()
        return try #require(await sockets.first { _ in true })
    }

    @Test(arguments: [
        (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nparse error", "400",
            "parse error"
        ),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "400", "Authentication to data source failed"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "502", "Bad Gateway"), ("HTTP/1.1 200 OK\r\n\r\n", "502", "Bad Gateway"),
        ("", "502", "Bad Gateway"),
    ])
    func refusalsArePassedOn(answer: String, status: String, text: String) async throws {
        let upstream = try UpgradeServer(answer: answer)
        try await TestServer.run { server async throws in
            try await add(server, upstream)
            let client = try RawConnection(port: server.port)

            client.send(Self.request())
            let head = await client.readText(until: text)

            #expect(head.hasPrefix("HTTP/1.1 \(status) ") && head.contains(text), "\(head)")
        }
    }

    @Test func aWebSocketNeedsTheRightsOfItsRequest() async throws {
        let upstream = try UpgradeServer()
        try await TestServer.run { server async throws in
            try await add(server, upstream)
            let login = try await server.send(.POST, "/login", ["user": "admin", "password": "admin"], user: nil)
            let cookies = login.headers["set-cookie"].map { $0.prefix { $0 != ";" } }.joined(separator: "; ")
            func status(_ text: String) async throws -> String {
                let client = try RawConnection(port: server.port)
                client.send(text)
                return String(await client.readText(until: "\r\n\r\n").dropFirst(9).prefix(3))
            }

            let nobody = try await status(Self.request(credentials: ""))
            let climbing = try await status(Self.request("/api/datasources/proxy/uid/logs/a/%2e%2e/b"))
            let own = try await status(
                Self.request(
                    "/api/datasources/proxy/uid/logs/x", "Origin: http://localhost\r\n",
                    credentials: "Cookie: \(cookies)\r\n"))
            let foreign = try await status(
                Self.request(
                    "/api/datasources/proxy/uid/logs/x", "Origin: http://evil\r\n",
                    credentials: "Cookie: \(cookies)\r\n"))

            #expect([nobody, climbing, own, foreign] == ["401", "400", "101", "403"])
        }
    }
}
