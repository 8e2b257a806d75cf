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
        var report: (@Sendable (SpawnError) -> Void)?
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
        let (ended, program) = state.withLock { state -> (Guardian?, String?) in
            let ended = state.guardian.flatMap { $0.hasEnded ? $0 : nil }
            if ended != nil { state.guardian = nil }
            return (ended, state.guardian == nil && !state.program.isEmpty ? state.program : nil)
        }
        if let ended {
            var usage = linux_usage_t()
            _ = linux_wait(ended.pidDescriptor, &usage)
            for descriptor in [ended.pidDescriptor, ended.socket] { close(descriptor) }
        }
        // Outside of the lock, which others take when a process ends.
        if let program { adopt(Result { () throws(SpawnError) in try start(program) }) }
        return state.withLock { $0.guardian?.socket ?? -1 }
    }

    /// One that cannot be started is tried again with the next process, and told of once.
    private static func adopt(_ started: Result<Guardian, SpawnError>) {
        switch started {
        case .success(let guardian):
            state.withLock { state in
                state.guardian = guardian
                for group in state.groups { tell(state, group) }
            }
        case .failure(let error):
            let report = state.withLock { state in
                defer { state.report = nil }
                return state.report
            }
            report?(error)
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

    /// One that does not listen any more is ended, and replaced with the next process: it would know wrong numbers.
    private static func tell(_ state: State, _ number: Int32) {
        guard let guardian = state.guardian, linux_send_number(guardian.socket, number) != 0 else { return }
        _ = linux_signal_program(guardian.pidDescriptor, SIGKILL)
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
