// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import PluginHost

/// What the host does when a plugin breaks a rule; the plugin is `examples/plugins/misbehaving-c`.
struct MisbehaviourTests {
    private let type = "grafana-misbehaving-datasource"

    static let levels: [IsolationLevel] = [.inProcess, .process, .sandbox]

    private func run(
        _ mode: String, at level: IsolationLevel = .inProcess,
        limits: CallLimits = CallLimits(time: .milliseconds(300), grace: .milliseconds(100)),
        _ check: (TestPlatform, Answer) async throws -> Void
    ) async throws {
        try await TestPlatform.run(examples: ["misbehaving-c"], limits: limits, level: level) { test in
            let answer = try await test.answer([test.query(#"{"mode":"\#(mode)"}"#)], of: test.source(type))
            try await check(test, answer)
            // Whatever the plugin did, the next call is answered.
            let next = try await test.answer([test.query(#"{"mode":"behaves"}"#)], of: test.source(type))
            #expect(next.error == nil)
            #expect(next.frames.count == 1)
        }
    }

    @Test(
        "GF-R-011: a call that is never completed is given up at its deadline",
        arguments: levels, ["never-completes", "ignores-cancel", "hangs-in-start"])
    func neverCompletes(level: IsolationLevel, mode: String) async throws {
        // Long enough for a process that has to be started again.
        let limits = CallLimits(time: .milliseconds(500), grace: .milliseconds(100))
        try await run(mode, at: level, limits: limits) { test, answer in
            #expect(answer.error?.code == .timeout)
            #expect(test.platform.plugin(id: type)?.callsAbandoned == 1)
        }
    }

    @Test(
        "GF-R-011: what comes twice or late changes nothing",
        arguments: levels,
        [
            "completes-twice", "error-and-completes", "completes-after-release", "emits-after-complete",
        ])
    func comesTwice(level: IsolationLevel, mode: String) async throws {
        try await run(mode, at: level, limits: CallLimits(time: .seconds(20))) { test, answer in
            #expect(answer.error == nil)
            // The plugin breaks its rule after the answer has come.
            let clock = ContinuousClock()
            let end = clock.now + .seconds(10)
            while test.platform.plugin(id: type)?.rulesBroken == 0, clock.now < end { await Task.yield() }
            #expect((test.platform.plugin(id: type)?.rulesBroken ?? 0) > 0)
        }
    }

    @Test(
        "GF-R-016: data that cannot be read fails the call",
        arguments: levels,
        [
            "child-is-shorter", "length-is-negative", "length-overflows", "offset-overflows", "buffer-is-null",
            "child-is-null", "child-is-missing", "nulls-are-uncovered", "offsets-are-negative",
            "format-is-unknown", "format-is-null", "metadata-is-negative",
        ])
    func badData(level: IsolationLevel, mode: String) async throws {
        try await run(mode, at: level, limits: CallLimits(time: .seconds(20))) { _, answer in
            #expect((answer.error ?? answer.failures["A"])?.code == .badData, "\(answer)")
        }
    }

    @Test("GF-R-016: text whose offsets descend in the middle is empty, not a wild read")
    func descendingOffsets() async throws {
        try await run("offsets-descend") { _, answer in
            let text = try #require(answer.frames.first?.field(named: "text"))
            #expect((0..<text.count).allSatisfy { (text.column.string(at: $0) ?? "").utf8.count <= 9 })
        }
    }

    @Test("GF-R-016: what a process shares is judged in full", arguments: ["offsets-descend", "utf8-is-invalid"])
    func sharedDataAreJudgedInFull(mode: String) async throws {
        try await run(mode, at: .process, limits: CallLimits(time: .seconds(20))) { _, answer in
            #expect((answer.error ?? answer.failures["A"])?.code == .badData, "\(answer)")
        }
    }

    @Test(arguments: levels) func anUnknownStatusReadsAsInternal(level: IsolationLevel) async throws {
        try await run("unknown-status", at: level, limits: CallLimits(time: .seconds(20))) { _, answer in
            #expect((answer.error ?? answer.failures["A"])?.code == .internal)
        }
    }

    @Test(arguments: levels) func aFloodOfLogLinesIsCut(level: IsolationLevel) async throws {
        try await run("floods-log", at: level, limits: CallLimits(time: .seconds(20))) { _, answer in
            #expect(answer.error == nil)
        }
    }

    @Test(arguments: levels) func ignoringCreditEndsAtTheHardBound(level: IsolationLevel) async throws {
        let limits = CallLimits(time: .seconds(20), window: 1 << 20)
        try await TestPlatform.run(examples: ["misbehaving-c"], limits: limits, level: level) { test in
            let events = try await test.platform.queryData(
                [test.query(#"{"mode":"ignores-credit"}"#)], of: test.source(type), facts: CallFacts())
            // Nobody reads until the plugin has given up.
            while (test.platform.plugin(id: type)?.callsRunning ?? 0) > 0 { await Task.yield() }
            let answer = try await Answer(events)

            #expect((answer.error ?? answer.failures["A"])?.code == .limit)
        }
    }
}
