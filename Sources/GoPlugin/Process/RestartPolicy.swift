// SPDX-License-Identifier: Apache-2.0

/// When a plugin whose process ended is started again: at once, then after 1, 5 and 30 seconds, then not.
///
/// A process that failed long ago does not count any more.
package struct RestartPolicy: Sendable {
    /// What to do about a failure.
    package enum Decision: Sendable, Equatable {
        case restart(after: Duration)
        /// Too many failures: nothing is started until ``mayTry(at:)``.
        case stop
    }

    private static let delays: [Duration] = [.zero, .seconds(1), .seconds(5), .seconds(30)]
    private static let limit = 5
    private static let memory = Duration.seconds(600)

    private var failures: [ContinuousClock.Instant] = []

    package init() {}

    /// Failures that still count.
    package var count: Int { failures.count }

    /// The process ended, or did not start.
    package mutating func failed(at now: ContinuousClock.Instant) -> Decision {
        forget(now)
        failures.append(now)
        guard failures.count < Self.limit else { return .stop }
        return .restart(after: Self.delays[min(failures.count, Self.delays.count) - 1])
    }

    /// Whether a plugin that was stopped may be tried again.
    package mutating func mayTry(at now: ContinuousClock.Instant) -> Bool {
        forget(now)
        return failures.count < Self.limit
    }

    private mutating func forget(_ now: ContinuousClock.Instant) {
        failures.removeAll { now - $0 >= Self.memory }
    }
}
