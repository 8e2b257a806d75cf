// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Objects that a plugin names by numbers; a number is never used twice.
final class HandleTable<Value: Sendable>: Sendable {
    private struct State {
        var next: UInt64 = 1
        var all: [UInt64: Value] = [:]
    }

    private let state = Mutex(State())

    func add(_ value: Value) -> UInt64 {
        state.withLock { state in
            defer { state.next += 1 }
            state.all[state.next] = value
            return state.next
        }
    }

    @discardableResult
    func remove(_ handle: UInt64) -> Value? { state.withLock { $0.all.removeValue(forKey: handle) } }

    var isEmpty: Bool { state.withLock { $0.all.isEmpty } }

    subscript(handle: UInt64) -> Value? { state.withLock { $0.all[handle] } }
}
