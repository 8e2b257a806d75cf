// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization
import Testing

@testable import PluginHost

/// A plugin moves to another level while it is called.
@Suite(.timeLimit(.minutes(2)))
struct IsolationMoveTests {
    private let hello = "grafana-helloc-datasource"

    /// Whether the plugin still moves.
    private final class Moving: Sendable {
        let isGoing = Atomic<Bool>(true)
    }

    @Test func movingBetweenLevelsLosesNoRequest() async throws {
        try await TestPlatform.run(examples: ["hello-c"], level: .inProcess) { test in
            let source = test.source(hello)
            let moving = Moving()
            let moves: [IsolationLevel] = [.process, .sandbox, .process, .inProcess, .sandbox, .inProcess, .process]
            let (asked, answered) = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        var (asked, answered) = (0, 0)
                        while moving.isGoing.load(ordering: .relaxed) || asked < 20 {
                            asked += 1
                            let answer = try await test.answer([test.query()], of: source)
                            if answer.error == nil, answer.frames.first?.rowCount == 100 { answered += 1 }
                        }
                        return (asked, answered)
                    }
                }
                group.addTask {
                    defer { moving.isGoing.store(false, ordering: .relaxed) }
                    for level in moves {
                        #expect(await test.platform.setIsolation(IsolationPolicy(common: level)).isEmpty)
                        #expect(test.platform.plugin(id: hello)?.level == level)
                    }
                    return (0, 0)
                }
                return try await group.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
            }

            #expect(asked >= 120 && answered == asked, "\(answered) of \(asked)")
            #expect(test.platform.plugin(id: hello)?.generation == moves.count + 1)
        }
    }

    @Test func onlyPluginsWhoseLevelChangesMove() async throws {
        try await TestPlatform.run(examples: ["hello-c", "misbehaving-c"], level: .inProcess) { test in
            var policy = IsolationPolicy(common: .inProcess)
            policy.levels[hello] = .sandbox

            await test.platform.setIsolation(policy)

            #expect(test.platform.plugin(id: hello)?.level == .sandbox)
            #expect(test.platform.plugin(id: "grafana-misbehaving-datasource")?.level == .inProcess)
            #expect(test.platform.plugin(id: "grafana-misbehaving-datasource")?.generation == 1)
        }
    }

    @Test func aPluginThatCannotMoveStays() async throws {
        try await TestPlatform.run(
            examples: ["hello-c"], level: .inProcess, runner: RunnerSettings(path: "/nowhere/runner")
        ) { test in
            let refusals = await test.platform.setIsolation(IsolationPolicy(common: .process))
            let answer = try await test.answer([test.query()], of: test.source(hello))

            #expect(refusals.map(\.code) == [.runnerMissing])
            #expect(test.platform.plugin(id: hello)?.level == .inProcess)
            #expect(answer.frames.first?.rowCount == 100)
        }
    }

    /// The settings are read again when plugins are reloaded; settings that cannot be read change nothing.
    @Test func aReloadReadsTheSettingsAgain() async throws {
        let policy = Mutex<IsolationPolicy?>(IsolationPolicy(common: .process))
        let test = try TestPlatform(
            examples: ["hello-c"],
            readIsolation: {
                guard let policy = policy.withLock({ $0 }) else { throw PluginError(.invalid, "no settings") }
                return policy
            })
        await test.platform.load()
        #expect(test.platform.plugin(id: hello)?.level == .inProcess)
        await test.platform.reload()
        #expect(test.platform.plugin(id: hello)?.level == .process)

        policy.withLock { $0 = nil }
        try await test.platform.reload(id: hello)
        #expect(test.platform.plugin(id: hello)?.level == .process)
        policy.withLock { $0 = IsolationPolicy(common: .inProcess) }
        await test.platform.reload()

        #expect(test.platform.plugin(id: hello)?.level == .inProcess)
        await test.platform.shutDown()
    }
}
