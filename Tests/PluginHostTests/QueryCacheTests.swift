// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization
import Testing

@testable import PluginHost

/// What answers are kept, for whom, how long and in how much memory.
struct QueryCacheTests {
    /// A clock that stands still, and a plugin that counts how often it is asked.
    private final class Plugin: Sendable {
        let calls = Mutex(0)
        let now = Mutex(ContinuousClock.now)
        let answer: @Sendable (CallQueue) -> Void

        init(_ answer: @escaping @Sendable (CallQueue) -> Void = { Plugin.send($0, rows: 3) }) { self.answer = answer }

        var callCount: Int { calls.withLock { $0 } }

        func pass(_ time: Duration) { now.withLock { $0 += time } }

        static func send(_ queue: CallQueue, rows: Int) {
            let frame = DataFrame(fields: [Field("v", (0..<rows).map { Int64($0) })])
            queue.opened(frame: 1, refID: "A", schema: FrameSchema(of: frame))
            queue.received(frame: 1, rows: frame, bytes: 0)
            queue.completed(nil)
        }

        func cache(_ settings: CachingSettings = CachingSettings()) -> QueryCache {
            QueryCache(settings, now: { self.now.withLock { $0 } })
        }

        /// The first rows and the status.
        func ask(_ cache: QueryCache, _ call: QueryCall = QueryCacheTests.call()) async throws -> Answer {
            let stages: [any QueryMiddleware] = [RowLimit(maximum: 10), cache]
            let events = try await stages.query(call) { _ in
                self.calls.withLock { $0 += 1 }
                let queue = CallQueue()
                self.answer(queue)
                return CallEvents(queue: queue)
            }
            var answer = Answer(status: events.cacheStatus)
            for await event in events {
                switch event {
                case .frame(_, let frame), .rows(_, let frame): answer.frames.append(frame)
                case .completed: answer.isComplete = true
                default: break
                }
            }
            return answer
        }
    }

    private struct Answer {
        var status: CacheStatus?
        var frames: [DataFrame] = []
        var isComplete = false
    }

    private static func call(
        _ text: String = #"{"expr":"up","timeRange":{"from":"1","to":"2"},"requestId":"Q1"}"#, from: Int64 = 600,
        to: Int64 = 1200, jsonData: JSONValue = ["queryCaching": true], change: (inout QueryCall) -> Void = { _ in }
    ) -> QueryCall {
        let settings = DataSourceInstanceSettings(
            id: 7, uid: "u", name: "n", pluginID: "acme", jsonData: jsonData)
        let query = DataQuery(
            refID: "A", json: JSONText(text), model: (try? JSONValue(parsing: text)) ?? .null,
            from: Timestamp(milliseconds: from * 1000), to: Timestamp(milliseconds: to * 1000), interval: .seconds(15),
            maxDataPoints: 100)
        var call = QueryCall(
            queries: [query], source: DataSourceConfiguration(settings: settings, version: 3), facts: CallFacts(),
            pluginGeneration: 1)
        change(&call)
        return call
    }

    @Test func anAnswerIsGivenAgainUntilItsTimeIsOver() async throws {
        let plugin = Plugin()
        let cache = plugin.cache()

        let first = try await plugin.ask(cache)
        plugin.pass(.seconds(59))
        let second = try await plugin.ask(cache)
        plugin.pass(.seconds(1))
        let third = try await plugin.ask(cache)

        #expect([first, second, third].map(\.status) == [.miss, .hit, .miss])
        #expect([first, second, third].allSatisfy { $0.frames == first.frames && $0.isComplete })
        #expect(first.frames.first?.rowCount == 3 && first.frames.first?.refID == "A")
        #expect(plugin.callCount == 2)
    }

    @Test(
        arguments: [
            ([:], false), (["queryCaching": false], false), (["queryCaching": "true"], false),
            (["queryCaching": true], true), (["queryCaching": true, "queryCachingTTL": 1000], true),
        ] as [(JSONValue, Bool)])
    func onlySourcesThatAskForItAreCached(jsonData: JSONValue, isCached: Bool) async throws {
        let plugin = Plugin()
        let cache = plugin.cache()

        let statuses = [
            try await plugin.ask(cache, Self.call(jsonData: jsonData)).status,
            try await plugin.ask(cache, Self.call(jsonData: jsonData)).status,
        ]

        #expect(statuses == (isCached ? [.miss, .hit] : [nil, nil]))
    }

