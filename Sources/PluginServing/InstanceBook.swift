// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Which data sources were asked last: Grafana does not tell a plugin that one was deleted, so that those that nobody has
/// asked for longest make room.
final class InstanceBook: Sendable {
    struct Key: Hashable, Sendable {
        var orgID: Int64
        var uid: String
    }

    private struct State {
        var uses: [Key: UInt64] = [:]
        var count: UInt64 = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: How many may have instances.
    init(limit: Int = 1_000) { self.limit = limit }

    /// Notes a use.
    ///
    /// - Returns: The source whose instance has to go.
    func used(orgID: Int64, uid: String) -> Key? {
        state.withLock { state in
            state.count += 1
            state.uses[Key(orgID: orgID, uid: uid)] = state.count
            guard state.uses.count > limit, let oldest = state.uses.min(by: { $0.value < $1.value })?.key else {
                return nil
            }
            state.uses[oldest] = nil
            return oldest
        }
    }
}
