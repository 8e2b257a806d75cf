// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

@testable import PluginHost

/// A correct plugin that is slow to let go, `Tests/Programs/late.c`: it aborts when something comes after its end.
struct LatePluginTests {
    private static let levels: [IsolationLevel] = [.inProcess, .process, .sandbox]

    private func run(
        at level: IsolationLevel, runner: RunnerSettings = RunnerSettings(), _ body: (PryingPlugin) async throws -> Void
    ) async throws {
        try await PryingPlugin.run(at: level, runner: runner, library: try TestProgram.late.get(), body)
    }

    private func number(_ query: JSONObject, of source: DataSourceConfiguration, _ plugin: PryingPlugin) async throws
        -> Double?
    {
        let answer = try await plugin.answer(query, of: source)
        #expect(answer.error == nil, "\(answer)")
        return answer.frames.first?.fields.first?.column[0, as: Double.self]
    }

    /// Asks until so many instances have been destroyed.
    private func waitForDestruction(of count: Double, in source: DataSourceConfiguration, _ plugin: PryingPlugin)
        async throws
    {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(20)
        while try await number(["do": "count"], of: source, plugin) != count {
            try #require(clock.now < end, "the instance was never destroyed")
            try await clock.sleep(for: .milliseconds(2))
        }
    }

    @Test(arguments: levels)
    func anInstanceIsDestroyedAfterItsCallsAreReleased(level: IsolationLevel) async throws {
        try await run(at: level) { plugin in
            var source = plugin.source
            for round in 1...3 {
                let late = try await plugin.answer(["do": "late"], of: source)
                #expect(late.error == nil, "\(late)")
                // Other settings: the instance is replaced while its start has not returned.
                source.version += 1
                try await waitForDestruction(of: Double(round), in: source, plugin)
            }
            #expect(plugin.process?.restarts ?? 0 == 0)
        }
    }

    @Test(arguments: levels)
    func anInstanceIsDestroyedAfterItsFramesAreReleased(level: IsolationLevel) async throws {
        try await run(at: level) { plugin in
            var source = plugin.source
            var answer: Answer? = try await plugin.answer(["do": "frame"], of: source)
            source.version += 1
            let count = try await number(["do": "count"], of: source, plugin)
            #expect(count == 0)
            #expect(answer?.frames.first?.fields.first?.column[9_999, as: Double.self] == 9_999.5)
            answer = nil
            try await waitForDestruction(of: 1, in: source, plugin)
            #expect(plugin.process?.restarts ?? 0 == 0)
        }
    }

    @Test("No more calls run at once than the plugin declares", arguments: levels)
    func declaredParallelismIsKept(level: IsolationLevel) async throws {
        try await run(at: level) { plugin in
            let most = try await withThrowingTaskGroup(of: Double?.self) { group in
                for _ in 0..<12 {
                    group.addTask { try await number(["do": "parallel"], of: plugin.source, plugin) }
                }
                return try await group.reduce(0) { max($0, $1 ?? 99) }
            }
            #expect(most == 2)
        }
    }

    @Test("What an instance does while it is destroyed reaches the host", arguments: levels)
    func aClosingPluginIsServed(level: IsolationLevel) async throws {
        try await run(at: level) { plugin in
            let first = try await plugin.answer(["do": "nothing"])
            #expect(first.error == nil)
            try await plugin.test.platform.reload(id: PryingPlugin.id)
            let store = plugin.test.store
            try await eventually("the last word is kept") {
                (try? store.get(scope: "\(PryingPlugin.id)/1/uid", key: "word"))?.value == Array("last".utf8)
            }
        }
    }
}