    @Test func theOperatorMaySwitchItOffAndBoundTheTime() async throws {
        let plugin = Plugin()
        var settings = CachingSettings()
        settings.longestLifetime = .seconds(10)
        let call = Self.call(jsonData: ["queryCaching": true, "queryCachingTTL": 3_600_000])
        let bounded = plugin.cache(settings)
        _ = try await plugin.ask(bounded, call)
        plugin.pass(.seconds(10))
        settings.isEnabled = false

        #expect(try await plugin.ask(bounded, call).status == .miss)
        #expect(try await plugin.ask(plugin.cache(settings), call).status == nil)
    }

    @Test func rangesAreAlignedToTheInterval() async throws {
        let plugin = Plugin()
        let cache = plugin.cache()
        _ = try await plugin.ask(cache, Self.call(from: 600, to: 1200))

        let near = try await plugin.ask(cache, Self.call(from: 614, to: 1214)).status
        let far = try await plugin.ask(cache, Self.call(from: 615, to: 1215)).status
        let before = try await plugin.ask(cache, Self.call(from: -1, to: 1200)).status
        let beforeAsWell = try await plugin.ask(cache, Self.call(from: -15, to: 1200)).status

        #expect([near, far, before, beforeAsWell] == [.hit, .miss, .miss, .hit])
    }

