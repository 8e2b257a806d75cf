// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct TestDataPredictableTests {
    @Test func pulseDependsOnTheTimeAlone() async throws {
        let wave: JSONValue = ["timeStep": 60, "onCount": 2, "offCount": 3, "onValue": 9, "offValue": "null"]

        let run = await ScenarioRun(["scenarioId": "predictable_pulse", "pulseWave": wave])

        let frame = try #require(run.frames.first)
        #expect(frame.name == "A-series")
        // 1767225600 s / 60 s is a multiple of 5, so the pulse begins at the start of the range.
        #expect(frame.fields[1].doubles == [9, 9, nil, nil, nil, 9, 9, nil, nil, nil])
        #expect(frame.fields[0].times.first == ScenarioRun.start)
    }

    @Test func pulseWithoutStepsIsAlwaysOff() async {
        let wave: JSONValue = ["timeStep": 60, "onCount": 0, "offCount": 0, "onValue": 1, "offValue": "nan"]

        let run = await ScenarioRun(["scenarioId": "predictable_pulse", "pulseWave": wave])

        #expect(run.frames[0].fields[1].doubles.allSatisfy { $0?.isNaN == true })
    }

    @Test(arguments: [0, -1, 1e300] as [Double])
    func impossibleStepIsRefused(step: Double) async {
        let run = await ScenarioRun(["scenarioId": "predictable_pulse", "pulseWave": ["timeStep": .number(step)]])

        #expect(run.reason?.contains("timeStep") == true)
    }

    @Test func csvWaveRepeatsItsValues() async {
        let waves: JSONValue = [
            ["timeStep": 60, "valuesCSV": "0,null,2,", "name": "first", "labels": "{a=b}"],
            ["timeStep": 120, "valuesCSV": "1,nan"],
        ]

        let run = await ScenarioRun(["scenarioId": "predictable_csv_wave", "csvWave": waves])

        #expect(run.frames.map(\.name) == ["first", "A-series1"])
        #expect(run.frames[0].fields[1].labels == ["a": "b"])
        #expect(run.frames[0].fields[1].doubles == [0, nil, 2, 0, nil, 2, 0, nil, 2, 0])
        #expect(run.frames[1].fields[1].doubles.count == 5)
    }

    @Test func datapointsAreOneHourEarly() async {
        let run = await ScenarioRun(["scenarioId": "datapoints_outside_range"])

        #expect(run.frames[0].fields[0].times == [ScenarioRun.start - 3_600_000])
        #expect(run.frames[0].fields[1].doubles == [10])
    }
}

struct TestDataTableTests {
    @Test func staticTable() async {
        let run = await ScenarioRun(ScenarioRun.query(["scenarioId": "table_static"], minutes: 60))

        #expect(run.frames[0].name == "A")
        #expect(run.frames[0].rowCount == 10)
        #expect(run.frames[0].fields[1].texts.first == "This is a message")
        #expect(run.frames[0].fields[3].doubles.last == 23.1)
    }

    @Test func logsGoBackwards() async {
        let run = await ScenarioRun(["scenarioId": "logs", "lines": 3, "seed": 1])

        let frame = run.frames[0]
        #expect(frame.fields.map(\.name) == ["time", "message", "container_id", "hostname"])
        #expect(frame.meta?.preferredVisualisationType == "logs")
        #expect(frame.fields[0].times == [600_000, 540_000, 480_000].map { ScenarioRun.start + $0 })
        #expect(frame.fields[1].texts[0]?.hasPrefix("t=2026-01-01T00:10:00.000Z ") == true)
        #expect(frame.fields[1].texts[0]?.contains("msg=\"Request Completed\" logger=context") == true)
    }

    @Test func logsWithALevelColumn() async {
        let run = await ScenarioRun(["scenarioId": "logs", "levelColumn": true])

        #expect(run.frames[0].fields.last?.name == "level")
        #expect(run.frames[0].fields[1].texts.allSatisfy { $0?.contains("lvl=") == false })
    }

