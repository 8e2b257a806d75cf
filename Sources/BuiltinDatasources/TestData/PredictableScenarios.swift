// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension Scenario {
    static let predictable: [Scenario] = [
        .series(
            "predictable_pulse", "Predictable Pulse",
            description: "A square wave that depends on the time alone: two queries of one moment agree.", pulse),
        .frames(
            "predictable_csv_wave", "Predictable CSV Wave",
            description: "Repeats a list of values; which one comes depends on the time alone.", csvWaves),
        .series("datapoints_outside_range", "Datapoints Outside Range") { query, index in
            let time = Timestamp(nanoseconds: query.from.nanoseconds &- 3_600_000_000_000)
            return timeSeries(
                name: query.seriesName(index), labels: query.labels(index), times: [time], values: [10])
        },
    ]

    private static let pointLimit = 10_000

    /// A number, or the texts `null` and `nan`, or anything else as null.
    private static func waveValue(_ value: JSONValue?, default fallback: Double) throws -> Double? {
        guard let value else { return fallback }
        if let text = value.string { return try waveValue(text[...]) }
        return value.double
    }

    private static func waveValue(_ text: Substring) throws -> Double? {
        let text = ScenarioText.trimmed(text).lowercased()
        switch text {
        case "null": return nil
        case "nan": return .nan
        default:
            guard let number = Double(text) else {
                throw ScenarioFailure("\"\(text)\" is no wave value; write a number, null or nan")
            }
            return number
        }
    }

    /// The step of a wave in nanoseconds.
    private static func waveStep(_ seconds: Double?) throws -> Int64 {
        let seconds = seconds ?? 60
        guard seconds >= 1e-3, seconds <= 1e9 else {
            throw ScenarioFailure("timeStep \(seconds) is out of range; write seconds from 0.001 to 1000000000")
        }
        return Int64(seconds * 1e9)
    }

    private static func pulse(_ query: ScenarioQuery, series index: Int) throws -> DataFrame {
        let wave = query.model["pulseWave"]
        let step = try waveStep(wave?["timeStep"].flatMap(ScenarioQuery.number))
        let onCount = try pulseCount(wave?["onCount"])
        let offCount = try pulseCount(wave?["offCount"])
        let on = try waveValue(wave?["onValue"], default: 2)
        let off = try waveValue(wave?["offValue"], default: 1)
        let length = max(1, onCount + offCount)
        let points = wavePoints(query, step: step) { $0 % length < onCount ? on : off }
        return timeSeries(
            name: query.seriesName(index), labels: query.labels(index), times: points.times, values: points.values)
    }

    private static func pulseCount(_ value: JSONValue?) throws -> Int64 {
        guard let number = value.flatMap(ScenarioQuery.number) else { return 3 }
        guard number >= 0, number <= 1e9 else {
            throw ScenarioFailure("\(number) is no count of pulse steps; write a number from 0 to 1000000000")
        }
        return Int64(number)
    }

    /// Older queries hold one wave instead of a list.
    private static func csvWaves(_ query: ScenarioQuery) throws -> [DataFrame] {
        let waves = query.model["csvWave"].map { $0.array ?? [$0] } ?? []
        return try waves.enumerated().map { index, wave in
            let step = try waveStep(wave["timeStep"].flatMap(ScenarioQuery.number))
            let texts = (wave["valuesCSV"]?.string ?? "").split(separator: ",", omittingEmptySubsequences: false)
            let used = texts.last.map { ScenarioText.trimmed($0).isEmpty } == true ? texts.dropLast() : texts[...]
            let values = try used.map { try waveValue($0) }
            guard !values.isEmpty else {
                throw ScenarioFailure("valuesCSV of wave \(index + 1) holds no values; write some, such as 0,1,2")
            }
            let points = wavePoints(query, step: step) { values[Int($0 % Int64(values.count))] }
            let name = wave["name"]?.string ?? ""
            return timeSeries(
                name: name.isEmpty ? query.seriesName(index) : name,
                labels: ScenarioQuery.labels(wave["labels"]?.string ?? "", seriesIndex: index),
                times: points.times, values: points.values)
        }
    }

    /// The points of a wave, from floor(from / step) on and below `to`.
    ///
    /// - Parameter value: The value of step number t / step, counted from 1970; negative numbers are wrapped up.
    private static func wavePoints(
        _ query: ScenarioQuery, step: Int64, value: (Int64) -> Double?
    ) -> (times: [Timestamp], values: [Double?]) {
        var number = ScenarioText.floorDivide(query.from.nanoseconds, step)
        var times: [Timestamp] = []
        var values: [Double?] = []
        while times.count < pointLimit {
            let (time, hasOverflow) = number.multipliedReportingOverflow(by: step)
            guard !hasOverflow, time < query.to.nanoseconds else { break }
            times.append(Timestamp(nanoseconds: time))
            // Times before 1970 have no step number in Grafana; here the wave goes on to the left from zero.
            values.append(value(number & .max))
            number += 1
        }
        return (times, values)
    }

    /// A frame of `Time` and a nullable `Value` with labels.
    static func timeSeries(
        name: String, labels: Labels, times: [Timestamp], values: [Double?]
    ) -> DataFrame {
        DataFrame(
            name: name,
            fields: [
                Field("Time", times),
                Field("Value", values, labels: labels),
            ])
    }
}
