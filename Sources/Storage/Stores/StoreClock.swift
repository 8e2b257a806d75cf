// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// Where the stores take the time from; tests give their own.
public struct StoreClock: Sendable {
    /// The current time.
    public let now: @Sendable () -> Date

    /// Creates a clock.
    public init(now: @escaping @Sendable () -> Date) {
        self.now = now
    }

    /// The system's clock.
    public static let system = StoreClock { Date() }
}
