// SPDX-License-Identifier: Apache-2.0
import Foundation
import GoPlugin
import NIOPosix
import Processes
import Synchronization
import TestSupport
import Testing

/// A plugin that hashicorp's go-plugin serves, built from Debian's packages once and kept in `.build`.
enum GoPeer {
    static let program: Task<String, any Error> = Task {
        let folder = Fixtures.root.appending(path: ".build/peers").path
        let peer = "\(folder)/go-plugin-peer"
        let script = Fixtures.root.appending(path: "Tests/Peers/go-plugin/build.sh").path
        let (status, output) = try await Tool.run("sh", [script, folder], seconds: 600)
        guard status == 0 else { throw RealServerError("the Go plugin was not built: \(output)") }
        return peer
    }

    /// A supervisor of the peer, which is started.
    static func start(
        environment: [String: String] = [:], usesTLS: Bool = false, heartbeat: Heartbeat = Heartbeat(),
        log: LogBook = LogBook()
    ) async throws -> PluginSupervisor {
        let path = try await program.value
        let variables = PluginLaunch.handshakeEnvironment.merging(environment) { $1 }
        var launch = PluginLaunch(
            ProcessLaunch(path: path, environment: variables.map { "\($0.key)=\($0.value)" }), usesTLS: usesTLS)
        launch.heartbeat = heartbeat
        let supervisor = PluginSupervisor(launch, on: MultiThreadedEventLoopGroup.singleton) {
            log.write($0)
        } news: {
            log.tell($0)
        }
        try await supervisor.start()
        return supervisor
    }
}

/// What a plugin logged, and what its supervisor told.
final class LogBook: Sendable {
    private struct State {
        var lines: [PluginLogLine] = []
        var starts = 0
        var waiting: [(Int, CheckedContinuation<Void, Never>)] = []
    }
    private let state = Mutex(State())

    var lines: [PluginLogLine] { state.withLock { $0.lines } }
    func write(_ line: PluginLogLine) { state.withLock { $0.lines.append(line) } }

    func tell(_ news: PluginSupervisor.News) {
        guard case .started = news else { return }
        let ready = state.withLock { state in
            state.starts += 1
            let ready = state.waiting.filter { $0.0 <= state.starts }
            state.waiting.removeAll { $0.0 <= state.starts }
            return ready
        }
        for (_, continuation) in ready { continuation.resume() }
    }

    /// Waits until the plugin has been started so often.
    func starts(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard state.starts < count else { return true }
                state.waiting.append((count, continuation))
                return false
            }
            if isOver { continuation.resume() }
        }
    }
}
