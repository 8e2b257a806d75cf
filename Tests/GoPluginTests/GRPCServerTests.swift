// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import NIOPosix
import SwiftProtobuf
import Synchronization
import Testing

@testable import GoPlugin

/// The server of a plugin, asked by the client of a host.
struct GRPCServerTests {
    private static let group = MultiThreadedEventLoopGroup.singleton

    /// Runs a server and a connection to it.
    private func serve<R>(
        usesTLS: Bool = false, _ methods: GRPCMethods, _ body: (GRPCConnection, GRPCServer) async throws -> R
    ) async throws -> R {
        let host = try PluginIdentity()
        let plugin = try PluginIdentity()
        let server = try await GRPCServer.start(
            at: .folder("/tmp"), tls: usesTLS ? try plugin.serverTLS(trusting: host.certificatePEM) : nil,
            methods: methods, on: Self.group)
        // What the handshake line says is all that a host knows.
        let text = HandshakeLine(
            address: server.address, certificate: usesTLS ? plugin.certificateDER : nil
        ).text()
        let line = try HandshakeLine(parsing: text)
        let connection = try await GRPCConnection.connect(
            to: line.address, tls: try line.certificate.map { try host.tls(trusting: $0) }, on: Self.group)
        do {
            let result = try await body(connection, server)
            connection.close()
            await server.stop()
            return result
        } catch {
            connection.close()
            await server.stop()
            throw error
        }
    }

    private static func echo() -> GRPCMethods {
        var methods = GRPCMethods()
        methods.unary("/t.T/Echo") { (question: Plugin_StdioData, _) in question }
        methods.unary("/t.T/Fail") { (question: Plugin_StdioData, _) -> Plugin_Empty in
            throw GRPCStatus(.notFound, String(decoding: question.data, as: UTF8.self), errorSource: "downstream")
        }
        methods.stream("/t.T/Forever") { (_: Plugin_Empty, call) in
            while true { try await call.send([UInt8](repeating: 7, count: 1 << 16)) }
        }
        methods.addStanding {}
        return methods
    }

    @Test(arguments: [false, true])
    func questionsAreAnswered(_ usesTLS: Bool) async throws {
        try await serve(usesTLS: usesTLS, Self.echo()) { connection, _ in
            var question = Plugin_StdioData()
            for size in [0, 1, 65_535, 5 << 20] {
                question.data = Data(count: size)
                let answer: Plugin_StdioData = try await connection.unary("/t.T/Echo", question)
                #expect(answer.data.count == size)
            }
        }
    }

