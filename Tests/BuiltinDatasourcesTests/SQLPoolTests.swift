// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Synchronization
import Testing

@testable import BuiltinDatasources

/// Connections of a pool, against databases that do what a test says.
struct SQLPoolTests {
    /// What the connections of one test do and what was done to them.
    private final class Record: Sendable {
        struct State {
            var opened = 0
            var closed = 0
            var cancels = 0
            var aborts = 0
            /// `open` does not return.
            var isDoorShut = false
            var resets = true
        }
        private let state = Watched(State())

        var now: State { state.now }
        func change(_ body: (inout State) -> Void) { state.change(body) }

        func wait(_ message: String, until isTrue: (State) -> Bool) throws {
            let isSo = state.wait(atMost: 30, until: isTrue)
            try #require(isSo, "\(message): \(now)")
        }

        func open() throws -> SQLOpened {
            state.wait { !$0.isDoorShut }
            change { $0.opened += 1 }
            return SQLOpened(connection: Connection(record: self), interrupter: Interrupter(record: self))
        }
    }

    private final class Connection: SQLConnection {
        let record: Record
        init(record: Record) { self.record = record }

        func begin(_ query: SQLQuery) throws -> [String] { [] }
        func fetch(_ limit: SQLBatchLimit) throws -> SQLBatch { SQLBatch(columns: [], rowCount: 0, isLast: true) }
        func reset() -> Bool { record.now.resets }
        var isAlive: Bool { true }
        func ping() throws {}
        func close() { record.change { $0.closed += 1 } }
    }

    private final class Interrupter: SQLInterrupter {
        let record: Record
        init(record: Record) { self.record = record }

        func cancel() { record.change { $0.cancels += 1 } }
        func abort() { record.change { $0.aborts += 1 } }
    }

    private func pool(_ record: Record, maxOpen: Int = 2, maxIdleSeconds: Int = 600) -> SQLPool {
        SQLPool(limits: .init(maxOpen: maxOpen, maxIdleSeconds: maxIdleSeconds)) { try record.open() }
    }

    private func use(_ pool: SQLPool) async throws {
        try await pool.withSession { session in try await session.run { try $0.ping() } }
    }

    @Test func aThreadThatStillConnectsKeepsItsPlace() async throws {
        let record = Record()
        record.change { $0.isDoorShut = true }
        let pool = pool(record)

        for round in 1...5 {
            let task = Task { try await use(pool) }
            while pool.openCount + pool.waitingCount < min(round, 3) { await Task.yield() }
            task.cancel()
            _ = try? await task.value
        }

        #expect(pool.openCount == 2, "no more threads than connections are allowed")
        #expect(pool.waitingCount == 0)
        record.change { $0.isDoorShut = false }
        try record.wait("what was opened in vain is closed") { $0.closed == 2 }
        try await use(pool)
        #expect(record.now.opened == 3)
    }

    @Test func aCancellationThatComesTooLateHitsNobody() async throws {
        let record = Record()
        let pool = pool(record, maxOpen: 1)
        let session = try await pool.withSession { $0 }
        let lease = session.lend()

        #expect(!session.endLease())
        session.cancel(lease)

        try await use(pool)
        #expect(record.now.opened == 1, "the connection is still in use")
        #expect(record.now.cancels == 0)
    }

    @Test func whatGoesOnIsCancelledAndClosed() async throws {
        let record = Record()
        record.change { $0.resets = false }
        let pool = pool(record, maxOpen: 1)

        try await use(pool)

        try record.wait("the server is told, and the connection closed") { $0.cancels == 1 && $0.closed == 1 }
        record.change { $0.resets = true }
        try await use(pool)
        #expect(record.now.opened == 2)
    }

    @Test func connectionsThatNobodyUsesAreClosed() async throws {
        let record = Record()
        let pool = pool(record, maxOpen: 3, maxIdleSeconds: 1)
        record.change { $0.isDoorShut = true }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 { group.addTask { try await use(pool) } }
            while pool.openCount < 3 { await Task.yield() }
            record.change { $0.isDoorShut = false }
            try await group.waitForAll()
        }

        try record.wait("all are closed") { $0.closed == $0.opened }

        while pool.openCount > 0 { await Task.yield() }
        try await use(pool)
    }

    @Test func requestsToCancelThatHangAreFew() async throws {
        let cancellations = SQLCancellations()
        let running = Mutex(0)
        let done = Mutex(0)
        let isOpen = Watched(false)
        for _ in 0..<40 {
            cancellations.add {
                running.withLock { $0 += 1 }
                isOpen.wait { $0 }
                done.withLock { $0 += 1 }
            }
        }
        while running.withLock({ $0 }) < SQLCancellations.maximumThreads { await Task.yield() }

        #expect(running.withLock { $0 } == SQLCancellations.maximumThreads)
        isOpen.change { $0 = true }
        while done.withLock({ $0 }) < 40 { await Task.yield() }
    }
}

/// A value whose changes threads wait for.
///
/// Safety: the value is touched only with the condition locked.
private final class Watched<Value>: @unchecked Sendable {  // Safety: the condition
    private let condition = NSCondition()
    private var value: Value

    init(_ value: Value) { self.value = value }

    var now: Value { condition.withLock { value } }

    func change(_ body: (inout Value) -> Void) {
        condition.withLock {
            body(&value)
            condition.broadcast()
        }
    }

    /// Waits on the calling thread.
    func wait(until isTrue: (Value) -> Bool) {
        condition.withLock {
            while !isTrue(value) { condition.wait() }
        }
    }

    /// Waits on the calling thread; false when it has not happened after so many seconds.
    func wait(atMost seconds: TimeInterval, until isTrue: (Value) -> Bool) -> Bool {
        let end = Date(timeIntervalSinceNow: seconds)
        return condition.withLock {
            while !isTrue(value) {
                guard condition.wait(until: end) else { return isTrue(value) }
            }
            return true
        }
    }
}
