// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization

/// Names one running simulation: its type, how often it moves, and a word that tells twins apart.
struct SimulationKey: Hashable, Sendable {
    var type: String
    /// Rows a second.
    var tick: Double
    var uid: String

    /// - Throws: ``ScenarioFailure`` for an unknown type and for a tick outside 1/60 … 50 Hz.
    init(type: String, tick: Double = 10, uid: String = "") throws {
        guard Simulation.named(type) != nil else { throw ScenarioFailure("unknown simulation type: \(type)") }
        guard tick >= 1.0 / 60 else { throw ScenarioFailure("frequency is too slow") }
        guard tick <= 50 else { throw ScenarioFailure("frequency is too fast") }
        self.type = type
        self.tick = tick
        self.uid = uid
    }

    /// Reads `flight/10hz` or `flight/10hz/some-uid`.
    init(path: Substring) throws {
        let parts = path.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map { String($0) }
        guard let type = parts.first else { throw ScenarioFailure("unknown simulation type: ") }
        var tick = 10.0
        if parts.count > 1 {
            guard parts[1].hasSuffix("hz"), let number = Double(parts[1].dropLast(2)) else {
                throw ScenarioFailure("\(parts[1].debugDescription) is no frequency; write one such as 10hz")
            }
            tick = number
        }
        try self.init(type: type, tick: tick, uid: parts.count > 2 ? parts[2] : "")
    }

    /// `flight/10hz`; the tick has no fraction when it is whole.
    var path: String {
        let hertz = tick == tick.rounded() ? String(Int(tick)) : String(tick)
        return "\(type)/\(hertz)hz" + (uid.isEmpty ? "" : "/\(uid)")
    }

    var interval: Duration { .nanoseconds(Int64(1e9 / tick)) }

    var json: JSONValue { .object(["type": .string(type), "tick": .number(tick), "uid": .string(uid)]) }
}

/// The settings of the simulations that were changed, for all calls of one data source.
final class SimulationStore: Sendable {
    private let configs = Mutex<[SimulationKey: JSONValue]>([:])

    /// The most changed simulations, so that a client cannot fill the memory with them.
    private static let limit = 200

    func config(_ key: SimulationKey) -> JSONValue? { configs.withLock { $0[key] } }

    func settings(_ key: SimulationKey, of simulation: Simulation) -> Simulation.Settings {
        Simulation.Settings(simulation, config: config(key))
    }

    /// - Throws: ``ScenarioFailure`` when too many simulations have settings of their own.
    func setConfig(_ config: JSONValue, for key: SimulationKey) throws {
        guard let simulation = Simulation.named(key.type) else { return }
        // Only known numbers are kept, however large the text was.
        let numbers = Simulation.Settings(simulation, config: config).numbers
        var kept: JSONObject = [:]
        for name in numbers.keys.sorted() { kept[name] = numbers[name].map { .number($0) } }
        try configs.withLock { configs in
            guard configs[key] != nil || configs.count < Self.limit else {
                throw ScenarioFailure("more than \(Self.limit) simulations have settings; use the uid of an older one")
            }
            configs[key] = .object(kept)
        }
    }
}
