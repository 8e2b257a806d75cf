// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import PluginHost

/// What the host does when a plugin breaks a rule; the plugin is `examples/plugins/misbehaving-c`.
struct MisbehaviourTests {
    private let type = "grafana-misbehaving-datasource"

    private func run(
        _ mode: String, limits: CallLimits = CallLimits(time: .milliseconds(300), grace: .milliseconds(100)),
        _ check: (TestPlatform, Answer) async throws -> Void
    ) async throws {
        try await TestPlatform.run(examples: ["misbehaving-c"], limits: limits) { test in
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
        arguments: [
            "never-completes", "ignores-cancel", "hangs-in-start",
        ])
    func neverCompletes(mode: String) async throws {
        try await run(mode) { test, answer in
            #expect(answer.error?.code == .timeout)
            #expect(test.platform.plugin(id: type)?.callsAbandoned == 1)
        }
    }

    @Test(
        "GF-R-011: what comes twice or late changes nothing",
        arguments: [
            "completes-twice", "error-and-completes", "completes-after-release", "emits-after-complete",
        ])
    func comesTwice(mode: String) async throws {
        try await run(mode) { test, answer in
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
        arguments: [
            "child-is-shorter", "length-is-negative", "length-overflows", "offset-overflows", "buffer-is-null",
            "child-is-null", "child-is-missing", "nulls-are-uncovered", "offsets-are-negative",
            "format-is-unknown", "format-is-null", "metadata-is-negative",
        ])
    func badData(mode: String) async throws {
        try await run(mode) { _, answer in
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

    @Test func anUnknownStatusReadsAsInternal() async throws {
        try await run("unknown-status") { _, answer in
            #expect((answer.error ?? answer.failures["A"])?.code == .internal)
        }
    }

    @Test func aFloodOfLogLinesIsCut() async throws {
        try await run("floods-log", limits: CallLimits(time: .seconds(20))) { _, answer in
            #expect(answer.error == nil)
        }
    }

    @Test func ignoringCreditEndsAtTheHardBound() async throws {
        let limits = CallLimits(time: .seconds(20), window: 1 << 20)
        try await TestPlatform.run(examples: ["misbehaving-c"], limits: limits) { test in
            let events = try await test.platform.queryData(
                [test.query(#"{"mode":"ignores-credit"}"#)], of: test.source(type), facts: CallFacts())
            // Nobody reads until the plugin has given up.
            while (test.platform.plugin(id: type)?.callsRunning ?? 0) > 0 { await Task.yield() }
            let answer = try await Answer(events)

            #expect((answer.error ?? answer.failures["A"])?.code == .limit)
        }
    }
}
