// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI

/// A moving thing whose place depends on the time alone, so that any moment can be asked for without a history.
struct Simulation: Sendable {
    let type: String
    let name: String
    let description: String
    let timeField: String
    let defaults: [(key: String, value: Double)]
    let fieldNames: @Sendable (Settings) -> [String]
    /// One value a field.
    let values: @Sendable (_ seconds: Double, Settings) -> [Double]

    /// The numbers that steer a simulation: what was set over the defaults.
    struct Settings: Sendable {
        var numbers: [String: Double]

        /// - Parameter config: keys that the simulation does not know and values that are no finite numbers are ignored.
        init(_ simulation: Simulation, config: JSONValue?) {
            numbers = Dictionary(uniqueKeysWithValues: simulation.defaults.map { ($0.key, $0.value) })
            for key in numbers.keys {
                guard let number = config?[key]?.double, number.isFinite else { continue }
                numbers[key] = number
            }
        }

        subscript(key: String) -> Double { numbers[key] ?? 0 }

        /// Where in its period a moment is, 0 ..< 1.
        func phase(_ seconds: Double, _ key: String = "period") -> Double {
            let period = abs(self[key])
            guard period > 0 else { return 0 }
            let turns = seconds / period
            return turns - turns.rounded(.down)
        }
    }

    static func named(_ type: String) -> Simulation? { all.first { $0.type == type } }

    /// The state at some times as one frame.
    func frame(at times: [Timestamp], settings: Settings) -> DataFrame {
        let rows = times.map { values(Double($0.nanoseconds) / 1e9, settings) }
        let columns = fieldNames(settings).enumerated().map { index, name in
            Field(name, rows.map { $0[index] })
        }
        return DataFrame(fields: [Field(timeField, times)] + columns)
    }
}

extension Simulation {
    private static let names: @Sendable ([String]) -> @Sendable (Settings) -> [String] = { names in { _ in names } }

    static let all: [Simulation] = [
        Simulation(
            type: "flight", name: "Flight", description: "An aircraft that circles over one place", timeField: "time",
            defaults: [
                ("period", 10), ("centerLat", 37.83), ("centerLng", -122.42349), ("radius", 0.01),
                ("altitudeMin", 350), ("altitudeMax", 400),
            ],
            fieldNames: names(["lat", "lng", "heading", "altitude"])
        ) { seconds, settings in
            let angle = settings.phase(seconds) * 2 * .pi
            let climb = settings["altitudeMax"] - settings["altitudeMin"]
            return [
                settings["centerLat"] + settings["radius"] * sin(angle),
                settings["centerLng"] + settings["radius"] * cos(angle),
                // Anticlockwise over the ground: east of the centre it flies to the north.
                (360 - settings.phase(seconds) * 360).truncatingRemainder(dividingBy: 360),
                settings["altitudeMin"] + climb * (0.5 + 0.5 * sin(angle * 2)),
            ]
        },
        Simulation(
            type: "grot3d", name: "Rotating figure", description: "The angles of a tumbling body, in degrees",
            timeField: "Time", defaults: [("period", 12), ("tilt", 30)], fieldNames: names(["yaw", "pitch", "roll"])
        ) { seconds, settings in
            let angle = settings.phase(seconds) * 2 * .pi
            return [settings.phase(seconds) * 360, settings["tilt"] * sin(angle), settings["tilt"] * cos(angle * 3)]
        },
        Simulation(
            type: "nbody", name: "Bodies in orbit",
            description: "Bodies on circles around one centre; the outer ones are slower, by Kepler's third law",
            timeField: "Time", defaults: [("period", 10), ("bodies", 3), ("spacing", 10)],
            fieldNames: { settings in
                (0..<bodyCount(settings)).flatMap { ["body\($0 + 1).x", "body\($0 + 1).y"] }
            }
        ) { seconds, settings in
            (0..<bodyCount(settings)).flatMap { index in
                let radius = settings["spacing"] * Double(index + 1)
                let scaled = settings.phase(seconds / pow(Double(index + 1), 1.5))
                return [radius * cos(scaled * 2 * .pi), radius * sin(scaled * 2 * .pi)]
            }
        },
        Simulation(
            type: "sine", name: "Sine", description: "A sine wave", timeField: "Time",
            defaults: [("period", 10), ("amplitude", 1), ("offset", 0), ("phase", 0)], fieldNames: names(["Value"])
        ) { seconds, settings in
            let angle = settings.phase(seconds) * 2 * .pi + settings["phase"]
            return [settings["offset"] + settings["amplitude"] * sin(angle)]
        },
        Simulation(
            type: "tank", name: "Tank", description: "A tank that fills slowly and is emptied when it is full",
            timeField: "Time", defaults: [("period", 30), ("capacity", 100)],
            fieldNames: names(["level", "inflow", "outflow"])
        ) { seconds, settings in
            let (phase, full) = (settings.phase(seconds), 0.75)
            let isFilling = phase < full
            let level = isFilling ? phase / full : (1 - phase) / (1 - full)
            let flow = settings["capacity"] / max(abs(settings["period"]), 1e-9)
            return [settings["capacity"] * level, isFilling ? flow / full : 0, isFilling ? 0 : flow / (1 - full)]
        },
    ]

    private static func bodyCount(_ settings: Settings) -> Int { Int(min(max(settings["bodies"], 1), 20)) }
}
