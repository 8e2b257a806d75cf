// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What a live channel of TestData produces, one frame a tick.
struct TestDataChannel: Sendable {
    private enum Kind: Sendable {
        case walk
        case labeled
        case simulation(SimulationKey, Simulation)
    }

    private let kind: Kind
    /// The time between two ticks.
    let period: Duration
    /// How many of 100 ticks give no frame.
    private let dropPercent: Double
    private var random: ScenarioRandom
    private var walker: Double

    /// The width of the walk and of the band around it.
    private static let spread = 50.0

    /// - Parameter path: the channel below `ds/<uid>/`.
    /// - Throws: ``PluginError`` `.notFound` for a path that there is not.
    init(path: String, seed: Int64? = nil) throws {
        switch path {
        case "random-2s-stream": (kind, period, dropPercent) = (.walk, .seconds(2), 0)
        case "random-flakey-stream": (kind, period, dropPercent) = (.walk, .milliseconds(100), 75)
        case "random-labeled-stream": (kind, period, dropPercent) = (.labeled, .milliseconds(200), 20)
        case _ where path == "random-20Hz-stream" || path.hasPrefix("random-20Hz-stream-"):
            (kind, period, dropPercent) = (.walk, .milliseconds(50), 0)
        default:
            let (key, simulation) = try Self.simulation(path)
            (kind, period, dropPercent) = (.simulation(key, simulation), key.interval, 0)
        }
        random = ScenarioRandom(seed: seed)
        walker = random.unit() * 100
    }

    private static func simulation(_ path: String) throws -> (SimulationKey, Simulation) {
        guard path.hasPrefix("sim/") else {
            throw PluginError(.notFound, "testdata plugin does not support path: \(path)")
        }
        do {
            let key = try SimulationKey(path: path.dropFirst(4))
            guard let simulation = Simulation.named(key.type) else { throw ScenarioFailure(key.type) }
            return (key, simulation)
        } catch let failure as ScenarioFailure {
            throw PluginError(.notFound, failure.message)
        }
    }

    /// The first message of a subscription: the schema alone for random walks, one row for simulations.
    func initialFrame(at now: Timestamp, simulations: SimulationStore) -> DataFrame? {
        switch kind {
        case .walk: Self.walkFrame(times: [], values: [], minima: [], maxima: [])
        case .labeled: nil
        case .simulation(let key, let simulation):
            simulation.frame(at: [now], settings: simulations.settings(key, of: simulation))
        }
    }

    /// The frame of one tick, or nil when the tick is dropped.
    mutating func next(at now: Timestamp, simulations: SimulationStore) -> DataFrame? {
        walker += (random.unit() - 0.5) * Self.spread
        let isDropped = random.chance(percent: dropPercent)
        guard !isDropped else { return nil }
        switch kind {
        case .walk:
            return Self.walkFrame(
                times: [now], values: [walker], minima: [walker - random.unit() * Self.spread],
                maxima: [walker + random.unit() * Self.spread])
        case .labeled:
            return labeledFrame(at: now)
        case .simulation(let key, let simulation):
            return simulation.frame(at: [now], settings: simulations.settings(key, of: simulation))
        }
    }

    private static func walkFrame(
        times: [Timestamp], values: [Double], minima: [Double], maxima: [Double]
    ) -> DataFrame {
        DataFrame(
            name: "testdata",
            fields: [
                Field("Time", times), Field("Value", values), Field("Min", minima), Field("Max", maxima),
            ])
    }

    /// Two rows whose labels are in a column: one of a fixed series, one of a series that changes.
    private mutating func labeledFrame(at now: Timestamp) -> DataFrame {
        let place = Int(random.unit() * 10)
        let other = random.chance(percent: 50) ? "X" : "Y"
        return DataFrame(
            name: "labeled",
            fields: [
                Field("labels", ["s=A,s=p\(place),x=X", "s=B,s=p\(place),x=\(other)"]),
                Field("Time", [now, now]),
                Field("Value", [walker, walker + (random.unit() - 0.5) * Self.spread]),
            ])
    }
}
