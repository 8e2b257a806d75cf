// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import PluginHost

struct InstanceTests {
    private let misbehaving = "grafana-misbehaving-datasource"

    @Test func aUidThatGoesToAnotherSourceDoesNotFindTheFirstOnesSecrets() async throws {
        try await TestPlatform.run { test in
            var first = test.source("probe-datasource")
            first.settings.id = 1
            first.secrets = ["apiKey": "first"]
            var second = test.source("probe-datasource")
            second.settings.id = 2

            let one = try await test.answer([test.query(#"{"try":"secret"}"#)], of: first)
            let two = try await test.answer([test.query(#"{"try":"secret"}"#)], of: second)

            #expect(one.frames.first?.fields.first?.column.string(at: 0) == "first")
            #expect(two.frames.first?.fields.first?.column.string(at: 0) == "none")
        }
    }

    @Test func aSourceThatIsDeletedWhileItIsMadeAnswersAllWhoWait() async throws {
        try await TestPlatform.run(examples: ["misbehaving-c"]) { test in
            let source = test.source(misbehaving, json: ["mode": "create-hangs", "milliseconds": 300])
            let answers = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let answer = try await test.answer([test.query(#"{"mode":"behaves"}"#)], of: source)
                        return answer.error == nil
                    }
                }
                group.addTask {
                    test.platform.forgetDataSource(orgID: 1, uid: "uid", type: misbehaving)
                    return true
                }
                return try await group.reduce(into: [Bool]()) { $0.append($1) }
            }

            #expect(answers == [true, true, true, true, true])
        }
    }

    @Test func anInstanceLivesAsLongAsItsDataIsRead() async throws {
        try await TestPlatform.run(examples: ["hello-c"]) { test in
            let source = test.source("grafana-helloc-datasource")
            let answer = try await test.answer([test.query()], of: source)
            let generation = try #require(test.platform.registry["grafana-helloc-datasource"]?.generation)

            test.platform.forgetDataSource(orgID: 1, uid: "uid", type: "grafana-helloc-datasource")
            generation.drain()
            let isKept = generation.isBusy
            let values = answer.frames.first?.rowCount

            #expect(values == 100)
            #expect(isKept, "the library is open while a frame of it is held")
        }
    }
}
