// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization
import Testing

@testable import PluginHost

/// The Swift SDK against the real host, through the C tables.
struct SwiftSDKTests {
    private func ask(
        _ test: TestPlatform, _ json: String, settings: JSONValue = .object([:]), secrets: [String: String] = [:],
        facts: CallFacts = CallFacts(), url: String = ""
    ) async throws -> Answer {
        var source = test.source("probe-datasource", json: settings, version: url.isEmpty ? 1 : url.utf8.count)
        source.secrets = secrets
        source.settings.url = url
        return try await Answer(test.platform.queryData([test.query(json)], of: source, facts: facts))
    }

    private func text(_ answer: Answer) -> String? { answer.frames.first?.fields.first?.column.string(at: 0) }

    @Test func secretsAreReadByName() async throws {
        try await TestPlatform.run { test in
            let answer = try await ask(test, #"{"try":"secret"}"#, secrets: ["apiKey": "s3cret"])

            #expect(text(answer) == "s3cret")
        }
    }

    @Test func theOperatorsSettingsAreReadByKey() async throws {
        try await TestPlatform.run { test in
            let known = try await ask(test, #"{"try":"setting","key":"greeting"}"#)
            let unknown = try await ask(test, #"{"try":"setting","key":"Greeting"}"#)

            #expect(text(known) == "from the operator")
            #expect(text(unknown) == "none")
        }
    }

    @Test func theCallKnowsWhoAsks() async throws {
        try await TestPlatform.run { test in
            let facts = CallFacts(
                principal: Principal(orgID: 1, login: "ann", role: "Editor"), headers: ["x-panel-id": "7"])

            let asked = try await ask(test, #"{"try":"principal"}"#, facts: facts)
            let server = try await ask(test, #"{"try":"principal"}"#)

            #expect(text(asked) == "ann Editor 7")
            #expect(text(server) == "server  ")
        }
    }

    @Test func valuesAreKeptWithVersions() async throws {
        try await TestPlatform.run { test in
            let answer = try await ask(test, #"{"try":"kv"}"#)

            #expect(text(answer) == #"1 2 state ["a"] [2] true"#)
        }
    }

    @Test func aTimerWakesTheHandler() async throws {
        try await TestPlatform.run { test in
            let answer = try await ask(test, #"{"try":"sleep"}"#)

            #expect(text(answer) == "awake")
        }
    }

    @Test func aReaderThatStopsCancelsTheTask() async throws {
        try await TestPlatform.run { test in
            let before = ProbeDataSource.cancellations.load(ordering: .relaxed)
            let events = try await test.platform.queryData(
                [test.query(#"{"try":"forever"}"#)], of: test.source("probe-datasource"), facts: CallFacts())
            let reader = Task {
                for await _ in events {}
            }

            reader.cancel()
            await reader.value
            while test.platform.plugin(id: "probe-datasource")?.callsRunning != 0 { await Task.yield() }

            #expect(ProbeDataSource.cancellations.load(ordering: .relaxed) > before)
            #expect(test.platform.plugin(id: "probe-datasource")?.callsAbandoned == 0)
        }
    }

    @Test func aDeadlineReachesTheTask() async throws {
        try await TestPlatform.run(limits: CallLimits(time: .milliseconds(50), grace: .seconds(5))) { test in
            let answer = try await ask(test, #"{"try":"forever"}"#)

            #expect((answer.error ?? answer.failures["A"])?.code == .timeout)
            #expect(test.platform.plugin(id: "probe-datasource")?.callsAbandoned == 0)
        }
    }

    @Test func aSlowReaderHoldsTheSenderBack() async throws {
        try await TestPlatform.run(limits: CallLimits(window: 4 << 20)) { test in
            let before = ProbeDataSource.frames.load(ordering: .relaxed)
            let events = try await test.platform.queryData(
                [test.query(#"{"try":"many"}"#)], of: test.source("probe-datasource"), facts: CallFacts())
            let iterator = events.makeAsyncIterator()
            var received = 0
            var furthest = 0
            while let event = await iterator.next() {
                guard case .frame = event else { continue }
                received += 1
                furthest = max(furthest, ProbeDataSource.frames.load(ordering: .relaxed) - before - received)
            }

            #expect(received == 64)
            #expect(furthest <= 6, "the sender was \(furthest) MiB ahead of a window of 4")
        }
    }

    @Test func errorsCrossWhole() async throws {
        try await TestPlatform.run { test in
            let error = try await ask(test, #"{"try":"downstream"}"#).failures["A"]

            #expect(error?.code == .downstream)
            #expect(error?.message == "the upstream is tired")
            #expect(error?.source == .downstream)
            #expect(error?.httpStatus == 503)
            #expect(error?.retryAfter == .seconds(5))
            #expect(error?.hint == "wait")
            #expect(error?.details == JSONText(#"{"a":1}"#))
        }
    }

    @Test func noticesAndFramesWithoutFieldsArrive() async throws {
        try await TestPlatform.run { test in
            let noticed = try await ask(test, #"{"try":"notice"}"#)
            let empty = try await ask(test, #"{"try":"empty"}"#)

            #expect(noticed.notices == [Notice(severity: .warning, text: "only a part", link: "https://example.org")])
            #expect(empty.frames.map(\.name) == ["empty"])
        }
    }

    @Test func aRefusedConfigurationIsTold() async throws {
        try await TestPlatform.run { test in
            let error = await #expect(throws: PluginError.self) {
                _ = try await ask(test, #"{"try":"sleep"}"#, settings: ["refuse": true])
            }

            #expect(error?.code == .invalid)
            #expect(error?.message == "the setting 'refuse' is true; set it to false")
        }
    }

    @Test func healthDetailsAndResourceBodiesCross() async throws {
        try await TestPlatform.run { test in
            let source = test.source("probe-datasource")
            let body = [UInt8](repeating: 65, count: 200_000)

            let health = try await test.platform.checkHealth(of: source, facts: CallFacts())
            let answer = try await test.platform.callResource(
                ResourceCall(method: "PUT", path: "echo", query: "a=1", body: body), of: source, facts: CallFacts())
            var received: [UInt8] = []
            try await answer.forEachChunk { received += $0.array }

            #expect(health == HealthResult(.error, "not well", details: ["reason": "probe"]))
            #expect(answer.status == 201)
            #expect(answer.headers["x-method"] == "PUT")
            #expect(answer.headers["X-Query"] == "a=1")
            #expect(received == body)
        }
    }

    @Test func aStreamRunsUntilItsReaderLeaves() async throws {
        try await TestPlatform.run { test in
            let source = test.source("probe-datasource")
            let allowed = try await test.platform.subscribeStream(
                StreamRequest(path: "numbers"), of: source, facts: CallFacts())
            let unknown = try await test.platform.subscribeStream(
                StreamRequest(path: "letters"), of: source, facts: CallFacts())
            let events = try await test.platform.runStream(
                StreamRequest(path: "numbers", resumeToken: [41]), of: source, facts: CallFacts())
            var numbers: [Int64] = []
            for await event in events {
                switch event {
                case .frame(_, let rows), .rows(_, let rows):
                    numbers.append(rows.fields[0].column[0, as: Int64.self] ?? -1)
                default: break
                }
                if numbers.count == 3 { break }
            }

            #expect(allowed.status == .ok)
            #expect(allowed.frame?.fields.first?.column.string(at: 0) == "first")
            #expect(unknown.status == .notFound)
            #expect(numbers == [42, 43, 44])
        }
    }

    @Test func secretsDoNotFollowARedirectionToAnotherServer() async throws {
        let server = try await LoopbackServer.start()
        let other = try await LoopbackServer.start()
        defer {
            server.stop()
            other.stop()
        }
        try await TestPlatform.run { test in
            let same = try await ask(test, #"{"try":"http","path":"/redirect?to=/big"}"#, url: server.url)
            let foreign = try await ask(
                test, #"{"try":"http","path":"/redirect?to=\#(other.url)/big"}"#, url: server.url)

            #expect(text(same) == "200 3000000 ")
            #expect(text(foreign) == "302 0 ")
        }
    }

    @Test func theHostSendsRequestsWithTheSourcesCredentials() async throws {
        let server = try await LoopbackServer.start()
        defer { server.stop() }
        try await TestPlatform.run { test in
            let answer = try await ask(
                test, #"{"try":"http","path":"/big"}"#, settings: ["httpHeaderName1": "X-Probe"],
                secrets: ["httpHeaderValue1": "from-settings"], url: server.url)
            let dead = try await ask(test, #"{"try":"http"}"#, url: "http://127.0.0.1:1")

            #expect(text(answer) == "200 3000000 from-settings")
            #expect(dead.failures["A"]?.code == .io)
            #expect(dead.failures["A"]?.message.contains("connection refused") == true)
        }
    }
}
