// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The answers to resource requests that are known at once; `stream` is ``ResourceLines``.
struct TestDataResources {
    let simulations: SimulationStore

    struct Call {
        var method = "GET"
        /// Without leading slash.
        var path: String
        var query = ""
        var headers: HTTPHeaders = [:]
        var body: [UInt8] = []
    }

    enum Answer: Equatable {
        case text(Int, String)
        case json(Int, JSONValue)
    }

    /// - Throws: ``PluginError`` `.internal` for `boom`.
    func answer(_ call: Call, now: Timestamp) throws -> Answer {
        switch call.path {
        case "": .text(200, Self.greeting)
        case "scenarios": .json(200, Self.scenarios)
        case "test": .json(200, echo(call, body: .string(String(decoding: call.body, as: UTF8.self))))
        case "test/json": echoJSON(call)
        case "boom": throw PluginError(.internal, "boom")
        case "sims": .json(200, Self.simulationTypes)
        case _ where call.path.hasPrefix("sim/"): simulation(call, now: now)
        default: .text(404, "404 page not found")
        }
    }

    private static let greeting = "Hello world from test datasource!"

    private static let scenarios: JSONValue = .array(
        Scenario.all.filter(\.isListed).map { scenario in
            [
                "id": .string(scenario.id), "name": .string(scenario.name),
                "description": .string(scenario.description), "stringInput": .string(scenario.stringInput),
            ]
        })

    private static let simulationTypes: JSONValue = .array(
        Simulation.all.map { simulation in
            [
                "type": .string(simulation.type), "name": .string(simulation.name),
                "description": .string(simulation.description),
                "config": json(Simulation.Settings(simulation, config: nil)),
            ]
        })

    private static func json(_ settings: Simulation.Settings) -> JSONValue {
        .object(JSONObject(settings.numbers.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.number($0.value)) }))
    }

    private func echo(_ call: Call, body: JSONValue) -> JSONValue {
        var headers: JSONObject = [:]
        for (name, value) in call.headers {
            headers[name] = .array((headers[name]?.array ?? []) + [.string(value)])
        }
        let url = "/" + call.path + (call.query.isEmpty ? "" : "?" + call.query)
        return [
            "message": .string(Self.greeting),
            "request": [
                "method": .string(call.method), "url": .string(url), "headers": .object(headers), "body": body,
            ],
        ]
    }

    private func echoJSON(_ call: Call) -> Answer {
        guard !call.body.isEmpty else { return .json(200, echo(call, body: .object([:]))) }
        do {
            return .json(200, echo(call, body: try JSONValue(parsing: call.body)))
        } catch {
            return .text(400, "the body is not JSON: \(error)")
        }
    }

    /// GET tells the state, POST and PUT set the numbers first.
    private func simulation(_ call: Call, now: Timestamp) -> Answer {
        do {
            let key = try SimulationKey(path: ResourceLines.decoded(call.path.dropFirst(4))[...])
            guard let simulation = Simulation.named(key.type) else { return .text(404, "404 page not found") }
            if call.method == "POST" || call.method == "PUT" {
                try simulations.setConfig(try JSONValue(parsing: call.body), for: key)
            }
            let settings = simulations.settings(key, of: simulation)
            let values = zip(
                simulation.fieldNames(settings), simulation.values(Double(now.nanoseconds) / 1e9, settings))
            return .json(
                200,
                [
                    "key": key.json, "config": Self.json(settings),
                    "value": .object(JSONObject(values.map { ($0, JSONValue.number($1)) })),
                ])
        } catch let failure as ScenarioFailure {
            return .text(400, failure.message)
        } catch {
            return .text(400, "the body is not JSON: \(error)")
        }
    }
}
