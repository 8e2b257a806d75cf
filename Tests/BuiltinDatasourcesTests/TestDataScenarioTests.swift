// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization
import Testing

@testable import BuiltinDatasources

/// Runs scenarios without a host.
struct ScenarioRun {
    /// 2026-01-01T00:00:00Z.
    static let start: Int64 = 1_767_225_600_000

    var frames: [DataFrame] = []
    var error: PluginError?
    /// Why there was no answer.
    var reason: String?

    static func query(
        _ model: JSONValue, minutes: Int64 = 10, intervalMilliseconds: Int64 = 60_000, maxDataPoints: Int = 100
    ) -> ScenarioQuery {
        ScenarioQuery(
            refID: "A", from: Timestamp(milliseconds: start), to: Timestamp(milliseconds: start + minutes * 60_000),
            intervalMilliseconds: intervalMilliseconds, maxDataPoints: maxDataPoints, model: model)
    }

    init(_ query: ScenarioQuery, queryType: String = "", simulations: SimulationStore = SimulationStore()) async {
        let collected = Mutex<[DataFrame]>([])
        let output = ScenarioOutput(
            send: { frame in collected.withLock { $0.append(frame) } }, sleep: { _ in }, simulations: simulations,
            dataSourceUID: "uid1")
        do {
            reason = try await Scenario.answer(query, queryType: queryType, into: output)
        } catch {
            self.error = error as? PluginError
        }
        frames = collected.withLock { $0 }
    }

    init(_ model: JSONValue, queryType: String = "") async {
        await self.init(Self.query(model), queryType: queryType)
    }
}

extension Field {
    var doubles: [Double?] { (0..<count).map { column[$0, as: Double.self] } }
    var texts: [String?] { (0..<count).map { column.string(at: $0) } }
    var times: [Int64?] { (0..<count).map { column[$0, as: Timestamp.self]?.milliseconds } }
}

struct TestDataScenarioTests {
    @Test func idsAreUniqueAndSorted() {
        let ids = Scenario.all.map(\.id)

        #expect(ids == ids.sorted())
        #expect(Set(ids).count == ids.count)
        #expect(Scenario.all.count == 32)
    }

    @Test(arguments: Scenario.all.map(\.id))
    func everyScenarioTakesAnEmptyQuery(id: String) async {
        let run = await ScenarioRun(["scenarioId": .string(id)])

        for frame in run.frames { #expect(frame.fields.allSatisfy { $0.count == frame.rowCount }) }
    }

    @Test(arguments: Scenario.all.map(\.id))
    func everyScenarioTakesFieldsOfTheWrongType(id: String) async {
        let wrong: JSONValue = [
            "scenarioId": .string(id), "alias": 1, "labels": [], "stringInput": ["a": 1], "csvContent": 5,
            "csvFileName": true, "csvWave": "x", "pulseWave": 7, "seriesCount": "many", "lines": [], "spread": "wide",
            "sim": "x", "usa": [1], "seed": "x", "dropPercent": nil,
        ]

        _ = await ScenarioRun(wrong)
    }

    @Test(arguments: Scenario.all.map(\.id))
    func everyScenarioTakesExtremeRanges(id: String) async {
        var query = ScenarioRun.query(["scenarioId": .string(id)])
        query.from = Timestamp(nanoseconds: .min)
        query.to = Timestamp(nanoseconds: .max)
        query.maxDataPoints = 3
        for interval in [Int64.min, 0, .max] {
            query.intervalMilliseconds = interval

            _ = await ScenarioRun(query)
        }
    }

    @Test func unknownScenarioGetsNoAnswer() async {
        let run = await ScenarioRun(["scenarioId": "nonsense"])

        #expect(run.frames.isEmpty)
        #expect(run.error == nil)
        #expect(run.reason == "unknown scenario nonsense")
    }

    @Test func queryTypeNamesTheScenarioFirst() async {
        let run = await ScenarioRun(["scenarioId": "random_walk"], queryType: "table_static")

        #expect(run.frames.first?.fields.map(\.name) == ["Time", "Message", "Description", "Value"])
    }

    @Test func failureIsLoggedForScenarioIDAndAnsweredForQueryType() async {
        let model: JSONValue = ["scenarioId": "slow_query", "stringInput": "soon"]

        let logged = await ScenarioRun(model)
        let answered = await ScenarioRun(model, queryType: "slow_query")

        #expect(logged.error == nil)
        #expect(logged.reason?.contains("invalid duration \"soon\"") == true)
        #expect(answered.error?.code == .invalid)
    }

    @Test func conditionalErrorThrowsInsteadOfCrashing() async {
        let empty = await ScenarioRun(["scenarioId": "server_error_500"])
        let filled = await ScenarioRun(["scenarioId": "server_error_500", "stringInput": "1,2"])

        #expect(empty.error?.code == .internal)
        #expect(empty.error?.message == "Test Data Panic!")
        #expect(filled.frames.count == 1)
    }

    @Test(arguments: [("downstream", ErrorSource.downstream), ("plugin", .plugin), ("", .plugin)])
    func errorSourceIsTheAskedOne(name: String, source: ErrorSource) async {
        let run = await ScenarioRun(["scenarioId": "error_with_source", "errorSource": .string(name)])

        #expect(run.error?.message == "error")
        #expect(run.error?.source == source)
    }
}

struct TestDataRandomWalkTests {
    @Test func isTheDefaultWithGrafanasShape() async throws {
        let run = await ScenarioRun([:])

        let frame = try #require(run.frames.first)
        #expect(run.frames.count == 1)
        #expect(frame.name.isEmpty)
        #expect(frame.fields.map(\.name) == ["time", "A-series"])
        #expect(frame.fields.map(\.isNullable) == [false, true])
        #expect(frame.fields[0].config?.interval == 60_000)
        #expect(frame.fields[1].labels == [:])
        #expect(frame.rowCount == 10)
        #expect(frame.fields[0].times.first == ScenarioRun.start)
        #expect(frame.fields[0].times.last == ScenarioRun.start + 540_000)
        #expect(frame.meta?.type == "timeseries-multi")
        #expect(frame.meta?.typeVersion == FrameMeta.TypeVersion(0, 0))
        #expect(frame.meta?.custom == ["customStat": 10])
    }

