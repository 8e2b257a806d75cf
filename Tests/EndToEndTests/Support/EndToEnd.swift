// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import Testing

/// Tests of the built programs, from outside: one at a time, since each starts servers.
@Suite(.serialized, .onThreadsOfTheirOwn, .timeLimit(.minutes(5 + chaosSeconds / 60)))
enum EndToEnd {}

/// How long `ChaosTests` goes on.
let chaosSeconds = ProcessInfo.processInfo.environment["CHAOS_SECONDS"].flatMap(Int.init) ?? 10

/// Runs tests on threads that may block, so that blocking sockets keep nobody else waiting.
struct OwnThreads: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(BlockingExecutor.shared) { try await function() }
    }
}

extension Trait where Self == OwnThreads {
    static var onThreadsOfTheirOwn: Self { OwnThreads() }
}

private final class BlockingExecutor: TaskExecutor {
    static let shared = BlockingExecutor()
    private let queue = DispatchQueue(label: "end-to-end", attributes: .concurrent)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