    @Test(arguments: ["", "plain", "100 %, ü, \n and \u{0}", String(repeating: "x", count: 4_096)])
    func failuresKeepTheirTextAndSource(_ text: String) async throws {
        try await serve(Self.echo()) { connection, _ in
            var question = Plugin_StdioData()
            question.data = Data(text.utf8)
            let failure = await #expect(throws: GRPCStatus.self) {
                let _: Plugin_Empty = try await connection.unary("/t.T/Fail", question)
            }
            #expect(failure == GRPCStatus(.notFound, text, errorSource: "downstream"))
        }
    }

    @Test func whatIsNoQuestionFailsAlone() async throws {
        try await serve(Self.echo()) { connection, _ in
            let unknown = await #expect(throws: GRPCStatus.self) {
                _ = try await connection.collect(GRPCRequest("/t.T/Nothing", message: []))
            }
            #expect(unknown?.code == .unimplemented)
            let malformed = await #expect(throws: GRPCStatus.self) {
                _ = try await connection.collect(GRPCRequest("/t.T/Echo", message: [0xff, 0xff, 0xff]))
            }
            #expect(malformed?.code == .internal)
            let large = await #expect(throws: GRPCStatus.self) {
                _ = try await connection.collect(
                    GRPCRequest("/t.T/Echo", message: [UInt8](repeating: 0, count: GRPCServer.largestQuestion + 1)))
            }
            #expect(large?.code == .resourceExhausted)
            let answer: Plugin_StdioData = try await connection.unary("/t.T/Echo", Plugin_StdioData())
            #expect(answer == Plugin_StdioData())
        }
    }

    @Test func aSlowHostSlowsThePluginDown() async throws {
        let sent = Mutex(0)
        let over = AsyncStream<Void>.makeStream()
        var methods = GRPCMethods()
        methods.stream("/t.T/Count") { (_: Plugin_Empty, call) in
            call.whenOver { over.continuation.yield() }
            while true {
                try await call.send([UInt8](repeating: 7, count: 1 << 20))
                sent.withLock { $0 += 1 }
            }
        }
        try await serve(methods) { connection, _ in
            let reader = PacedReader(pauseAfter: 1)
            let call = connection.begin(GRPCRequest("/t.T/Count", message: []), reader: reader)
            await reader.count(1)
            // A window of 4 MiB, one message in the server, one at its limit, and what the sockets hold.
            #expect(sent.withLock { $0 } < 16)
            call.resume()
            await reader.count(2)
            call.cancel()
            let failure = await reader.end()
            #expect(failure?.code == .cancelled)
            for await _ in over.stream { break }
        }
    }

    @Test func aDeadlineEndsTheCallOnBothSides() async throws {
        try await serve(Self.echo()) { connection, _ in
            var request = GRPCRequest("/plugin.GRPCStdio/StreamStdio", message: [], timeout: .milliseconds(50))
            request.isTimed = false
            let failure = await #expect(throws: GRPCStatus.self) { _ = try await connection.collect(request) }
            #expect(failure?.code == .deadlineExceeded)
        }
    }

    @Test func theEndOfTheServerEndsItsCalls() async throws {
        let path = try await serve(Self.echo()) { connection, server in
            let reader = PacedReader(pauseAfter: 1_000_000)
            _ = connection.begin(GRPCRequest("/plugin.GRPCStdio/StreamStdio", message: []), reader: reader)
            let health: Grpc_Health_V1_HealthCheckResponse = try await connection.unary(
                "/grpc.health.v1.Health/Check", Grpc_Health_V1_HealthCheckRequest())
            #expect(health.status == .serving)
            await server.stop()
            let failure = await reader.end()
            #expect(failure?.code == .unavailable)
            return "\(server.address)"
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func aShutdownIsAnsweredFirst() async throws {
        let asked = AsyncStream<Void>.makeStream()
        var methods = GRPCMethods()
        methods.addStanding { asked.continuation.yield() }
        try await serve(methods) { connection, _ in
            let answer: Plugin_Empty = try await connection.unary("/plugin.GRPCController/Shutdown", Plugin_Empty())
            #expect(answer == Plugin_Empty())
            for await _ in asked.stream { break }
        }
    }

    @Test func aHostWithoutTheCertificateIsTurnedAway() async throws {
        let plugin = try PluginIdentity()
        let server = try await GRPCServer.start(
            at: .ports(20_000...65_000), tls: plugin.serverTLS(trusting: try PluginIdentity().certificatePEM),
            methods: Self.echo(), on: Self.group)
        let stranger = try PluginIdentity()
        let failure = await #expect(throws: GRPCStatus.self) {
            let connection = try await GRPCConnection.connect(
                to: server.address, tls: try stranger.tls(trusting: plugin.certificateDER), on: Self.group)
            defer { connection.close() }
            let _: Plugin_StdioData = try await connection.unary("/t.T/Echo", Plugin_StdioData())
        }
        #expect(failure?.code == .unavailable)
        await server.stop()
    }

    @Test func theSocketIsItsOwnersAlone() async throws {
        try await serve(Self.echo()) { _, server in
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(server.address)")
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test func placesWhereNobodyCanListenAreNamed() async throws {
        let nowhere = await #expect(throws: ListenError.self) {
            _ = try await GRPCServer.start(at: .folder("/nowhere"), methods: Self.echo(), on: Self.group)
        }
        #expect(nowhere.map { "\($0)" }?.contains("'/nowhere': No such file") == true)
        let long = await #expect(throws: ListenError.self) {
            _ = try await GRPCServer.start(
                at: .folder("/" + String(repeating: "x", count: 100)), methods: Self.echo(), on: Self.group)
        }
        #expect(long.map { "\($0)" }?.contains("too long") == true)
    }

    // MARK: Values

    @Test func whatAHostOffersIsRead() {
        let plain = HandshakeOffer(environment: ["grafana_plugin_type": "datasource", "TMPDIR": "/x"])
        #expect(plain.isFromHost && plain.certificate == nil && plain.socketFolder == "/x")
        #expect(plain.ports == 10_000...25_000 && !plain.asksForMultiplexing)
        let full = HandshakeOffer(environment: [
            "grafana_plugin_type": "panel", "PLUGIN_CLIENT_CERT": "pem", "PLUGIN_UNIX_SOCKET_DIR": "/s",
            "TMPDIR": "/x", "PLUGIN_MIN_PORT": "30000", "PLUGIN_MAX_PORT": "20", "PLUGIN_MULTIPLEX_GRPC": "true",
        ])
        #expect(!full.isFromHost && full.certificate == "pem" && full.socketFolder == "/s")
        #expect(full.ports == 30_000...30_000 && full.asksForMultiplexing)
    }

    @Test func aHandshakeIsPrintedAsItIsRead() throws {
        let certificate = (0..<100).map { UInt8($0) }
        for line in [
            HandshakeLine(address: .unix(path: "/tmp/plugin1")),
            HandshakeLine(address: .tcp(host: "127.0.0.1", port: 10_000), certificate: certificate),
        ] {
            #expect(try HandshakeLine(parsing: line.text()) == line)
        }
        #expect(HandshakeLine(address: .unix(path: "/s")).text(tellsMultiplexing: true) == "1|2|unix|/s|grpc||false")
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 63, 64, 65])
    func base64IsWrittenAsItIsRead(_ count: Int) {
        let bytes = (0..<count).map { UInt8($0 * 37 & 255) }
        #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        let expected = Data(bytes).base64EncodedString().replacingOccurrences(of: "=", with: "")
        #expect(Base64.encode(bytes) == expected)
    }

    @Test func timeoutsAreReadAsTheyAreWritten() {
        for duration in [Duration.seconds(1), .milliseconds(1_500), .nanoseconds(1), .seconds(90_000_000)] {
            #expect(Duration(grpcText: duration.grpcText) == duration)
        }
        #expect(Duration(grpcText: "2H") == .seconds(7_200))
        for text in ["", "1", "S", "-1S", "123456789S", "1x", "1.5S"] { #expect(Duration(grpcText: text) == nil) }
    }
}