    @Test func seriesHaveNamesAndLabels() async {
        let run = await ScenarioRun(["seriesCount": 3, "labels": "{job=\"a\", instance=b-$seriesIndex}"])

        #expect(run.frames.map { $0.fields[1].name } == ["A-series", "A-series1", "A-series2"])
        #expect(run.frames.map { $0.fields[1].labels?["instance"] } == ["b-0", "b-1", "b-2"])
        #expect(run.frames[0].fields[1].labels?["job"] == "a")
    }

    @Test func sameSeedGivesSameValues() async {
        let model: JSONValue = ["seed": 7, "seriesCount": 2, "noise": 3, "dropPercent": 20]

        let (first, second) = (await ScenarioRun(model), await ScenarioRun(model))

        #expect(first.frames == second.frames)
        #expect(first.frames[0].fields[1].doubles != first.frames[1].fields[1].doubles)
    }

    @Test func valuesStayBetweenMinAndMax() async {
        let run = await ScenarioRun(["seed": 1, "startValue": 5, "spread": 100, "noise": 50, "min": 0, "max": 10])

        #expect(run.frames[0].fields[1].doubles.allSatisfy { $0.map { (0...10).contains($0) } ?? false })
    }

    @Test func dropPercentDropsPoints() async {
        let all = await ScenarioRun(["dropPercent": 100])
        let some = await ScenarioRun(ScenarioRun.query(["seed": 1, "dropPercent": 50], minutes: 1000))

        #expect(all.frames[0].rowCount == 0)
        #expect((300...700).contains(some.frames[0].rowCount))
    }

    @Test func atMostTenThousandPoints() async {
        let run = await ScenarioRun(ScenarioRun.query([:], minutes: 10_000, intervalMilliseconds: 0))

        #expect(run.frames[0].rowCount == 10_000)
    }

    @Test func errorComesWithAFrame() async {
        let run = await ScenarioRun(["scenarioId": "random_walk_with_error"])

        #expect(run.frames.count == 1)
        #expect(run.error?.message == "this is an error and it can include URLs http://grafana.com/")
    }

    @Test func tableHasStatesAndNulls() async throws {
        let run = await ScenarioRun(
            ScenarioRun.query(["scenarioId": "random_walk_table", "withNil": true, "seed": 3], minutes: 1000))

        let frame = try #require(run.frames.first)
        #expect(frame.name == "A")
        #expect(frame.fields.map(\.name) == ["Time", "Value", "Min", "Max", "Info", "State"])
        #expect(frame.fields.map(\.isNullable) == [true, true, true, true, true, false])
        #expect(frame.rowCount == 100)
        #expect(frame.fields[5].config?.enumTexts == ["Unknown", "Up", "Down"])
        #expect(frame.fields[1].column.nullCount > 0)
        #expect(Set(frame.fields[4].texts.compactMap { $0 }).isSubset(of: ["up", "down", "up fast", "down fast"]))
    }
}
