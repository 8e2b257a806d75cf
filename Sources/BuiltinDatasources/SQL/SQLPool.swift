// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization

/// The connections of one data source.
final class SQLPool: Sendable {
    struct Limits: Sendable, Equatable {
        /// Connections at one time; 0: no bound.
        var maxOpen = 100
        /// Connections kept when nobody uses them.
        var maxIdle = 100
        /// Seconds after which a connection is replaced; 0: never.
        var maxLifetime = 14_400
        /// Seconds after which a connection that nobody used is closed: what a burst opened does not use up the server's
        /// connections for hours.
        var maxIdleSeconds = 600
    }

    private enum Grant {
        /// A connection of somebody who gave it back.
        case session(SQLSession)
        /// The right to open one.
        case place
    }

    private struct State {
        var idle: [SQLSession] = []
        /// Connections and rights to open one; a thread that still waits for a server counts.
        var open = 0
        var waiters: [OneAnswer<Grant>] = []
    }

    let limits: Limits
    private let connect: @Sendable () throws -> SQLOpened
    private let cancellations = SQLCancellations()
    private let state = Mutex(State())

    init(limits: Limits, connect: @escaping @Sendable () throws -> SQLOpened) {
        self.limits = limits
        self.connect = connect
    }

    deinit {
        state.withLock { $0.idle }.forEach { $0.close() }
    }

    /// Connections that are open or being opened.
    var openCount: Int { state.withLock { $0.open } }

    /// Tasks that wait for a connection.
    var waitingCount: Int { state.withLock { $0.waiters.count } }

    /// Lends a connection to the body.
    ///
    /// Waits while all are in use. A task that is cancelled stops what its connection does; that connection is then not
    /// used again, as the cancellation might come late and hit the next statement.
    func withSession<Value: Sendable>(_ body: (SQLSession) async throws -> Value) async throws -> Value {
        let session = try await take()
        let lease = session.lend()
        do {
            return try await withTaskCancellationHandler {
                do {
                    let value = try await body(session)
                    await giveBack(session)
                    return value
                } catch {
                    await giveBack(session)
                    throw error
                }
            } onCancel: {
                session.cancel(lease)
            }
        } catch {
            throw Task.isCancelled ? PluginError(.cancelled, "the query was cancelled", source: .downstream) : error
        }
    }

    private func take() async throws -> SQLSession {
        while true {
            guard case .session(let session) = try await grant() else { return try await SQLSession.open(self.owner) }
            if !isExpired(session), (try? await session.run({ $0.isAlive })) == true { return session }
            session.close()
        }
    }

    /// What sessions tell the pool, which they do not keep alive.
    private var owner: SQLSession.Owner {
        SQLSession.Owner(
            connect: connect, cancellations: cancellations, patienceSeconds: patienceSeconds,
            releases: { [weak self] session in self?.release(session) ?? true },
            ended: { [weak self] in self?.giveUpPlace() })
    }

    private var patienceSeconds: Int {
        limits.maxLifetime > 0 ? min(limits.maxIdleSeconds, limits.maxLifetime) : limits.maxIdleSeconds
    }

    private func grant() async throws -> Grant {
        let answer = OneAnswer<Grant>()
        let ready: Grant? = state.withLock { state in
            if let session = state.idle.popLast() { return .session(session) }
            guard limits.maxOpen > 0, state.open >= limits.maxOpen else {
                state.open += 1
                return .place
            }
            state.waiters.append(answer)
            return nil
        }
        if let ready { return ready }
        do {
            return try await answer.wait()
        } catch {
            state.withLock { $0.waiters.removeAll { $0 === answer } }
            throw error
        }
    }

    private func giveBack(_ session: SQLSession) async {
        let isClean = (try? await session.run { $0.reset() }) ?? false
        // From here on a cancellation does not reach the connection, which may be somebody else's.
        let wasCancelled = session.endLease()
        if isClean, !wasCancelled, !isExpired(session), offer(session) { return }
        if !isClean, !wasCancelled { session.interrupt() }
        session.close()
    }

    /// Hands a connection to whoever waits, or keeps it; false when there are enough.
    private func offer(_ session: SQLSession) -> Bool {
        while true {
            let (waiter, isKept): (OneAnswer<Grant>?, Bool) = state.withLock { state in
                if !state.waiters.isEmpty { return (state.waiters.removeFirst(), false) }
                guard state.idle.count < limits.maxIdle else { return (nil, false) }
                state.idle.append(session)
                return (nil, true)
            }
            guard let waiter else { return isKept }
            if waiter.give(.success(.session(session))) { return true }
        }
    }

    /// Lets go of a connection that nobody uses; false when somebody does.
    private func release(_ session: SQLSession) -> Bool {
        state.withLock { state in
            guard let place = state.idle.firstIndex(where: { $0 === session }) else { return false }
            state.idle.remove(at: place)
            return true
        }
    }

    /// Hands the right to open a connection to whoever waits.
    private func giveUpPlace() {
        while true {
            let waiter: OneAnswer<Grant>? = state.withLock { state in
                if !state.waiters.isEmpty { return state.waiters.removeFirst() }
                state.open -= 1
                return nil
            }
            guard let waiter else { return }
            if waiter.give(.success(.place)) { return }
        }
    }

    private func isExpired(_ session: SQLSession) -> Bool {
        limits.maxLifetime > 0
            && SQLClock.now - session.openedAt > UInt64(limits.maxLifetime) * 1_000_000_000
    }
}

extension SQLPool.Limits {
    /// Reads the four keys that SQL data sources share.
    ///
    /// - Throws: ``PluginError`` `.invalid` for a number out of range.
    init(jsonData: JSONValue) throws {
        maxOpen = try Self.count("maxOpenConns", in: jsonData) ?? maxOpen
        maxLifetime = try Self.count("connMaxLifetime", in: jsonData) ?? maxLifetime
        maxIdle = try Self.count("maxIdleConns", in: jsonData) ?? maxIdle
        if jsonData["maxIdleConnsAuto"]?.bool == true { maxIdle = maxOpen > 0 ? maxOpen : maxIdle }
    }

    private static func count(_ key: String, in jsonData: JSONValue) throws -> Int? {
        guard let value = jsonData[key], !value.isNull else { return nil }
        let number = value.int ?? value.string.flatMap { Int($0) }
        guard let number, (0...1_000_000_000).contains(number) else {
            throw PluginError(.invalid, "the setting \(key) is not a whole number from 0 on: \(value.encoded())")
        }
        return number
    }
}
