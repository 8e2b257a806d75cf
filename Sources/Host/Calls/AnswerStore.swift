// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Answers of plugins in memory, up to a number of bytes: the least recently used ones make room for new ones.
final class AnswerStore: Sendable {
    private struct Entry {
        var events: [CallEvent]
        var bytes: Int
        var end: ContinuousClock.Instant
        /// The place of its last use.
        var use: UInt64
    }

    private struct State {
        var entries: [QueryCacheKey: Entry] = [:]
        var bytes = 0
        var evictions: UInt64 = 0
        var uses: UInt64 = 0
        /// The keys in the order of their uses; only the last use of each counts.
        var order: [(key: QueryCacheKey, use: UInt64)] = []
        var first = 0
    }

    private let maximumBytes: Int
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex(State())

    init(maximumBytes: Int, now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.maximumBytes = maximumBytes
        self.now = now
    }

    /// An answer whose time is not over.
    subscript(key: QueryCacheKey) -> [CallEvent]? {
        let now = now()
        return state.withLock { state in
            guard let entry = state.entries[key] else { return nil }
            guard entry.end > now else {
                Self.remove(key, &state)
                return nil
            }
            Self.use(key, &state)
            return entry.events
        }
    }

    /// Keeps an answer from now on.
    func insert(_ events: [CallEvent], bytes: Int, for key: QueryCacheKey, lifetime: Duration) {
        // The key is kept twice.
        let bytes = bytes + 2 * key.byteCount + 128
        guard bytes <= maximumBytes else { return }
        let end = now() + lifetime
        state.withLock { state in
            Self.remove(key, &state)
            while state.bytes + bytes > maximumBytes, Self.removeLeastUsed(&state) {}
            state.entries[key] = Entry(events: events, bytes: bytes, end: end, use: 0)
            state.bytes += bytes
            Self.use(key, &state)
        }
    }

    func removeAll(where isChosen: (QueryCacheKey) -> Bool) {
        state.withLock { state in
            for key in state.entries.keys where isChosen(key) { Self.remove(key, &state) }
        }
    }

    /// What is kept, and how much had to go.
    var usage: (count: Int, bytes: Int, evictions: UInt64) {
        state.withLock { ($0.entries.count, $0.bytes, $0.evictions) }
    }

    /// The uses that are remembered.
    var orderLength: Int { state.withLock { $0.order.count } }

    // MARK: Order

    private static func use(_ key: QueryCacheKey, _ state: inout State) {
        state.uses += 1
        state.entries[key]?.use = state.uses
        state.order.append((key, state.uses))
        guard state.order.count > 2 * state.entries.count + 64 else { return }
        state.order = state.order[state.first...].filter { state.entries[$0.key]?.use == $0.use }
        state.first = 0
    }

    private static func remove(_ key: QueryCacheKey, _ state: inout State) {
        if let entry = state.entries.removeValue(forKey: key) { state.bytes -= entry.bytes }
    }

    private static func removeLeastUsed(_ state: inout State) -> Bool {
        while state.first < state.order.count {
            let (key, use) = state.order[state.first]
            state.first += 1
            guard state.entries[key]?.use == use else { continue }
            remove(key, &state)
            state.evictions += 1
            return true
        }
        return false
    }
}
