// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Glibc
import Synchronization

/// A failure to run or to talk to a real program.
package struct RealServerError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// A program that runs for a test and never outlives it.
///
/// A shell stands between: it kills the program, by its pid, as soon as its leash (a socket) closes. That happens when the
/// test ends the program, and also when the test process dies.
package final class LeashedProgram: Sendable {
    private struct State {
        var leash: Int32
        var exitStatus: Int32?
    }

    /// Of the program itself, for signals.
    package let pid: pid_t
    private let shell: pid_t
    private let log: URL
    private let state: Mutex<State>

    private static let script = """
        exec 4<&0
        "$@" </dev/null 4<&- & child=$!
        echo $child >&4
        { read line; kill -9 $child; } <&4 >/dev/null 2>&1 & guard=$!
        wait $child; code=$?
        kill $guard
        exit $code
        """

    /// Starts a program, by its path or found in PATH.
    ///
    /// - Parameters:
    ///   - environment: Variables to set beside those of the test.
    ///   - log: The file that gets what the program prints.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], log: URL
    ) throws {
        var ends: [Int32] = [0, 0]
        // A socket pair, as it is close-on-exec from the start: no other child may hold the leash.
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw RealServerError("no socket pair: errno \(errno)")
        }
        defer { close(ends[0]) }
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let words = ["sh", "-c", Self.script, "sh", "env"] + variables + [program] + arguments
        do {
            shell = try Self.spawn(words, input: ends[0], log: log)
            pid = try Self.readPID(ends[1], program)
        } catch {
            close(ends[1])
            throw error
        }
        self.log = log
        state = Mutex(State(leash: ends[1]))
    }

    deinit { end() }

    private static func spawn(_ words: [String], input: Int32, log: URL) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log.path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Threads of Swift's pool block signals; a shell that inherited this would never hear that its child ended.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var shell: pid_t = 0
        let status = posix_spawnp(&shell, "sh", &actions, &attributes, &arguments, environ)
        guard status == 0 else { throw RealServerError("cannot start \(words): errno \(status)") }
        return shell
    }

    /// The shell's first words on the leash are the program's pid.
    private static func readPID(_ leash: Int32, _ program: String) throws -> pid_t {
        var text: [UInt8] = []
        var byte: UInt8 = 0
        while recv(leash, &byte, 1, 0) == 1, byte != 10 { text.append(byte) }
        guard let pid = pid_t(String(decoding: text, as: UTF8.self)) else {
            throw RealServerError("the shell did not start \(program)")
        }
        return pid
    }

    /// Everything that the program printed.
    package var output: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// What the program printed last.
    package var lastWords: String { String(output.suffix(2000)) }

    /// Whether the program still runs.
    package var isRunning: Bool { exitStatusNow == nil }

    /// Sends a signal to the program unless it has ended.
    package func signal(_ number: Int32) {
        if isRunning { kill(pid, number) }
    }

    /// The exit code, 128 and the signal's number when a signal ended the program; nil while it runs.
    package var exitStatusNow: Int32? {
        state.withLock { state in
            if state.exitStatus == nil {
                var status: Int32 = 0
                if waitpid(shell, &status, WNOHANG) == shell { state.exitStatus = (status >> 8) & 0xFF }
            }
            return state.exitStatus
        }
    }

    /// Waits until the program has ended.
    ///
    /// - Throws: ``RealServerError`` when that takes longer than `seconds`.
    package func exitStatus(within seconds: Int = 30) async throws -> Int32 {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if let status = exitStatusNow { return status }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw RealServerError("process \(pid) did not end within \(seconds) s; it says: \(lastWords)")
    }

    /// Kills the program and waits until it is gone.
    package func end() {
        state.withLock { state in
            if state.leash >= 0 { close(state.leash) }
            state.leash = -1
            guard state.exitStatus == nil else { return }
            var status: Int32 = 0
            while waitpid(shell, &status, 0) < 0, errno == EINTR {}
            state.exitStatus = (status >> 8) & 0xFF
        }
    }
}
