// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import PluginHost

struct PlatformTests {
    private let hello = "grafana-helloc-datasource"
    private static let levels: [IsolationLevel] = [.inProcess, .process, .sandbox]

    @Test(arguments: levels) func aCPluginAnswersQueryHealthAndResource(level: IsolationLevel) async throws {
        try await TestPlatform.run(examples: ["hello-c"], level: level) { test in
            let source = test.source(hello)

            let answer = try await test.answer([test.query(#"{"amplitude": 2}"#)], of: source)
            let health = try await test.platform.checkHealth(of: source, facts: CallFacts())
            let resource = try await test.platform.callResource(
                ResourceCall(method: "GET", path: "greeting"), of: source, facts: CallFacts())
            var body: [UInt8] = []
            try await resource.forEachChunk { body += $0.array }

            #expect(answer.error == nil)
            #expect(answer.frames.count == 1)
            #expect(answer.frames.first?.rowCount == 100)
            #expect(answer.frames.first?.refID == "A")
            #expect(health == HealthResult(.ok, "Hello from C"))
            #expect(resource.status == 200)
            #expect(String(decoding: body, as: UTF8.self) == #"{"greeting":"Hello from C"}"#)
        }
    }

    @Test func aBuiltInComesThroughTheSameEntry() async throws {
        try await TestPlatform.run { test in
            let answer = try await test.answer(
                [test.query(#"{"scenarioId": "random_walk"}"#)], of: test.source("testdata"))
            let health = try await test.platform.checkHealth(of: test.source("testdata"), facts: CallFacts())

            #expect(answer.frames.count == 1)
            #expect(answer.frames.first?.rowCount == 100)
            #expect(health == HealthResult(.ok, "Data source is working"))
            #expect(test.platform.plugin(id: "testdata")?.level == .linked)
        }
    }

    @Test(arguments: levels) func oneQueryFailsAlone(level: IsolationLevel) async throws {
        try await TestPlatform.run(examples: ["hello-c"], level: level) { test in
            let answer = try await test.answer(
                [test.query(#"{"period": -1}"#, refID: "A"), test.query(refID: "B")], of: test.source(hello))

            #expect(answer.error == nil)
            #expect(answer.failures["A"]?.code == .invalid)
            #expect(
                answer.failures["A"]?.message == "period is -1e+09 seconds; give more than 0"
                    || answer.failures["A"]?.message.contains("give more than 0") == true)
            #expect(answer.frames.map(\.refID) == ["B"])
        }
    }

    @Test func aPluginThatIsNotInstalledIsNamed() async throws {
        try await TestPlatform.run { test in
            let error = await #expect(throws: PluginError.self) {
                _ = try await test.platform.queryData([test.query()], of: test.source("acme-none"), facts: CallFacts())
            }

            #expect(error?.code == .notFound)
            #expect(error?.message.contains("acme-none") == true)
        }
    }

    @Test(arguments: levels) func settingsThatChangeMakeANewInstance(level: IsolationLevel) async throws {
        try await TestPlatform.run(examples: ["misbehaving-c"], level: level) { test in
            let type = "grafana-misbehaving-datasource"
            let good = try await test.answer([test.query(#"{"mode":"behaves"}"#)], of: test.source(type))
            let broken = test.source(type, json: ["mode": "create-fails"], version: 2)

            let error = await #expect(throws: PluginError.self) {
                _ = try await test.answer([test.query(#"{"mode":"behaves"}"#)], of: broken)
            }

            #expect(good.error == nil)
            #expect(error != nil)
        }
    }

    @Test(arguments: levels) func aPluginIsSwitchedOffAndOn(level: IsolationLevel) async throws {
        try await TestPlatform.run(examples: ["hello-c"], level: level) { test in
            try await test.platform.setEnabled(false, id: hello)
            let error = await #expect(throws: PluginError.self) {
                _ = try await test.answer([test.query()], of: test.source(hello))
            }
            #expect(error?.code == .state)

            try await test.platform.setEnabled(true, id: hello)
            let answer = try await test.answer([test.query()], of: test.source(hello))
            #expect(answer.frames.count == 1)
        }
    }

    @Test func aNewFolderIsLoadedAndARemovedOneGoes() async throws {
        try await TestPlatform.run { test in
            #expect(test.platform.plugin(id: hello) == nil)

            try test.folder.install(example: "hello-c")
            await test.platform.reload()
            #expect(test.platform.plugin(id: hello)?.state == .running)

            try test.folder.remove("hello-c")
            await test.platform.reload()
            #expect(test.platform.plugin(id: hello) == nil)
        }
    }

    @Test(arguments: levels) func reloadsLoseNoRequest(level: IsolationLevel) async throws {
        try await TestPlatform.run(examples: ["hello-c"], level: level) { test in
            let source = test.source(hello)
            let failures = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        var failures = 0
                        for _ in 0..<200 {
                            let answer = try await test.answer([test.query()], of: source)
                            if answer.error != nil || answer.frames.first?.rowCount != 100 { failures += 1 }
                        }
                        return failures
                    }
                }
                group.addTask {
                    for _ in 0..<20 { try await test.platform.reload(id: hello) }
                    return 0
                }
                return try await group.reduce(0, +)
            }

            #expect(failures == 0)
            #expect(test.platform.plugin(id: hello)?.generation == 21)
        }
    }
}
