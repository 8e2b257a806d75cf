// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension Scenario {
    static let randomWalks: [Scenario] = [
        .series("random_walk", "Random Walk", randomWalk),
        Scenario(id: "random_walk_with_error", name: "Random Walk (with error)") { query, output in
            try await output.send(randomWalk(query, series: 0))
            throw PluginError(
                .internal, "this is an error and it can include URLs http://grafana.com/", source: .plugin)
        },
        Scenario(id: "slow_query", name: "Slow Query", stringInput: "5s") { query, output in
            guard let pause = ScenarioText.duration(query.stringInput) else {
                throw ScenarioFailure("time: invalid duration \"\(query.stringInput)\"; write one such as 5s or 1m30s")
            }
            if pause > .zero { try await output.sleep(pause) }
            try await output.send(randomWalk(query, series: 0))
        },
        .frames("random_walk_table", "Random Walk Table") { [randomWalkTable($0)] },
    ]

    /// The most points of a series, as in Grafana.
    private static let pointLimit = 10_000

    private static func randomWalk(_ query: ScenarioQuery, series index: Int) -> DataFrame {
        var random = query.random(stream: index)
        var walker = query.number("startValue") ?? random.unit() * 100
        let (spread, noise) = (query.number("spread") ?? 1, query.number("noise") ?? 0)
        let (low, high) = (query.number("min"), query.number("max"))
        let dropPercent = query.number("dropPercent") ?? 0
        let times = query.times(limit: pointLimit)
        var kept = ColumnBuilder<Timestamp>(capacity: times.count)
        var values = ColumnBuilder<Double>(isNullable: true, capacity: times.count)
        for time in times {
            var value = walker + random.unit() * noise
            if let low, value < low { (value, walker) = (low, low) }
            if let high, value > high { (value, walker) = (high, high) }
            if !random.chance(percent: dropPercent) {
                kept.append(Timestamp(milliseconds: time))
                values.append(value)
            }
            walker += (random.unit() - 0.5) * spread
        }
        let interval = FieldConfig(interval: Double(query.intervalMilliseconds))
        return DataFrame(
            meta: walkMeta,
            fields: [
                Field("time", column: kept.finish(), config: interval),
                Field(query.seriesName(index), column: values.finish(), labels: query.labels(index)),
            ])
    }

    private static let walkMeta: FrameMeta = {
        var meta = FrameMeta(type: "timeseries-multi", version: FrameMeta.TypeVersion(0, 0))
        meta.custom = ["customStat": 10]
        return meta
    }()

    private static let stateConfig: FieldConfig = {
        var config = FieldConfig()
        config.enumTexts = ["Unknown", "Up", "Down"]
        return config
    }()

    private static func randomWalkTable(_ query: ScenarioQuery) -> DataFrame {
        var random = query.random()
        let hasNulls = query.flag("withNil")
        let spread = query.number("spread") ?? 1
        var walker = query.number("startValue") ?? random.unit() * 100
        var table = WalkTable()
        for time in query.times(limit: min(query.maxDataPoints, pointLimit)) {
            let delta = (random.unit() - 0.5) * spread
            walker += delta
            table.append(time: time, value: walker, delta: delta, spread: spread, random: &random, hasNulls: hasNulls)
        }
        return DataFrame(
            name: query.refID,
            fields: [
                Field("Time", table.times),
                Field("Value", table.values),
                Field("Min", table.minima),
                Field("Max", table.maxima),
                Field("Info", table.infos),
                Field("State", table.states, config: stateConfig),
            ])
    }
}

/// The columns of `random_walk_table`.
private struct WalkTable {
    var times: [Timestamp?] = []
    var values: [Double?] = []
    var minima: [Double?] = []
    var maxima: [Double?] = []
    var infos: [String?] = []
    var states: [EnumIndex] = []

    mutating func append(
        time: Int64, value: Double, delta: Double, spread: Double, random: inout ScenarioRandom, hasNulls: Bool
    ) {
        // A quarter of the cells, each drawn on its own, is null when the query asks for nulls.
        func null(_ random: inout ScenarioRandom) -> Bool { hasNulls && random.chance(percent: 25) }

        let info = (delta >= 0 ? "up" : "down") + (abs(delta) > spread / 3 ? " fast" : "")
        times.append(Timestamp(milliseconds: time))
        values.append(null(&random) ? nil : value)
        minima.append(null(&random) ? nil : value - random.unit() * spread)
        maxima.append(null(&random) ? nil : value + random.unit() * spread)
        infos.append(null(&random) ? nil : info)
        states.append(EnumIndex(UInt16(random.unit() * 3)))
    }
}
