// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Sends requests to cancel, a few at a time: a server may let the one who asks wait for ever.
final class SQLCancellations: Sendable {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var threads = 0
    }

    /// So many threads a data source may lose to a server that accepts a request and never ends it.
    static let maximumThreads = 8
    /// More are left out: then the line is cut, and the server finds out by itself.
    static let maximumWaiting = 1000

    private let state = Mutex(State())

    /// Runs a request that may block, soon.
    func add(_ request: @escaping @Sendable () -> Void) {
        let starts = state.withLock { state in
            guard state.waiting.count < Self.maximumWaiting else { return false }
            state.waiting.append(request)
            guard state.threads < Self.maximumThreads else { return false }
            state.threads += 1
            return true
        }
        guard starts else { return }
        do {
            try DetachedThread.start { self.work() }
        } catch {
            state.withLock { $0.threads -= 1 }
        }
    }

    private func work() {
        while true {
            let next: (@Sendable () -> Void)? = state.withLock { state in
                guard !state.waiting.isEmpty else {
                    state.threads -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            guard let next else { return }
            next()
        }
    }
}
