// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOHTTP1
import PluginABI
import PluginHost
import Testing

@testable import Server

/// What hostile, broken and slow clients get.
struct ConnectionTests {
    private static let authorization = "Authorization: Basic YWRtaW46YWRtaW4=\r\n"

    @Test(arguments: [
        "GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /api/health HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        "GET /api/health HTTP/1.1\r\nHost: x\r\nX: \u{0}\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n",
    ])
    func malformedRequestsEndTheConnection(text: String) async throws {
        try await TestServer.run { server async throws in
            let connection = try RawConnection(port: server.port)
            connection.send(text)

            let answer = await connection.readText()

            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400"), "\(answer)")
            #expect(try await server.get("/api/health").status == 200)
        }
    }

    @Test func hugeHeadersAreRefused() async throws {
        try await TestServer.run { server async throws in
            let long = String(repeating: "x", count: 20_000)
            let many = (0..<300).map { "X-\($0): y\r\n" }.joined()
            for fields in ["X-Long: \(long)\r\n", many] {
                let connection = try RawConnection(port: server.port)
                connection.send("GET /api/health HTTP/1.1\r\nHost: x\r\n\(fields)\r\n")

                let answer = await connection.readText()

                #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(answer)")
                #expect(!answer.contains("200 OK"))
            }
        }
    }

    @Test func largeBodiesAreRefusedBeforeTheyAreRead() async throws {
        try await TestServer.run(options: { $0.limits.bodyBytes = 1000 }) { server async throws in
            let announced = try RawConnection(port: server.port)
            announced.send(
                "POST /api/ds/query HTTP/1.1\r\nHost: x\r\n\(Self.authorization)Content-Length: 5000000\r\n\r\n")
            let chunked = try RawConnection(port: server.port)
            chunked.send(
                "POST /api/ds/query HTTP/1.1\r\nHost: x\r\n\(Self.authorization)Transfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<3 { chunked.send("200\r\n\(String(repeating: " ", count: 512))\r\n") }

            #expect(await announced.readText(until: "}").contains("413"))
            #expect(await chunked.readText(until: "}").contains("413"))
        }
    }

    @Test func aSlowHeadAndASlowBodyAreCutOff() async throws {
        let change: @Sendable (inout ServerOptions) -> Void = {
            $0.limits.idleTimeout = .milliseconds(200)
            $0.limits.readPeriod = .milliseconds(200)
        }
        try await TestServer.run(options: change) { server async throws in
            let head = try RawConnection(port: server.port)
            head.send("GET /api/health HTTP/1.1\r\nHost:")
            let body = try RawConnection(port: server.port)
            body.send("POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")

            #expect(await head.readText() == "")
            #expect(await body.readText().contains("200 OK") == false)
        }
    }

    @Test func aClientThatTakesNothingIsCutOff() async throws {
        try await TestServer.run(options: { $0.limits.writePeriod = .milliseconds(300) }) { server async throws in
            try await server.addProbe()
            let body =
                #"{"from":"0","to":"1","queries":[{"queryType":"large","frames":4000,"datasource":{"uid":"probe"}}]}"#
            let connection = try RawConnection(port: server.port)
            connection.send(
                "POST /api/ds/query HTTP/1.1\r\nHost: x\r\n\(Self.authorization)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )

            // Nothing is read; the call must come to its end all the same, long before its data could have.
            try await eventually {
                server.platform.plugins.contains { $0.id == "acme-probe-datasource" && $0.callsTotal > 0 }
            }
            try await eventually {
                server.platform.plugins.contains { $0.id == "acme-probe-datasource" && $0.callsRunning == 0 }
            }
            connection.close()
        }
    }

    @Test func requestsOfOneConnectionAreAnsweredInOrder() async throws {
        try await TestServer.run { server async throws in
            let connection = try RawConnection(port: server.port)
            connection.send(
                "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                    + "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

            let text = await connection.readText()

            let marks = text.components(separatedBy: "HTTP/1.1 ").map { $0.prefix(3) }
            #expect(marks == ["", "200", "404", "200"])
        }
    }

    @Test func aGracefulShutdownEndsStreams() async throws {
        let (rests, sink) = AsyncStream<String>.makeStream()
        try await TestServer.run { server async throws in
            try await server.addProbe()
            let stream = try RawConnection(port: server.port)
            stream.send("GET /api/live/sse/ds/probe/endless HTTP/1.1\r\nHost: x\r\n\(Self.authorization)\r\n")
            _ = await stream.readText(until: "\"live\"")
            Task { sink.yield(await stream.readText()) }
        }

        // The server is down: the stream ended in an orderly way, with the last chunk of its body.
        let rest = await rests.first { _ in true }
        #expect(rest?.hasSuffix("0\r\n\r\n") == true)
    }

    @Test func aGracefulShutdownFinishesWhatRuns() async throws {
        let (answers, sink) = AsyncStream<String>.makeStream()
        try await TestServer.run { server async throws in
            try await server.addProbe()
            let body =
                #"{"from":"0","to":"1","queries":[{"queryType":"pause","datasource":{"uid":"probe"}}]}"#
            let connection = try RawConnection(port: server.port)
            connection.send(
                "POST /api/ds/query HTTP/1.1\r\nHost: x\r\n\(Self.authorization)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
            Task { sink.yield(await connection.readText()) }
            try await eventually {
                server.platform.plugins.contains { $0.id == "acme-probe-datasource" && $0.callsRunning > 0 }
            }
        }

        let answer = await answers.first { _ in true }
        #expect(
            answer?.hasPrefix("HTTP/1.1 200") == true && answer?.contains("\"status\":200") == true, "\(answer ?? "")")
    }
}
