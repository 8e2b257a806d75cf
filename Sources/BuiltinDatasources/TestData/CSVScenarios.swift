// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension Scenario {
    /// Also the default input of `server_error_500`.
    static let csvValuesExample = "1,20,90,30,5,0"

    static let csv: [Scenario] = [
        .frames("csv_metric_values", "CSV Metric Values", stringInput: csvValuesExample, csvMetricValues),
        .frames("csv_content", "CSV Content") { query in
            let content = query.text("csvContent")
            guard !content.isEmpty else { return [] }
            return [DataFrame(name: query.alias, fields: try CSVTable(content).fields)]
        },
        .frames("csv_file", "CSV File") { query in
            let name = query.text("csvFileName")
            guard !name.isEmpty else { return [] }
            return [DataFrame(name: name, fields: try CSVTable(sample(named: name)).fields)]
        },
        Scenario(id: "manual_entry", name: "Manual Entry", isListed: false, run: { _, _ in }),
    ]

    private static func sample(named name: String) throws -> String {
        let stem = name.hasSuffix(".csv") ? name.dropLast(4) : ""
        guard !stem.isEmpty, stem.utf8.allSatisfy(isWordByte) else {
            throw ScenarioFailure(
                "invalid csv file name: \(name.debugDescription); write one such as gdp_per_capita.csv")
        }
        guard let text = SampleFiles.byName[name] else {
            let names = SampleFiles.byName.keys.sorted().joined(separator: ", ")
            throw ScenarioFailure("no csv file \(name); there are \(names)")
        }
        return text
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// The values of `stringInput`, spread evenly from `from` to `to`; blank text gives no frame.
    static func csvMetricValues(_ query: ScenarioQuery) -> [DataFrame] {
        let text = ScenarioText.trimmed(query.stringInput)
        guard !text.isEmpty else { return [] }
        let cells = text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
        let (from, to) = (query.fromMilliseconds, query.toMilliseconds)
        let step = cells.count > 1 ? (to - from) / Int64(cells.count - 1) : 0
        let times = cells.indices.map { Timestamp(milliseconds: from + Int64($0) * step) }
        return [
            DataFrame(fields: [
                Field("time", times),
                Field(query.seriesName(0), column: CSVTable.column(ofCells: cells), labels: query.labels(0)),
            ])
        ]
    }
}
