// SPDX-License-Identifier: Apache-2.0

/// Waits until something has happened that nobody tells of, as in another program.
///
/// - Parameters:
///   - what: such as `the process is gone`.
///   - isolation: the caller's.
/// - Throws: ``Overdue``; what the condition throws.
public func eventually(
    _ what: String, within seconds: Int = 10, isolation: isolated (any Actor)? = #isolation,
    _ isSo: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try await isSo() { return }
        try await Task.sleep(for: .milliseconds(5))  // Reason: nobody tells
    }
    throw Overdue(what: what, seconds: seconds)
}

/// Something did not happen in time.
public struct Overdue: Error, CustomStringConvertible {
    let what: String
    let seconds: Int

    /// Such as `the process is gone: not within 10 s`.
    public var description: String { "\(what): not within \(seconds) s" }
}
