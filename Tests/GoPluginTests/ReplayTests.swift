// SPDX-License-Identifier: Apache-2.0
import Foundation
import GoPlugin
import NIOPosix
import SwiftProtobuf
import Testing

/// The recorded byte streams of a real plugin, answered as a real host would.
struct ReplayTests {
    @Test func theRecordedConnectionIsReadToItsEnd() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "replay-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try ReplayServer(try Fixtures.bytes("wire/conn1.s2c.bin"), in: folder)
        let connection = try await GRPCConnection.connect(
            to: .unix(path: server.path), on: MultiThreadedEventLoopGroup.singleton)

        connection.begin(GRPCRequest("/plugin.GRPCStdio/StreamStdio", message: []), reader: Collector())
        var broker = GRPCRequest("/plugin.GRPCBroker/StartStream", message: [])
        broker.staysOpen = true
        connection.begin(broker, reader: Collector())
        let health: Pluginv2_CheckHealthResponse = try await connection.unary(
            "/pluginv2.Diagnostics/CheckHealth", Pluginv2_CheckHealthRequest())
        #expect(health.status == .ok)

        let tiny: Pluginv2_QueryDataResponse = try await query(connection)
        #expect(tiny.responses["A"]?.frames.count == 1)
        let large: Pluginv2_QueryDataResponse = try await query(connection)
        #expect(large.responses.values.first?.frames.first?.count ?? 0 > 170_000)
        let failure = await #expect(throws: GRPCStatus.self) {
            let _: Pluginv2_QueryDataResponse = try await query(connection)
        }
        #expect(failure?.code == .unknown)
        #expect(failure?.isLocal == false)
        #expect(["plugin", "downstream"].contains(failure?.errorSource))

        let packets = try await connection.collect(GRPCRequest("/pluginv2.Stream/RunStream", message: []))
        #expect(packets.count == 3)
        let ping: Grpc_Health_V1_HealthCheckResponse = try await connection.unary(
            "/grpc.health.v1.Health/Check", Grpc_Health_V1_HealthCheckRequest())
        #expect(ping.status == .serving)

        connection.close()
        await connection.waitUntilClosed()
        #expect(connection.hasEnded)
        let answered = server.frames.filter { $0.type == 6 && $0.flags & 1 == 1 }
        #expect(answered.count >= 5, "the PINGs before the last question are answered")
    }

    @Test func aConnectionWhoseStreamNumbersAreUsedUpTakesNoMoreCalls() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "streams-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try ReplayServer([], in: folder)
        let last = (1 << 31) - (1 << 16) - 1
        let connection = try await GRPCConnection.connect(
            to: .unix(path: server.path), firstStream: last, on: MultiThreadedEventLoopGroup.singleton)

        // Taken, and never answered.
        let running = connection.begin(GRPCRequest("/pluginv2.Data/QueryData", message: []), reader: Collector())
        let failure = await withCheckedContinuation { continuation in
            connection.begin(
                GRPCRequest("/pluginv2.Data/QueryData", message: []),
                reader: WholeMessageReader { _ in
                    true
                } onEnd: {
                    continuation.resume(returning: $0)
                })
        }
        #expect(failure?.code == .unavailable)
        #expect(connection.hasEnded)
        running.cancel()
        await connection.waitUntilClosed()
    }

    private func query(_ connection: GRPCConnection) async throws -> Pluginv2_QueryDataResponse {
        try await connection.unary("/pluginv2.Data/QueryData", Pluginv2_QueryDataRequest())
    }

    /// A server that is no HTTP/2 server at all.
    @Test func anotherProtocolIsAClearFailure() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "replay-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let garbage = [UInt8](repeating: 0x55, count: 9 + 0x55_5555 % 64)
        let server = try ReplayServer([0, 0, 1, 4, 0, 0, 0, 0, 0] + [1] + garbage, in: folder)
        let connection = try await GRPCConnection.connect(
            to: .unix(path: server.path), on: MultiThreadedEventLoopGroup.singleton)

        let failure = await #expect(throws: GRPCStatus.self) { _ = try await query(connection) }
        #expect(failure?.code == .unavailable)
        await connection.waitUntilClosed()
    }
}
