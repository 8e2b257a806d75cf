// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension Scenario {
    static let generated: [Scenario] = [
        Scenario(id: "usa", name: "USA generated data") { query, output in
            for frame in try USAData.frames(query) { try await output.send(frame) }
        },
        Scenario(id: "simulation", name: "Simulation") { query, output in
            try await output.send(simulation(query, output))
        },
        .frames("arrow", "Load Apache Arrow Data") { query in
            let text = ScenarioText.trimmed(query.stringInput)
            guard !text.isEmpty else { return [] }
            guard let bytes = ScenarioText.base64(text) else {
                throw ScenarioFailure("stringInput is not base64; encode an Arrow IPC file")
            }
            do {
                return [try DataFrame(arrow: bytes)]
            } catch {
                throw ScenarioFailure("stringInput is no Arrow file: \(error)")
            }
        },
    ]

    private static func simulation(_ query: ScenarioQuery, _ output: ScenarioOutput) throws -> DataFrame {
        let model = query.model["sim"]
        let key = try SimulationKey(
            type: model?["key"]?["type"]?.string ?? "",
            tick: model?["key"]?["tick"].flatMap(ScenarioQuery.number) ?? 10,
            uid: model?["key"]?["uid"]?.string ?? "")
        guard let simulation = Simulation.named(key.type) else {
            throw ScenarioFailure("unknown simulation type: \(key.type)")
        }
        if let config = model?["config"], config.object != nil {
            try output.simulations.setConfig(config, for: key)
        }
        let isLast = model?["last"]?.bool ?? false
        var frame = simulation.frame(
            at: isLast ? [query.to] : query.rowTimes, settings: output.simulations.settings(key, of: simulation))
        if model?["stream"]?.bool == true {
            var meta = FrameMeta()
            meta.channel = "ds/\(output.dataSourceUID)/sim/\(key.path)"
            frame.meta = meta
        }
        return frame
    }
}