    private static let differences: [@Sendable (inout QueryCall) -> Void] = [
        { $0.source.version = 4 }, { $0.source.settings.uid = "w" }, { $0.source.settings.orgID = 2 },
        { $0.source.settings.id = 8 }, { $0.pluginGeneration = 2 },
        { $0.source.settings.updated = Timestamp(milliseconds: 1) }, { $0.queries[0].refID = "B" },
        { $0.queries[0].maxDataPoints = 101 }, { $0.queries[0].interval = .seconds(14) },
        { $0.queries[0].queryType = "instant" }, { $0.queries[0].json = JSONText(#"{"expr":"down"}"#) },
        { $0.queries.append($0.queries[0]) }, { $0.facts.headers["cookie"] = "a=b" },
        { $0.facts.headers["authorization"] = "Bearer x" }, { $0.facts.headers["x-grafana-user"] = "ada" },
    ]

    @Test(arguments: differences.indices)
    func whatDiffersIsAskedAnew(index: Int) async throws {
        let plugin = Plugin()
        let cache = plugin.cache()
        _ = try await plugin.ask(cache)

        #expect(try await plugin.ask(cache, Self.call(change: Self.differences[index])).status == .miss)
        #expect(try await plugin.ask(cache).status == .hit)
    }

    /// Forwarded credentials make the answer that of one person.
    @Test func peopleShareAnswersUnlessThePluginActsForThem() async throws {
        let plugin = Plugin()
        let cache = plugin.cache()
        func ask(_ login: String, cookie: String?) async throws -> CacheStatus? {
            try await plugin.ask(
                cache,
                Self.call { call in
                    call.facts.principal = Principal(orgID: 1, login: login)
                    call.facts.headers["cookie"] = cookie
                }
            ).status
        }

        let shared = [try await ask("ada", cookie: nil), try await ask("bob", cookie: nil)]
        let own = [
            try await ask("ada", cookie: "s=1"), try await ask("bob", cookie: "s=1"),
            try await ask("ada", cookie: "s=1"),
        ]

        #expect(shared == [.miss, .hit] && own == [.miss, .miss, .hit])
    }

    @Test func whatTheRangeOrNobodySaysDoesNotMatter() async throws {
        let plugin = Plugin()
        let cache = plugin.cache()
        _ = try await plugin.ask(cache)

        let other = Self.call(#"{"requestId":"Q2","expr":"up","timeRange":{"from":"5","to":"6"},"key":"k"}"#)

        #expect(try await plugin.ask(cache, other).status == .hit)
    }

    @Test func skippingAsksAndKeepsTheNewAnswer() async throws {
        let plugin = Plugin()
        let cache = plugin.cache()
        _ = try await plugin.ask(cache)

        let skipped = try await plugin.ask(cache, Self.call { $0.facts.headers["x-cache-skip"] = "true" })

        #expect(skipped.status == .miss && plugin.callCount == 2)
        #expect(try await plugin.ask(cache).status == .hit)
    }

    private static let unfit: [@Sendable (CallQueue) -> Void] = [
        { queue in
            queue.failed(PluginError(.downstream, "no"), refID: "A")
            Plugin.send(queue, rows: 1)
        },
        { $0.completed(PluginError(.timeout, "late")) },
        { queue in
            queue.received(Notice(severity: .warning, text: "half of it"), refID: "A")
            Plugin.send(queue, rows: 1)
        },
        { queue in
            var meta = FrameMeta()
            meta.notices = [Notice(severity: .error, text: "a shard is down")]
            let frame = DataFrame(meta: meta, fields: [Field("v", [1.0])])
            queue.opened(frame: 1, refID: "A", schema: FrameSchema(of: frame))
            queue.received(frame: 1, rows: frame, bytes: 0)
            queue.completed(nil)
        },
    ]

    @Test(arguments: unfit.indices)
    func errorsAndPartsAreNotKept(index: Int) async throws {
        let plugin = Plugin(Self.unfit[index])
        let cache = plugin.cache()
        _ = try await plugin.ask(cache)

        #expect(try await plugin.ask(cache).status == .miss)
    }

    @Test func whatIsNotReadToTheEndIsNotKept() async throws {
        let plugin = Plugin()
        let cache = plugin.cache()
        let events = try await [cache as any QueryMiddleware].query(Self.call()) { _ in
            let queue = CallQueue()
            Plugin.send(queue, rows: 3)
            return CallEvents(queue: queue)
        }
        _ = await events.makeAsyncIterator().next()

        #expect(try await plugin.ask(cache).status == .miss)
    }

    @Test func memoryIsBounded() async throws {
        var settings = CachingSettings()
        settings.answerBytes = 100_000
        settings.totalBytes = 200_000
        let plugin = Plugin { Plugin.send($0, rows: 10_000) }
        let cache = plugin.cache(settings)
        func ask(_ name: String) async throws -> CacheStatus? {
            try await plugin.ask(cache, Self.call(#"{"expr":"\#(name)"}"#)).status
        }

        let first = [try await ask("a"), try await ask("b"), try await ask("a"), try await ask("c")]
        let second = [try await ask("a"), try await ask("c"), try await ask("b")]
        var text = ""
        cache.writeMetrics(into: &text)
        let large = Plugin { Plugin.send($0, rows: 13_000) }
        let tooLarge = [
            try await large.ask(cache, Self.call(#"{"expr":"large"}"#)).status,
            try await large.ask(cache, Self.call(#"{"expr":"large"}"#)).status,
        ]

        // Three answers of 80 kB do not fit: the one that was not used for the longest time went.
        #expect(first == [.miss, .miss, .hit, .miss] && second == [.hit, .hit, .miss])
        #expect(tooLarge == [.miss, .miss])
        #expect(text.contains("grafana_caching_requests_total{result=\"hit\"} 3"))
        #expect(text.contains("grafana_caching_requests_total{result=\"miss\"} 4"))
        #expect(
            text.contains("grafana_caching_evictions_total 2") && text.contains("grafana_caching_answers 2"), "\(text)")
        let bytes = text.split(separator: "\n").first { $0.hasPrefix("grafana_caching_bytes ") }?.split(separator: " ")[
            1]
        #expect(bytes.flatMap { Int($0) }.map { (160_000...200_000).contains($0) } == true)
    }

    /// The order of uses is kept in memory as well.
    @Test func manyUsesOfFewAnswersTakeNoMemory() {
        let store = AnswerStore(maximumBytes: 1 << 20, now: { .now })
        guard let key = QueryCacheKey(Self.call(), lifetime: .seconds(60)) else {
            Issue.record("no key")
            return
        }
        store.insert([.completed(nil)], bytes: 10, for: key, lifetime: .seconds(60))

        for _ in 0..<100_000 { _ = store[key] }

        #expect(store.orderLength < 200)
        #expect(store[key]?.count == 1)
    }

    /// What a plugin sent lies in its own memory and goes with its instance.
    @Test func answersAreCopies() async throws {
        let sent = DataFrame(fields: [Field("v", (0..<100).map { Int64($0) }), Field("s", (0..<100).map { "\($0)" })])
        let plugin = Plugin { queue in
            queue.opened(frame: 1, refID: "A", schema: FrameSchema(of: sent))
            queue.received(frame: 1, rows: sent, bytes: 0)
            queue.completed(nil)
        }
        let cache = plugin.cache()
        _ = try await plugin.ask(cache)

        let kept = try #require(try await plugin.ask(cache).frames.first)

        #expect(kept.fields.map(\.name) == ["v", "s"] && kept.rowCount == 100)
        for (one, other) in zip(kept.fields, sent.fields) {
            #expect(one.column.values.pointer != other.column.values.pointer)
        }
        #expect(kept.fields[1].column.string(at: 99) == "99")
    }

    @Test func aDeletedSourceIsForgotten() async throws {
        let plugin = Plugin()
        let cache = plugin.cache()
        _ = try await plugin.ask(cache)

        cache.forget(orgID: 1, uid: "u")

        #expect(try await plugin.ask(cache).status == .miss)
    }
}
