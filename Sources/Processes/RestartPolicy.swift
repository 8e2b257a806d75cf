// SPDX-License-Identifier: Apache-2.0

/// When a process that failed is started again.
///
/// It is started at once after its first failure, then after 1, 5 and 30 seconds. Five failures within ten minutes open the
/// breaker: nothing is started until they are old, or the plugin is loaded again. Calls wait for a start that is near;
/// for another one they are told when it is, as people and alerts had better know.
package struct RestartPolicy: Sendable {
    /// What to do when a process is needed.
    package enum Decision: Sendable, Equatable {
        /// Start it at that time, which may have passed.
        case start(at: Int64)
        /// It failed too often; it may be tried again at that time.
        case refuse(until: Int64)
    }

    package static let pauses: [Int64] = [0, 1, 5, 30].map { $0 * 1_000_000_000 }
    package static let maxFailures = 5
    /// The longest pause that a call waits for.
    package static let patience: Int64 = 1_000_000_000
    package static let memory: Int64 = 600 * 1_000_000_000

    private var failures: [Int64] = []

    /// Nothing has failed yet.
    package init() {}

    /// Notes that a process failed; times are those of the monotonic clock, in nanoseconds.
    package mutating func failed(at now: Int64) {
        failures.append(now)
        forget(now)
    }

    /// What to do now.
    package mutating func decide(at now: Int64) -> Decision {
        forget(now)
        guard let last = failures.last else { return .start(at: now) }
        guard failures.count < Self.maxFailures else { return .refuse(until: failures[0] &+ Self.memory) }
        return .start(at: last &+ Self.pauses[min(failures.count, Self.pauses.count) - 1])
    }

    private mutating func forget(_ now: Int64) {
        failures.removeAll { $0 &+ Self.memory <= now }
        if failures.count > Self.maxFailures { failures.removeFirst(failures.count - Self.maxFailures) }
    }
}
