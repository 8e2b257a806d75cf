// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import PluginABI
import ServiceLifecycle
import Storage
import Testing

@testable import Server

/// The keys of Grafana's API, fetched from a real server on the loopback interface that means well or does not.
struct PublicKeyRetrievalTests {
    /// What the tests take for an armored key: the text says its id.
    @Sendable private static func inspect(_ text: String) -> String? {
        text.hasPrefix("KEY ") ? String(text.dropFirst(4)) : nil
    }

    private static let good = """
        {"items":[{"keyId":"AAAA","public":"KEY aaaa","since":1},{"keyId":"bbbb","public":"KEY bbbb"}]}
        """

    private final class Bench: Sendable {
        let server: RawAnswerServer
        let stores: Stores
        let clock = ManualClock()

        init(_ reply: RawAnswerServer.Reply, _ stores: Stores) throws {
            server = try RawAnswerServer(reply)
            self.stores = stores
        }

        var keys: PublicKeyStore { PublicKeyStore(store: stores.keyValues, inspect: PublicKeyRetrievalTests.inspect) }

        func retrieval(_ change: (inout PublicKeyRetrieval.Options) -> Void = { _ in }) -> PublicKeyRetrieval {
            var options = PublicKeyRetrieval.Options()
            options.apiURL = server.url
            change(&options)
            return PublicKeyRetrieval(
                options: options, keyValues: stores.keyValues, inspect: PublicKeyRetrievalTests.inspect, clock: clock,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }
    }

    private func withBench(
        _ reply: RawAnswerServer.Reply, _ body: @escaping @Sendable (Bench) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let stores = try await Stores.open(path: folder.appending(path: "g.db").path, secretKey: Secret("key"))
        do {
            try await body(try Bench(reply, stores))
        } catch {
            await stores.close()
            throw error
        }
        await stores.close()
    }

