// SPDX-License-Identifier: Apache-2.0

/// Messages that a process may send beside the results of its calls, which have bounds of their own: log lines, notices,
/// heads, errors, and whatever comes for calls that have ended.
///
/// Reading them costs the server time, so a process that does nothing else has to end.
struct WordBudget: Sendable {
    /// At once.
    static let burst = 10_000.0
    /// In each second after that.
    static let rate = 1_000.0
    /// That each call brings along: a plugin that is asked more may say more.
    static let perCall = 20.0

    private var left = Self.burst
    private var filledAt: Int64?

    /// A call began.
    mutating func callBegan() { left = min(Self.burst, left + Self.perCall) }

    /// Counts one message; the time is that of the monotonic clock, in nanoseconds.
    ///
    /// - Returns: false when it is one too many.
    mutating func spend(at now: Int64) -> Bool {
        let elapsed = Double(now &- (filledAt ?? now)) / 1e9
        left = min(Self.burst, left + Self.rate * max(0, elapsed)) - 1
        filledAt = now
        return left >= 0
    }
}
