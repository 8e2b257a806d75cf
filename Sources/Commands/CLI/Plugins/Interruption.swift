// SPDX-License-Identifier: Apache-2.0
import Glibc
import UnixSignals

/// Ctrl-C and SIGTERM as a cancelled task, so that work is undone before the program ends.
///
/// A signal that the program inherited as ignored stays so: `nohup` means that it goes on without its terminal.
enum Interruption {
    /// - Throws: `CancellationError` after a signal, and what the work throws.
    static func ending(_ work: @escaping @Sendable () async throws -> Void) async throws {
        let trapped = [UnixSignal.sigint, .sigterm, .sighup].filter { !isIgnored($0.rawValue) }
        guard !trapped.isEmpty else { return try await work() }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            let signals = await UnixSignalsSequence(trapping: trapped)
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

    private static func isIgnored(_ signal: Int32) -> Bool {
        var present = sigaction()
        guard sigaction(signal, nil, &present) == 0 else { return false }
        // SIG_IGN is the number 1, no function that could be compared.
        return unsafeBitCast(present.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
