// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import GoPlugin
import NIOPosix
import Processes
import Testing

/// Programs that do not start as a plugin does.
struct StartTests {
    /// What `sh` runs, and the words of the refusal.
    static let programs: [(script: String, words: [String])] = [
        ("exit 7", ["without a handshake", "exit status 7"]),
        ("echo dying >&2; exit 1", ["without a handshake", "its last words: dying", "exit status 1"]),
        ("printf '1|2|unix'; exit 0", ["in the middle of its handshake: '1|2|unix'"]),
        ("echo hello; exec sleep 1000", ["not a handshake: 'hello'"]),
        ("echo '1|9|unix|/x|grpc|'; exec sleep 1000", ["version '9'"]),
        ("echo '1|2|unix|/nowhere/at/all|grpc|'; exec sleep 1000", ["/nowhere/at/all cannot be connected to"]),
        ("exec 1>&-; exec sleep 1000", ["without a handshake"]),
        ("kill -SEGV $$", ["signal 11 (SIGSEGV)"]),
    ]

    @Test(arguments: programs.indices)
    func failuresAreTold(_ index: Int) async throws {
        let error = try await start(Self.programs[index].script)

        for words in Self.programs[index].words { #expect("\(error)".contains(words), "\(error)") }
    }

    @Test func aProgramThatSaysNothingIsEnded() async throws {
        let error = try await start("echo $$ >&2; exec sleep 1000", timeout: .milliseconds(300))

        #expect(error.reason.contains("did not say within"))
        let pid = try #require(error.lastLines.first.flatMap(Int32.init))
        #expect(kill(pid, 0) == -1 && errno == ESRCH)
    }

    @Test func aServerOfAnotherProtocolIsRefused() async throws {
        let error = try await start(
            #"exec python3 -c 'import socket;s=socket.socket();s.bind(("127.0.0.1",0));s.listen();"#
                + #"print(f"1|2|tcp|127.0.0.1:{s.getsockname()[1]}|grpc",flush=True);"#
                + #"c,_=s.accept();c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"*9);c.recv(9);s.accept()'"#)

        #expect(error.reason.contains("its server does not answer as gRPC"), "\(error)")
    }

    @Test func aMissingProgramIsTold() async {
        let supervisor = PluginSupervisor(
            PluginLaunch(ProcessLaunch(path: "/nowhere/plugin")), on: MultiThreadedEventLoopGroup.singleton
        ) { _ in
        } news: { _ in
        }
        let error = await #expect(throws: PluginStartError.self) { try await supervisor.start() }

        #expect(error?.reason.contains("no such file or directory") == true)
    }

    @Test func whatAPluginStartedEndsWithIt() async throws {
        let error = try await start("sleep 1000 & echo $! >&2; exit 1")
        let pid = try #require(error.lastLines.first.flatMap(Int32.init))

        // It is killed before the plugin is reaped; it may still have to die, and init to reap it.
        let end = ContinuousClock.now + .seconds(20)
        var state: String?
        repeat {
            await Task.yield()
            state = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        } while state?.contains(") Z ") == false && ContinuousClock.now < end
        #expect(state == nil || state?.contains(") Z ") == true, "\(state ?? "")")
    }

    private func start(_ script: String, timeout: Duration = .seconds(20)) async throws -> PluginStartError {
        let file = FileManager.default.temporaryDirectory.appending(path: "start-\(UUID().uuidString).sh")
        try "#!/bin/sh\n\(script)\n".write(to: file, atomically: true, encoding: .utf8)
        chmod(file.path, 0o700)
        defer { try? FileManager.default.removeItem(at: file) }
        let program = ProcessLaunch(path: file.path, environment: ["PATH=/usr/bin:/bin"])
        let supervisor = PluginSupervisor(
            PluginLaunch(program, startTimeout: timeout), on: MultiThreadedEventLoopGroup.singleton
        ) { _ in
        } news: { _ in
        }
        return try #require(await #expect(throws: PluginStartError.self) { try await supervisor.start() })
    }
}