    @Test func keysAreKeptAndThoseNoLongerListedGo() async throws {
        try await withBench(RawAnswerServer.json(Self.good)) { bench in
            let retrieval = bench.retrieval()

            try await retrieval.refresh()
            #expect(try await bench.keys.keys() == ["aaaa": "KEY aaaa", "bbbb": "KEY bbbb"])
            try await retrieval.refresh()
            bench.server.reply(with: RawAnswerServer.json(#"{"items":[{"keyId":"bbbb","public":"KEY bbbb"}]}"#))
            try await retrieval.refresh()

            #expect(try await bench.keys.keys() == ["bbbb": "KEY bbbb"])
            #expect(try await bench.keys.lastUpdated() != nil)
            #expect(bench.server.requests.allSatisfy { $0.hasPrefix("GET /plugins/ci/keys HTTP/1.1") })
        }
    }

    static let hostile: [RawAnswerServer.Reply] = [
        RawAnswerServer.json(""), RawAnswerServer.json("[]"), RawAnswerServer.json(#"{"items":[]}"#),
        RawAnswerServer.json(#"{"items":{}}"#), RawAnswerServer.json(#"{"items":[1,null,{}]}"#),
        RawAnswerServer.json(#"{"items":[{"keyId":"aaaa","public":"no key"}]}"#),
        RawAnswerServer.json(#"{"items":[{"keyId":"cccc","public":"KEY aaaa"}]}"#),
        RawAnswerServer.json(#"{"items":[{"keyId":7,"public":["KEY aaaa"]}]}"#),
        RawAnswerServer.json(
            #"{"items":["# + String(repeating: #"{"keyId":"aaaa","public":"KEY aaaa"},"#, count: 200) + "{}]}"),
        RawAnswerServer.json(good, status: "500 Internal Server Error"),
        RawAnswerServer.json("", status: "302 Found", headers: "Location: http://127.0.0.1:1/keys\r\n"),
        RawAnswerServer.json(#"{"items":""# + String(repeating: "x", count: PublicKeyAnswer.largestSize) + #""}"#),
        RawAnswerServer.json(String(repeating: "[", count: 200_000)),
        .bytes(Array("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"items\":[".utf8)),
        .bytes(Array("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".utf8)), .bytes([0, 1, 2, 255]), .bytes([]),
    ]

    @Test(arguments: hostile.indices)
    func anAnswerThatCannotBeReadChangesNothing(number: Int) async throws {
        try await withBench(RawAnswerServer.json(Self.good)) { bench in
            let retrieval = bench.retrieval()
            try await retrieval.refresh()
            let updated = try await bench.keys.lastUpdated()
            bench.server.reply(with: Self.hostile[number])

            await #expect(throws: (any Error).self) { try await retrieval.refresh() }

            #expect(try await bench.keys.keys().count == 2)
            #expect(try await bench.keys.lastUpdated() == updated)
        }
    }

    @Test func oneBadItemDoesNotKeepTheGoodOnesOut() async throws {
        let mixed = #"{"items":[{"keyId":"cccc","public":"KEY aaaa"},{"keyId":"bbbb","public":"KEY bbbb"}]}"#
        try await withBench(RawAnswerServer.json(mixed)) { bench in
            try await bench.retrieval().refresh()

            #expect(try await bench.keys.keys() == ["bbbb": "KEY bbbb"])
        }
    }

    @Test func aServerThatKeepsSilentIsGivenUp() async throws {
        try await withBench(.silence) { bench in
            let retrieval = bench.retrieval { $0.timeout = .milliseconds(50) }

            await #expect(throws: (any Error).self) { try await retrieval.refresh() }
        }
    }

    @Test func itAsksAfterAMinuteAndThenEveryTenDays() async throws {
        try await withBench(RawAnswerServer.json(Self.good)) { bench in
            let group = ServiceGroup(services: [bench.retrieval()], logger: Logger(label: "test"))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                var sleeps = bench.clock.sleeps.makeAsyncIterator()

                #expect(await sleeps.next() == .seconds(60))
                #expect(bench.server.requests.isEmpty)
                bench.clock.advance(by: .seconds(60))
                #expect(await sleeps.next() == .seconds(10 * 24 * 3600))
                #expect(bench.server.requests.count == 1)
                bench.server.reply(with: RawAnswerServer.json("{}"))
                bench.clock.advance(by: .seconds(10 * 24 * 3600))
                #expect(await sleeps.next() == .seconds(3600))
                #expect(bench.server.requests.count == 2)

                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }

    @Test func atTheStartItAsksAtOnceWhenTold() async throws {
        try await withBench(RawAnswerServer.json(Self.good)) { bench in
            let retrieval = bench.retrieval { $0.asksAtStart = true }
            let group = ServiceGroup(services: [retrieval], logger: Logger(label: "test"))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                var sleeps = bench.clock.sleeps.makeAsyncIterator()

                #expect(await sleeps.next() == .seconds(10 * 24 * 3600))
                #expect(bench.server.requests.count == 1)

                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }

    /// A server that was started again waits until the keys are old, not another ten days.
    @Test func youngKeysAreNotAskedForAgain() async throws {
        try await withBench(RawAnswerServer.json(Self.good)) { bench in
            let nineDaysAgo = Date(timeIntervalSinceNow: -9 * 24 * 3600)
            _ = try await bench.keys.replace(with: ["aaaa": "KEY aaaa"], at: nineDaysAgo)
            let group = ServiceGroup(services: [bench.retrieval()], logger: Logger(label: "test"))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                var sleeps = bench.clock.sleeps.makeAsyncIterator()

                let pause = try #require(await sleeps.next())
                #expect(pause > .seconds(23 * 3600) && pause <= .seconds(24 * 3600 + 60))

                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }

    @Test func theBuiltInKeyIsOneThatWouldBeTaken() {
        let keys = ServerTrust.builtInKeys

        #expect(Array(keys.keys) == ["7e4d0c6a708866e7"])
        #expect(keys.allSatisfy { ServerTrust.keyID(of: $0.value) == $0.key })
        #expect(ServerTrust.keyID(of: "KEY aaaa") == nil)
    }

    @Test func theFirstKeysAreThoseOfTheServerItself() async throws {
        try await withBench(.silence) { bench in
            try await bench.keys.seed(with: ["aaaa": "KEY aaaa"])
            try await bench.keys.seed(with: ["bbbb": "KEY bbbb"])
            try await bench.stores.keyValues.set(
                orgID: 0, namespace: PublicKeyStore.namespace, key: "key-eeee", to: Array("KEY ffff".utf8))

            #expect(try await bench.keys.keys() == ["aaaa": "KEY aaaa"])
        }
    }
}
