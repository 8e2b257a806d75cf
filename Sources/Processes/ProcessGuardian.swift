// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization

/// Ends what plugins have started when the server is gone, however it ended: with `kill -9`, too.
///
/// The kernel ends the plugins themselves then, but not their children. So another process knows the process groups of all
/// plugins and waits for its socket to close. A plugin that leaves its group is not found.
package enum ProcessGuardian {
    private struct State {
        var program = ""
        var report: @Sendable (SpawnError) -> Void = { _ in }
        var guardian: Guardian?
        /// The process groups of all plugins that run.
        var groups: Set<Int32> = []
    }

    private struct Guardian {
        var processID: Int32
        var pidDescriptor: Int32
        var socket: Int32

        var hasEnded: Bool {
            var wait = pollfd(fd: pidDescriptor, events: Int16(POLLIN), revents: 0)
            return poll(&wait, 1, 0) > 0
        }
    }

    /// How long it may take to say that it is there, in milliseconds.
    private static let patience: Int32 = 2_000
    private static let state = Mutex(State())

    /// Names the program that guards, `grafana-plugin-runner`; it is started with the first plugin.
    ///
    /// - Parameter report: told once when it cannot be started; nobody guards then.
    package static func use(program: String, report: @escaping @Sendable (SpawnError) -> Void) {
        state.withLock { state in
            guard state.program.isEmpty else { return }
            state.program = program
            state.report = report
        }
    }

    /// The number of its process; nil when there is none.
    package static var processID: Int32? { state.withLock { $0.guardian?.processID } }

    /// The socket that takes the numbers of process groups; -1 when nobody guards.
    ///
    /// Starts the guardian when it is not there, or not any more; blocks meanwhile. Only for the thread that starts
    /// processes, which lives as long as the server.
    static func socket() -> Int32 {
        state.withLock { state in
            if let guardian = state.guardian, guardian.hasEnded {
                var usage = linux_usage_t()
                _ = linux_wait(guardian.pidDescriptor, &usage)
                for descriptor in [guardian.pidDescriptor, guardian.socket] { close(descriptor) }
                state.guardian = nil
            }
            guard state.guardian == nil, !state.program.isEmpty else { return state.guardian?.socket ?? -1 }
            do throws(SpawnError) {
                state.guardian = try start(state.program)
                for group in state.groups { tell(state, group) }
            } catch {
                state.program = ""
                state.report(error)
            }
            return state.guardian?.socket ?? -1
        }
    }

    /// The group of a process that was started; the process itself has said so to the guardian.
    static func began(_ group: Int32) {
        state.withLock { _ = $0.groups.insert(group) }
    }

    /// A process is about to be waited for, after which its number may be another one's.
    static func ends(_ group: Int32) {
        state.withLock { state in
            if state.groups.remove(group) != nil { tell(state, -group) }
        }
    }

    /// One that cannot be told any more is replaced with the next process.
    private static func tell(_ state: State, _ number: Int32) {
        if let guardian = state.guardian { _ = linux_send_number(guardian.socket, number) }
    }

    private static func start(_ program: String) throws(SpawnError) -> Guardian {
        var pair: (ours: Int32, its: Int32) = (-1, -1)
        let nothing = open("/dev/null", O_WRONLY | O_CLOEXEC)
        guard nothing >= 0 else { throw SpawnError(step: "open /dev/null", number: errno) }
        defer { close(nothing) }
        let status = linux_packet_pair(&pair.ours, &pair.its)
        guard status == 0 else { throw SpawnError(step: "socketpair", number: status) }
        var pidDescriptor: Int32 = -1
        let launch = ProcessLaunch(
            path: program, arguments: [program, "--guardian", "\(getpid())"], descriptors: [pair.its])
        let processID = ProcessSpawner.start(launch, nothing, nothing, guardian: -1, &pidDescriptor)
        let failure = errno
        close(pair.its)
        guard processID > 0 else {
            close(pair.ours)
            throw SpawnError(step: "execute \(program)", number: failure)
        }
        // Until it says that it is there, the kernel would end it with the server.
        var number: Int32 = 0
        let silence = linux_receive_number(pair.ours, patience, &number)
        guard silence == 0 else {
            var usage = linux_usage_t()
            linux_kill_group(processID, pidDescriptor)
            _ = linux_wait(pidDescriptor, &usage)
            for descriptor in [pidDescriptor, pair.ours] { close(descriptor) }
            throw SpawnError(step: "hear from \(program)", number: silence)
        }
        return Guardian(processID: processID, pidDescriptor: pidDescriptor, socket: pair.ours)
    }
}
