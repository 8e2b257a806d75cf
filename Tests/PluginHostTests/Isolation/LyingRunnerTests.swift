// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

@testable import PluginHost

/// A process that breaks the protocol: `Tests/Programs/lying.c`.
struct LyingRunnerTests {
    private func run(_ lie: String, _ check: (PryingPlugin, Answer) async throws -> Void) async throws {
        let runner = RunnerSettings(path: try TestProgram.lying.get())
        let limits = CallLimits(time: .seconds(5))
        try await PryingPlugin.run(limits: limits, runner: runner) { plugin in
            let answer = try await plugin.answer(["lie": .string(lie)])
            try await check(plugin, answer)
        }
    }

    @Test(
        "Data that cannot be are refused, and nothing outside of them is read",
        arguments: [
            "values-too-short", "rows-negative", "rows-overflow", "nulls-without-validity", "validity-too-short",
            "offsets-descend", "offsets-outside", "offsets-negative", "text-not-utf8", "columns-missing",
            "format-unknown", "batch-without-schema",
        ])
    func badData(lie: String) async throws {
        try await run(lie) { plugin, answer in
            #expect(answer.error?.code == .badData, "\(answer)")
            #expect(plugin.process?.restarts == 0)
        }
    }

    @Test(
        "A process that breaks the protocol is ended, and the call says so",
        arguments: [
            "arena-out-of-bounds", "arena-offset-overflows", "arena-unknown", "buffers-missing", "body-missing",
            "span-outside", "length-zero", "length-too-large", "packet-truncated", "type-unknown", "arena-not-sealed",
            "arena-not-memory", "arena-smaller", "arena-twice", "arena-too-large", "spilled-not-sealed",
            "spilled-without-file", "created-unasked", "socket-closed",
        ])
    func brokenProtocol(lie: String) async throws {
        try await run(lie) { plugin, answer in
            #expect(answer.error?.code == .crashed, "\(answer)")
            #expect((plugin.process?.restarts ?? 0) >= 1)
        }
    }

    @Test func descriptorsThatNobodyAskedForAreClosed() async throws {
        func openFiles() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
        try await run("many-files") { _, answer in
            #expect(answer.error == nil)
            let count = try openFiles()
            #expect(count < 2_000)
        }
    }
}
