// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension Scenario {
    static let tables: [Scenario] = [
        .frames("table_static", "Table Static") { [staticTable($0)] },
        .frames("logs", "Logs") { [logs($0)] },
        .frames("exponential_heatmap_bucket_data", "Exponential heatmap bucket data") { query in
            [heatmap(query, bounds: (0..<10).map { 1 << $0 })]
        },
        .frames("linear_heatmap_bucket_data", "Linear heatmap bucket data") { query in
            [heatmap(query, bounds: (0..<10).map { $0 * 10 })]
        },
        .frames("no_data_points", "No Data Points") { _ in [] },
    ]

    private static func staticTable(_ query: ScenarioQuery) -> DataFrame {
        let times = query.times(limit: 10).map { Timestamp(milliseconds: $0) }
        return DataFrame(
            name: query.refID,
            fields: [
                Field("Time", times),
                Field("Message", times.map { _ in "This is a message" }),
                Field("Description", times.map { _ in "Description" }),
                Field("Value", times.map { _ in 23.1 }),
            ])
    }

    private static func heatmap(_ query: ScenarioQuery, bounds: [Int]) -> DataFrame {
        var random = query.random()
        let step = query.intervalMilliseconds.multipliedReportingOverflow(by: 50)
        let times = query.times(step: step.overflow ? .max : step.partialValue, limit: 100)
        let buckets = bounds.map { bound in
            let counts = times.map { _ -> Double? in (random.unit() * 100).rounded(.down) }
            return Field(String(bound), counts)
        }
        let moments = times.map { Timestamp(milliseconds: $0) as Timestamp? }
        return DataFrame(name: "data", fields: [Field("time", moments)] + buckets)
    }

    private static let logsMeta: FrameMeta = {
        var meta = FrameMeta()
        meta.preferredVisualisationType = "logs"
        return meta
    }()

    /// The most lines of one answer.
    private static let lineLimit = 100_000

    private static func logs(_ query: ScenarioQuery) -> DataFrame {
        var random = query.random()
        let hasLevelColumn = query.flag("levelColumn")
        let count = min(max(0, query.integer("lines") ?? 10), lineLimit)
        let step = max(1, query.intervalMilliseconds)
        var lines = LogLines()
        for index in 0..<count {
            let (back, hasOverflow) = step.multipliedReportingOverflow(by: Int64(index))
            let (time, isTooOld) = query.toMilliseconds.subtractingReportingOverflow(back)
            // Nanoseconds of 64 bits end in 1677.
            guard !hasOverflow, !isTooOld, time > -9_223_372_036_854 else { break }
            lines.append(time: time, hasLevelColumn: hasLevelColumn, random: &random)
        }
        return DataFrame(
            name: query.refID,
            meta: logsMeta,
            fields: lines.fields + (hasLevelColumn ? [Field("level", lines.levels)] : []))
    }
}

/// The columns of `logs`.
private struct LogLines {
    private static let levelNames = ["emerg", "alert", "crit", "warn", "err", "info", "debug", "trace", "", "unknown"]
    private static let services = ["api", "web", "worker", "scheduler", "mailer"]

    private(set) var levels: [String] = []
    private var times: [Timestamp] = []
    private var messages: [String] = []
    private var containers: [String] = []
    private var hosts: [String] = []

    mutating func append(time: Int64, hasLevelColumn: Bool, random: inout ScenarioRandom) {
        let level = Self.levelNames[Int(random.unit() * Double(Self.levelNames.count))]
        let service = Self.services[Int(random.unit() * Double(Self.services.count))]
        let moment = Timestamp(milliseconds: time)
        let word = hasLevelColumn || level.isEmpty ? "" : "lvl=\(level) "
        let duration = ScenarioText.padded(Int64(random.unit() * 900), 1)
        times.append(moment)
        levels.append(level)
        messages.append(
            "t=\(ScenarioText.rfc3339(nanoseconds: moment.nanoseconds)) \(word)msg=\"Request Completed\" logger=context "
                + "service=\(service) status=200 time_ms=\(duration) size=\(Int(random.unit() * 5000))")
        containers.append(String(random.next(), radix: 16))
        hosts.append("\(service)-\(Int(random.unit() * 20) + 1)")
    }

    var fields: [Field] {
        [
            Field("time", times),
            Field("message", messages),
            Field("container_id", containers),
            Field("hostname", hosts),
        ]
    }
}
