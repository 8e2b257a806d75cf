// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One way to make test data: its entry in the list of scenarios and the function that answers a query.
struct Scenario: Sendable {
    typealias Run = @Sendable (ScenarioQuery, ScenarioOutput) async throws -> Void

    let id: String
    let name: String
    var description = ""
    /// The default of the query's `stringInput`, shown by the query editor.
    var stringInput = ""
    /// Is in the answer of the resource `scenarios`.
    var isListed = true
    let run: Run

    /// Every scenario, sorted by id.
    static let all: [Scenario] =
        (randomWalks + predictable + tables + csv + generated + failures + fieldTypes + frontend)
        .sorted { $0.id < $1.id }

    static let byID: [String: Scenario] = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
}

extension Scenario {
    /// Finds the scenario of a query and runs it.
    ///
    /// - Parameter queryType: names the scenario when it is the id of one; else the query's `scenarioId` does.
    /// - Returns: Why the query was left without an answer, for the log; nil when the scenario ran.
    /// - Throws: ``PluginError``: what the scenario answers instead of, or after, its frames.
    static func answer(
        _ query: ScenarioQuery, queryType: String, into output: ScenarioOutput
    ) async throws -> String? {
        if let scenario = byID[queryType] {
            do {
                try await scenario.run(query, output)
                return nil
            } catch let failure as ScenarioFailure {
                throw PluginError(.invalid, failure.message)
            }
        }
        guard let scenario = byID[query.scenarioID] else { return "unknown scenario \(query.scenarioID)" }
        do {
            try await scenario.run(query, output)
            return nil
        } catch let failure as ScenarioFailure {
            return "\(scenario.id): \(failure.message)"
        }
    }
}

/// Where a scenario puts its frames.
struct ScenarioOutput: Sendable {
    let send: @Sendable (DataFrame) async throws -> Void
    let sleep: @Sendable (Duration) async throws -> Void
    let simulations: SimulationStore
    /// The uid of the data source, for channel names.
    var dataSourceUID = ""
}

/// A scenario could not run at all.
///
/// Grafana answers it only when the query names the scenario in `queryType`; for one found by `scenarioId` it is logged
/// and the query gets no response.
struct ScenarioFailure: Error, Equatable {
    let message: String

    init(_ message: String) { self.message = message }
}

extension Scenario {
    /// A scenario that makes one frame a series, `seriesCount` times.
    static func series(
        _ id: String, _ name: String, description: String = "", stringInput: String = "",
        _ frame: @escaping @Sendable (ScenarioQuery, Int) throws -> DataFrame
    ) -> Scenario {
        Scenario(id: id, name: name, description: description, stringInput: stringInput) { query, output in
            for index in 0..<query.seriesCount {
                try Task.checkCancellation()
                try await output.send(frame(query, index))
            }
        }
    }

    /// A scenario that makes all its frames at once.
    static func frames(
        _ id: String, _ name: String, description: String = "", stringInput: String = "",
        _ frames: @escaping @Sendable (ScenarioQuery) throws -> [DataFrame]
    ) -> Scenario {
        Scenario(id: id, name: name, description: description, stringInput: stringInput) { query, output in
            for frame in try frames(query) { try await output.send(frame) }
        }
    }
}
