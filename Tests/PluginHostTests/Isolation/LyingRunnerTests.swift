// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

@testable import PluginHost

/// A process that breaks the protocol: `Tests/Programs/lying.c`.
struct LyingRunnerTests {
    private func run(
        _ lie: String, bytes: Int64 = 1 << 30, sharedBytes: UInt64 = 64 << 20,
        _ check: (PryingPlugin, Answer) async throws -> Void
    ) async throws {
        let runner = RunnerSettings(path: try TestProgram.lying.get(), sharedBytes: sharedBytes)
        let limits = CallLimits(time: .seconds(5), bytes: bytes)
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
            "spilled-without-file", "created-unasked", "socket-closed", "pairs-overlap",
        ])
    func brokenProtocol(lie: String) async throws {
        try await run(lie) { plugin, answer in
            #expect(answer.error?.code == .crashed, "\(answer)")
            #expect((plugin.process?.restarts ?? 0) >= 1)
        }
    }

    @Test("Memory that is named again and again is not copied again and again")
    func overlappingTexts() async throws {
        try await run("texts-overlap", bytes: 2 << 20) { plugin, answer in
            #expect(answer.error?.code == .limit)
            #expect(answer.error?.message.contains("of text in one batch") == true, "\(answer)")
            #expect(plugin.process?.restarts == 0)
        }
        try await run("views-overlap", bytes: 2 << 20) { plugin, answer in
            #expect(answer.error?.code == .badData)
            #expect(answer.error?.message.contains("longer than all that may still be sent") == true, "\(answer)")
            #expect(plugin.process?.restarts == 0)
        }
    }

    @Test func anArenaThatIsDroppedCountsAsLongAsItIsRead() async throws {
        try await run("arena-dropped-in-use", sharedBytes: 4 << 20) { _, answer in
            #expect(answer.error?.code == .crashed)
            #expect(answer.error?.message.contains("arena of 1048576 bytes that is too large") == true, "\(answer)")
        }
        try await run("arena-dropped-in-use", sharedBytes: 8 << 20) { _, answer in
            #expect(answer.error == nil)
        }
    }

    @Test func theTextsOfRemarksCountAgainstTheBytesOfACall() async throws {
        try await run("notices", bytes: 4 << 20) { _, answer in #expect(answer.error?.code == .limit, "\(answer)") }
        try await run("notices", bytes: 64 << 20) { _, answer in #expect(answer.error == nil, "\(answer)") }
    }

    @Test("A process that does not read is ended, and keeps nobody from ending other calls", .timeLimit(.minutes(2)))
    func aProcessThatDoesNotRead() async throws {
        let runner = RunnerSettings(path: try TestProgram.lying.get())
        let limits = CallLimits(time: .seconds(2), grace: .milliseconds(100))
        try await PryingPlugin.run(limits: limits, runner: runner) { plugin in
            // More than the socket holds, and then a message that does not fit a packet.
            let large = String(repeating: "x", count: 100_000)
            try await withThrowingTaskGroup(of: PluginError?.self) { group in
                for _ in 0..<200 { group.addTask { try await plugin.answer(["lie": "deaf"]).error } }
                for _ in 0..<2 {
                    group.addTask { try await plugin.answer(["lie": "deaf", "pad": .string(large)]).error }
                }
                for try await error in group { #expect(error?.code == .timeout || error?.code == .crashed) }
            }
            let other = try await plugin.test.answer(
                [plugin.test.query(#"{"try":"forever"}"#)], of: plugin.test.source("probe-datasource"))
            #expect((other.error ?? other.failures["A"])?.code == .timeout)
            #expect((plugin.process?.restarts ?? 0) >= 1)
        }
    }

    @Test func aFloodOfMessagesEndsTheProcess() async throws {
        try await run("logs") { plugin, answer in
            #expect(answer.error?.code == .crashed, "\(answer)")
            #expect(answer.error?.message.contains("flooded the server with messages") == true, "\(answer)")
            #expect(plugin.process?.limitsHit["messages"] ?? 0 > 0)
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
