// SPDX-License-Identifier: Apache-2.0
import UnixSignals

/// Ctrl-C and SIGTERM as a cancelled task, so that work is undone before the program ends.
enum Interruption {
    /// - Throws: `CancellationError` after a signal, and what the work throws.
    static func ending(_ work: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
            group.addTask {
                try await work()
                return true
            }
            group.addTask {
                for await _ in signals { return false }
                return false
            }
            let isDone = try await group.next() ?? false
            group.cancelAll()
            // After a signal the work undoes what it did, or it had ended just then.
            if !isDone, try await group.next() != true { throw CancellationError() }
        }
    }
}