    @Test(arguments: [
        ("exponential_heatmap_bucket_data", ["1", "2", "4", "8", "16", "32", "64", "128", "256", "512"]),
        ("linear_heatmap_bucket_data", ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90"]),
    ])
    func heatmapHasTenBuckets(id: String, names: [String]) async {
        let query = ScenarioRun.query(["scenarioId": .string(id)], minutes: 60, intervalMilliseconds: 1000)

        let run = await ScenarioRun(query)

        #expect(run.frames[0].name == "data")
        #expect(run.frames[0].fields.map(\.name) == ["time"] + names)
        #expect(run.frames[0].rowCount == 72)
        #expect(run.frames[0].fields[1].doubles.allSatisfy { $0.map { $0 == $0.rounded() && $0 < 100 } ?? false })
    }
}

struct TestDataGeneratedTests {
    @Test(arguments: [
        ("", 1, 4, 51), ("values-as-rows", 1, 4, 51), ("values-as-fields", 3, 51, 1),
        ("values-as-labeled-fields", 3, 51, 1), ("timeseries", 153, 2, 10), ("timeseries-wide", 1, 154, 10),
    ])
    func usaModes(mode: String, frames: Int, fields: Int, rows: Int) async {
        let run = await ScenarioRun(["scenarioId": "usa", "usa": ["mode": .string(mode)]])

        #expect(run.frames.count == frames)
        #expect(run.frames[0].fields.count == fields)
        #expect(run.frames[0].rowCount == rows)
    }

    @Test func usaIsDeterministic() async {
        let model: JSONValue = ["scenarioId": "usa", "usa": ["mode": "timeseries-wide", "period": "1h"]]

        #expect(await ScenarioRun(model).frames == ScenarioRun(model).frames)
    }

    @Test func simulationGivesRowsAndAChannel() async {
        let key: JSONValue = ["type": "flight", "tick": 10, "uid": "x"]

        let rows = await ScenarioRun(["scenarioId": "simulation", "sim": ["key": key, "stream": true]])
        let last = await ScenarioRun(["scenarioId": "simulation", "sim": ["key": key, "last": true]])

        #expect(rows.frames[0].fields.map(\.name) == ["time", "lat", "lng", "heading", "altitude"])
        #expect(rows.frames[0].rowCount == 10)
        #expect(rows.frames[0].meta?.channel == "ds/uid1/sim/flight/10hz/x")
        #expect(last.frames[0].fields[0].times == [ScenarioRun.start + 600_000])
    }

    @Test(arguments: [
        ("sine", 0.001, "frequency is too slow"), ("sine", 51, "frequency is too fast"),
        ("rocket", 10, "unknown simulation type: rocket"),
    ])
    func impossibleSimulationIsRefused(type: String, tick: Double, message: String) async {
        let key: JSONValue = ["type": .string(type), "tick": .number(tick)]

        let run = await ScenarioRun(["scenarioId": "simulation", "sim": ["key": key]], queryType: "simulation")

        #expect(run.error?.message == message)
    }

    @Test(arguments: Simulation.all.map(\.type))
    func simulationsAreFiniteAtAllTimes(type: String) throws {
        let simulation = try #require(Simulation.named(type))
        let wild: JSONValue = ["period": 0, "bodies": 1e9, "capacity": -1]
        let times = [Int64.min, -1, 0, 1, .max].map { Timestamp(nanoseconds: $0) }

        for config in [nil, wild] {
            let frame = simulation.frame(at: times, settings: Simulation.Settings(simulation, config: config))
            #expect(frame.fields.dropFirst().allSatisfy { $0.doubles.allSatisfy { $0?.isFinite == true } })
        }
    }

    @Test func arrowFileComesBack() async {
        let frame = DataFrame(name: "mine", fields: [Field("a", [1, 2, 3] as [Int64])])
        let text = Self.base64(frame.arrowFile())

        let run = await ScenarioRun(["scenarioId": "arrow", "stringInput": .string(text)])
        let broken = await ScenarioRun(["scenarioId": "arrow", "stringInput": "AAAA"])

        #expect(run.frames.first?.name == "mine")
        #expect(run.frames.first?.fields == frame.fields)
        #expect(broken.reason?.contains("no Arrow file") == true)
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0...group.count { text.append(alphabet[bits >> (18 - 6 * place) & 63]) }
            text += String(repeating: "=", count: 3 - group.count)
        }
        return text
    }

    @Test func everyFieldTypeComesTwice() async throws {
        let run = await ScenarioRun(["scenarioId": "all_field_types", "lines": 20, "seed": 5])
        let again = await ScenarioRun(["scenarioId": "all_field_types", "lines": 20, "seed": 5])

        let frame = try #require(run.frames.first)
        #expect(frame.fields.count == 2 * FieldType.allCases.count)
        for type in FieldType.allCases {
            let fields = frame.fields.filter { $0.type == type }
            #expect(fields.map(\.isNullable) == [false, true])
            #expect(fields.last?.column.isNull(at: 1) == true)
        }
        #expect(frame.rowCount == 28)
        #expect(frame.field(named: "int64")?.column[3, as: Int64.self] == .min)
        #expect(frame.field(named: "float64")?.column[0, as: Double.self]?.isNaN == true)
        #expect(frame.field(named: "time")?.column[3, as: Timestamp.self]?.nanoseconds == .min)
        #expect(frame.arrowFile() == again.frames[0].arrowFile())
    }
}
