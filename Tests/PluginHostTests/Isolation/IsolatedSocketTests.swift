// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

@testable import PluginHost

/// `gf.websocket/1` for a C plugin that blocks: in the server's process, in one of its own, and in a sandbox.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct IsolatedSocketTests {
    static let levels: [IsolationLevel] = [.inProcess, .process, .sandbox]

    private func withPeer(
        at level: IsolationLevel, permissions: String = #"{"hosts": ["127.0.0.1"]}"#,
        limits: CallLimits = CallLimits(), _ body: (PryingPlugin, String) async throws -> Void
    ) async throws {
        let port = try LoopbackSocket.freePort()
        let log = FileManager.default.temporaryDirectory.appending(path: "peer-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let peer = try RealServer("python3", [WebSocketTests.tool, "\(port)"], port: port, log: log)
        defer { peer.end() }
        try await peer.wait(for: "/ready")
        try await PryingPlugin.run(at: level, permissions: permissions, limits: limits) {
            try await body($0, peer.url)
        }
    }

    private func talk(_ url: String, bytes: Int64 = 0) -> JSONObject {
        ["try": "talk", "text": .string(url), "number": .integer(bytes)]
    }

    /// GF-R-028: a message that is more than the window is taken, and the plugin waits for room.
    @Test(arguments: levels) func messagesGoBothWays(level: IsolationLevel) async throws {
        try await withPeer(at: level) { plugin, url in
            for (bytes, size) in [(0, "0"), (70_000, "70000"), (1 << 20, "1048576")] {
                let text = try await plugin.text(talk("\(url)/echo", bytes: Int64(bytes)))

                #expect(text == "open 101, 1 of 5, 2 of \(size), closed 4001 enough")
            }
        }
    }

    @Test(arguments: levels) func endsAreTold(level: IsolationLevel) async throws {
        try await withPeer(at: level) { plugin, url in
            for (path, wanted) in [
                ("/early-end", "open 101, 1 of 5, closed 1006 "), ("/silent-close", "open 101, closed 1005 "),
                ("/refuse", "open 400, 2 of 65536, closed 1005 "), ("/redirect", "open 302, closed 1005 "),
            ] {
                let text = try await plugin.text(talk(url + path))
                #expect(text == wanted, "\(path)")
            }
        }
    }

    /// GF-R-026, and the words of it at every level.
    @Test(arguments: levels) func failuresSayWhy(level: IsolationLevel) async throws {
        try await withPeer(at: level) { plugin, url in
            for (address, code, words) in [
                ("\(url)/bad-utf8", PluginError.Code.badData, "text that is not UTF-8"),
                ("\(url)/wrong-accept", .badData, "did not answer the handshake"),
                ("ftp://x", .invalid, "ftp://x"),
                // More than four windows are never taken.
            ] {
                let answer = try await plugin.answer(talk(address))
                #expect(answer.failures["A"]?.code == code, "\(answer)")
                #expect(answer.failures["A"]?.message.contains(words) == true, "\(answer)")
            }
            let large = try await plugin.answer(talk("\(url)/echo", bytes: 5 << 20))
            #expect(large.failures["A"]?.code == .limit, "\(large)")
        }
    }

    /// GF-R-028: the window is full and stays so; the plugin waits until its call is cancelled.
    @Test(arguments: levels) func aServerThatDoesNotReadHoldsThePluginBack(level: IsolationLevel) async throws {
        let limits = CallLimits(time: .seconds(3), grace: .seconds(20))
        try await withPeer(at: level, limits: limits) { plugin, url in
            // Three windows: with the few bytes that are sent before them, four would be one too many.
            let answer = try await plugin.answer(talk("\(url)/deaf", bytes: 3 << 20))

            #expect((answer.error ?? answer.failures["A"])?.code == .timeout, "\(answer)")
            #expect(plugin.test.platform.plugin(id: PryingPlugin.id)?.callsAbandoned == 0)
        }
    }

    /// GF-R-025: whatever the process did with it, a socket ends with its call.
    @Test func aProcessThatDiesLeavesNoSocket() async throws {
        let limits = CallLimits(time: .seconds(4), grace: .seconds(20))
        try await withPeer(at: .process, limits: limits) { plugin, url in
            let sockets = try #require(
                plugin.test.platform.registry[PryingPlugin.id]?.generation?.library.runtime.sockets)
            let process = try await plugin.processID()
            async let answer = plugin.answer(talk("\(url)/wait"))
            try await eventually("the socket is open") { !sockets.isEmpty }

            kill(process, SIGKILL)
            // The query is asked once more, and waits in the next process.
            let ended = try await answer
            let error = ended.error ?? ended.failures["A"]

            #expect(error?.code == .timeout, "\(String(describing: error))")
            try await eventually("no socket is left") { sockets.isEmpty }
        }
    }

    @Test func aSandboxReachesPermittedHostsAlone() async throws {
        try await withPeer(at: .sandbox, permissions: "{}") { plugin, url in
            let refused = try await plugin.answer(talk("\(url)/echo"))
            var source = plugin.source
            source.settings.url = url
            source.version = 2
            let own = try await plugin.text(talk("/echo"), of: source)

            #expect(refused.failures["A"]?.code == .forbidden)
            #expect(refused.failures["A"]?.message.contains("permissions") == true, "\(refused)")
            #expect(own == "open 101, 1 of 5, 2 of 0, closed 4001 enough")
        }
    }
}
