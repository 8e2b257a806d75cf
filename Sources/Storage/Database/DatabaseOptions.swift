// SPDX-License-Identifier: Apache-2.0
public import Logging

/// How a database is opened.
public struct DatabaseOptions: Sendable {
    /// Who opens the database.
    public enum Role: Sendable {
        /// The server: takes the lock beside the file, refuses when another server has it, and runs migrations.
        case server
        /// A short command such as a password reset: works beside a running server, and migrates only when none runs.
        case tool
    }

    /// Who opens the database.
    public var role = Role.server
    /// Number of threads and connections for reading, 1…64.
    public var readers = 2
    /// How long a statement waits for a lock that another program holds.
    public var busyTimeout = Duration.seconds(5)
    /// Where the database reports migrations and odd facts.
    public var logger = Logger(label: "grafana.storage")

    /// Creates the defaults.
    public init() {}
}
