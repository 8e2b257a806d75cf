// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import PluginABI
import TestSupport
import Testing

@testable import PluginHost

/// What is remembered of plugins that cannot stay in the server's process.
struct QuarantineBookTests {
    private static let minute: Int64 = 60_000_000_000
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func crash(_ id: String, digest: String = "", minutes: Int64 = 0) -> CrashRecovery.Crash {
        CrashRecovery.Crash(
            time: MonotonicTime.now - minutes * minute, wallSeconds: 1_800_000_000, signal: SIGSEGV, pluginID: id,
            digest: digest, place: "in a call to queryData")
    }

    private static func entry(_ digest: String) -> PluginQuarantine {
        PluginQuarantine(
            cause: .hang, reason: "did not end", version: "1.2.3", since: Timestamp(milliseconds: 1_800_000_000_123),
            digest: digest)
    }

    @Test func anEntryIsReadAsItWasWritten() {
        let entry = Self.entry("ab")

        #expect(PluginQuarantine(encoded: entry.encoded) == entry)
        #expect(PluginQuarantine(encoded: Array("{}".utf8)) == nil)
        #expect(PluginQuarantine(encoded: [0xFF]) == nil)
    }

    @Test func theLastCrashIsRememberedAndStored() async throws {
        let store = MemoryKeyValues()
        var recovery = CrashRecovery()
        recovery.crashes = [Self.crash("first", minutes: 9), Self.crash("second", digest: "cd")]
        let book = QuarantineBook(mode: .on(recovery), store: store, logger: Self.logger)

        await book.load()

        #expect(book["first"] == nil)
        #expect(
            book["second"]?.reason
                == "crashed the server with signal 11 (Segmentation fault) in a call to queryData")
        let kept = try store.get(scope: PluginQuarantine.scope, key: "second")
        #expect(kept.flatMap { PluginQuarantine(encoded: $0.value) } == book["second"])
    }

    @Test func whatWasStoredCountsAlsoWhereCrashesEndTheServer() async throws {
        let store = MemoryKeyValues()
        _ = try store.put(scope: PluginQuarantine.scope, key: "acme", value: Self.entry("ab").encoded, version: nil)
        let book = QuarantineBook(mode: .off, store: store, logger: Self.logger)

        await book.load()
        #expect(book["acme"] == Self.entry("ab"))

        let released = await book.release("acme")
        let again = await book.release("acme")
        #expect(released && !again)
        #expect(try store.keys(scope: PluginQuarantine.scope, prefix: "") == [])
    }

    @Test(arguments: [(2, 0, false), (3, 0, true), (3, 10, false), (0, 0, false)])
    func threeFreshCrashesThatNobodyExplainsEndAllTrust(count: Int, minutes: Int64, isOver: Bool) {
        var recovery = CrashRecovery()
        recovery.crashes = (0..<count).map { _ in Self.crash("", minutes: minutes) } + [Self.crash("acme")]

        #expect(recovery.trustsNobody(at: MonotonicTime.now) == isOver)
    }

    @Test func aNoteThatCannotBeReadEndsAllTrust() {
        var recovery = CrashRecovery()
        recovery.isUnreadable = true

        #expect(recovery.trustsNobody(at: MonotonicTime.now))
    }

    @Test func aPluginThatHangsIsMovedWhileOthersCall() async throws {
        let limits = CallLimits(time: .milliseconds(100), grace: .milliseconds(50))
        try await CrashingPlugin.run(at: .inProcess, limits: limits) { plugin in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await plugin.test.platform.followIncidents() }
                for _ in 0..<3 { _ = try await plugin.answer("hang") }
                try await eventually("the plugin is moved") { plugin.info?.level == .process }
                group.cancelAll()
            }

            #expect(plugin.info?.quarantine?.cause == .hang)
            let isFine = try await plugin.isFine()
            #expect(isFine)
            try await plugin.test.platform.releaseFromQuarantine(id: CrashingPlugin.id)
            #expect(plugin.info?.level == .inProcess && plugin.info?.quarantine == nil)
        }
    }

    @Test func aPluginThatKeepsMemoryIsMoved() async throws {
        try await CrashingPlugin.run(at: .inProcess) { plugin in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await plugin.test.platform.followIncidents() }
                _ = try await plugin.answer("keep-memory")
                try await eventually("the plugin is moved") { plugin.info?.level == .process }
                group.cancelAll()
            }

            #expect(plugin.info?.quarantine?.cause == .memory)
            #expect(plugin.info?.quarantine?.reason.contains("MiB") == true)
        }
    }

    @Test func anotherBuildOfAQuarantinedPluginIsTriedAgain() async throws {
        let store = MemoryKeyValues()
        _ = try store.put(
            scope: PluginQuarantine.scope, key: CrashingPlugin.id, value: Self.entry("another build").encoded,
            version: nil)
        try await CrashingPlugin.run(at: .inProcess) { plugin in
            let entry = try #require(plugin.test.platform.registry[CrashingPlugin.id])
            let book = QuarantineBook(mode: .off, store: store, logger: Self.logger)
            await book.load()

            let holds = await book.holds(entry.plugin)
            #expect(!holds)
            #expect(try store.keys(scope: PluginQuarantine.scope, prefix: "") == [])

            await book.add(entry.plugin, .hang, "did not end")
            let holdsNow = await book.holds(entry.plugin)
            #expect(holdsNow)
        }
    }
}
