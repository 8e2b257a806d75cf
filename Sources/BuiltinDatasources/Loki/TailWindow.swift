// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Which lines of a tail were seen lately: what carries it over a lost connection without a line lost or doubled.
///
/// A new connection asks for lines from ``start`` on, a little before the newest, since lines of several streams do not come
/// in the order of their times. Those that were seen are recognized.
struct TailWindow: Sendable, Equatable {
    /// How far lines may come behind newer ones and still be found again.
    static let overlapNanoseconds: Int64 = 5_000_000_000
    /// More lines than this are not kept in mind; the window gets shorter then.
    static let maximumCount = 100_000

    private(set) var newest: Timestamp?
    private var seen: Set<LogLineKey> = []
    /// What was before this is not known any more.
    private var floor = Timestamp(nanoseconds: .min)
    private var countAfterPruning = 0

    init() {}

    /// Where a new connection has to begin; nil before the first line.
    var start: Timestamp? {
        newest.map { max(floor, Timestamp(nanoseconds: $0.nanoseconds &- Self.overlapNanoseconds)) }
    }

    /// Whether a line was not seen before; it is from now on.
    mutating func isNew(_ key: LogLineKey) -> Bool {
        guard seen.insert(key).inserted else { return false }
        newest = newest.map { max($0, key.time) } ?? key.time
        if seen.count > 2 * countAfterPruning + 1000 { prune(to: Self.maximumCount) }
        return true
    }

    /// Leaves out what is older: it was not asked for.
    mutating func begin(at time: Timestamp) { floor = max(floor, time) }

    func contains(_ key: LogLineKey) -> Bool { seen.contains(key) }

    /// Forgets what is before the window, and the older half of it when it is too large.
    mutating func prune(to maximum: Int) {
        if let start { seen = seen.filter { $0.time >= start } }
        if seen.count > maximum {
            let times = seen.map(\.time).sorted()
            // All lines of one time go or stay together.
            let last = times[times.count - 1 - maximum / 2]
            floor = Timestamp(nanoseconds: last.nanoseconds &+ 1)
            seen = seen.filter { $0.time > last }
        }
        countAfterPruning = seen.count
    }
}

// MARK: - Tokens

extension TailWindow {
    private static let maximumTokenCount = 2000

    /// The window as bytes, by which a stream goes on after a reload of the plugin.
    var token: [UInt8] {
        guard newest != nil else { return [] }
        var window = self
        window.prune(to: Self.maximumTokenCount)
        let lines = window.seen.sorted { ($0.time, $0.hash) < ($1.time, $1.hash) }.map { key -> JSONValue in
            [.integer(key.time.nanoseconds), .string(String(key.hash, radix: 16))]
        }
        let value: JSONValue = [
            "newest": .integer(newest?.nanoseconds ?? 0), "floor": .integer(window.floor.nanoseconds),
            "seen": .array(lines),
        ]
        return Array(value.encoded().utf8)
    }

    /// Goes on where a token was made; anything else is an empty window.
    init(token: [UInt8]) {
        guard let value = try? JSONValue(parsing: token), let newest = value["newest"]?.int,
            let floor = value["floor"]?.int, let lines = value["seen"]?.array, lines.count <= Self.maximumTokenCount
        else { return }
        self.newest = Timestamp(nanoseconds: Int64(newest))
        self.floor = Timestamp(nanoseconds: Int64(floor))
        for line in lines {
            guard let time = line[0]?.int, let hash = line[1]?.string.flatMap({ UInt64($0, radix: 16) }) else {
                continue
            }
            seen.insert(LogLineKey(time: Timestamp(nanoseconds: Int64(time)), hash: hash))
        }
        countAfterPruning = seen.count
    }
}
