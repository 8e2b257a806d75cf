// SPDX-License-Identifier: Apache-2.0
import NIOPosix
import Synchronization

/// Work on files, on threads of its own, that a cancelled task stops.
enum Blocking {
    /// Tells work on another thread to stop.
    final class StopFlag: Sendable {
        private let isSet = Atomic<Bool>(false)

        func set() { isSet.store(true, ordering: .relaxed) }

        /// - Throws: `CancellationError` once the task is cancelled.
        func check() throws { if isSet.load(ordering: .relaxed) { throw CancellationError() } }
    }

    static func run<Value: Sendable>(_ body: @escaping @Sendable (StopFlag) throws -> Value) async throws -> Value {
        let flag = StopFlag()
        return try await withTaskCancellationHandler {
            try await NIOThreadPool.singleton.runIfActive { try body(flag) }
        } onCancel: {
            flag.set()
        }
    }
}
