// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A program that is started, and what it finds there.
package struct ProcessLaunch: Sendable {
    /// Where the program lies.
    package var path: String
    /// The file that was verified, open for reading; executed instead of `path` when there is one.
    package var image: Int32?
    /// Keeps `image` open.
    package var owner: (any Sendable)?
    /// All arguments, the name of the program first.
    package var arguments: [String]
    /// Everything that the program finds in its environment, as `NAME=value`.
    package var environment: [String]
    /// What becomes descriptors 3, 4…; the caller's own stay open.
    package var descriptors: [Int32]
    /// The control group that the process joins.
    package var group: ControlGroup?

    /// Describes a program without arguments that finds nothing.
    package init(
        path: String, image: Int32? = nil, owner: (any Sendable)? = nil, arguments: [String] = [],
        environment: [String] = [], descriptors: [Int32] = [], group: ControlGroup? = nil
    ) {
        self.path = path
        self.image = image
        self.owner = owner
        self.arguments = arguments.isEmpty ? [path] : arguments
        self.environment = environment
        self.descriptors = descriptors
        self.group = group
    }
}

/// Why a program was not started.
package struct SpawnError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What failed.
    package var step: String
    /// The `errno`.
    package var number: Int32

    /// Names the step and the system's reason.
    package init(step: String, number: Int32) {
        self.step = step
        self.number = number
    }

    /// The system's words.
    package var description: String { "\(step): \(String(cString: strerror(number)).lowercased())" }
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
