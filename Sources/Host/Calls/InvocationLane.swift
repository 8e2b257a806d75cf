// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Lets one invocation of plugin code run at a time: the lane of an instance, or of a whole library.
///
/// Who finds the lane free runs; who finds it taken leaves the work to the one who has it.
final class InvocationLane: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// Runs the work now, or leaves it to the thread that has the lane.
    func run(_ work: @escaping @Sendable () -> Void) {
        let runsHere = state.withLock { state in
            guard !state.isTaken else {
                state.waiting.append(work)
                return false
            }
            state.isTaken = true
            return true
        }
        guard runsHere else { return }
        work()
        while let next = nextOrLeave() { next() }
    }

    private func nextOrLeave() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
    }
}
