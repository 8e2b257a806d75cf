// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization

/// What is executed.
package struct Program: Sendable {
    /// The file that was verified, open for reading; executed instead of `path` when there is one.
    package var descriptor: Int32?
    /// Keeps `descriptor` open.
    package var owner: (any Sendable)?
    /// Where the program lies: its `argv[0]`.
    package var path: String
    /// Everything that the program finds in its environment.
    package var environment: [String: String]

    /// Makes a description.
    package init(
        path: String, descriptor: Int32? = nil, owner: (any Sendable)? = nil, environment: [String: String] = [:]
    ) {
        self.path = path
        self.descriptor = descriptor
        self.owner = owner
        self.environment = environment
    }
}

/// How a process ended.
package enum ExitStatus: Sendable, Equatable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)

    /// Such as `exit status 1`.
    package var description: String {
        switch self {
        case .exited(let code): "exit status \(code)"
        case .signalled(let number): "signal \(number)" + (Self.names[number].map { " (\($0))" } ?? "")
        }
    }

    private static let names: [Int32: String] = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGILL: "SIGILL", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE",
        SIGKILL: "SIGKILL", SIGSEGV: "SIGSEGV", SIGPIPE: "SIGPIPE", SIGTERM: "SIGTERM", SIGSYS: "SIGSYS",
    ]
}

/// A process that was started; its end of the pipes is ours to read.
struct SpawnedProcess: Sendable {
    var pid: Int32
    /// Names the process also when its number is used again.
    var pidfd: Int32
    var output: Int32
    var errors: Int32
}

/// Starts programs, all on one thread that never ends: the kernel kills a plugin when the *thread* that started it ends.
///
/// Safety: `jobs` is guarded by its mutex, which the condition goes with.
final class ProgramSpawner: @unchecked Sendable {
    static let shared = ProgramSpawner()

    private let jobs: ThreadQueue

    private init() {
        jobs = ThreadQueue(name: "plugin-spawner")
    }

    /// Starts a program.
    ///
    /// - Throws: ``SpawnError``.
    func spawn(_ program: Program) async throws(SpawnError) -> SpawnedProcess {
        let result: Result<SpawnedProcess, SpawnError> = await withCheckedContinuation { continuation in
            jobs.submit { continuation.resume(returning: Self.start(program)) }
        }
        return try result.get()
    }

    private static func start(_ program: Program) -> Result<SpawnedProcess, SpawnError> {
        var output: [Int32] = [-1, -1]
        var errors: [Int32] = [-1, -1]
        guard linux_program_pipe(&output) == 0 else { return .failure(SpawnError(step: "pipe", number: errno)) }
        guard linux_program_pipe(&errors) == 0 else {
            let number = errno
            output.forEach { close($0) }
            return .failure(SpawnError(step: "pipe", number: number))
        }
        defer {
            close(output[1])
            close(errors[1])
        }
        let environment = program.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        var pidfd: Int32 = -1
        let attempt = { () -> Int32 in
            withCStrings([program.path]) { arguments in
                withCStrings(environment) { variables in
                    linux_start_program(
                        program.path, program.descriptor ?? -1, arguments, variables, output[1], errors[1], &pidfd)
                }
            }
        }
        var pid = attempt()
        // A process that is being started elsewhere may have inherited the descriptor that the file was written with.
        for _ in 0..<20 where pid <= 0 && errno == ETXTBSY {
            usleep(10_000)
            pid = attempt()
        }
        guard pid > 0 else {
            let number = errno
            close(output[0])
            close(errors[0])
            return .failure(SpawnError(step: "execute", number: number))
        }
        return .success(SpawnedProcess(pid: pid, pidfd: pidfd, output: output[0], errors: errors[0]))
    }

    private static func withCStrings<R>(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        var pointers = texts.map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        return pointers.withUnsafeMutableBufferPointer { buffer in
            // '!' is fine: there is at least the nil at the end
            body(UnsafePointer(buffer.baseAddress!))
        }
    }
}

/// Why a program was not started.
package struct SpawnError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What failed.
    package var step: String
    /// The `errno`.
    package var number: Int32

    /// The system's words.
    package var description: String { "\(step): \(String(cString: strerror(number)))" }
}
