// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The statistics of an answer as rows of `meta.stats`.
enum LokiStatistics {
    private static let summary: [(title: String, unit: String)] = [
        ("bytes processed per second", "Bps"), ("lines processed per second", ""),
        ("total bytes processed", "decbytes"), ("total lines processed", ""), ("exec time", "s"),
    ]
    private static let chunks: [(title: String, unit: String)] = [
        ("head chunk bytes", "decbytes"), ("head chunk lines", ""), ("decompressed bytes", "decbytes"),
        ("decompressed lines", ""), ("compressed bytes", "decbytes"), ("total duplicates", ""),
    ]
    private static let groups: [(name: String, key: String, rows: [(title: String, unit: String)])] = [
        ("Summary", "summary", summary),
        (
            "Store", "store",
            [("total chunks ref", ""), ("total chunks downloaded", ""), ("chunks download time", "s")] + chunks
        ),
        (
            "Ingester", "ingester",
            [("total reached", ""), ("total chunks matched", ""), ("total batches", ""), ("total lines sent", "")]
                + chunks
        ),
    ]

    /// The rows; a number that is missing is 0, a group that is missing has none.
    ///
    /// Numbers are looked for right below the group, as Grafana does: Loki's own have moved deeper in part.
    static func rows(_ statistics: JSONText) -> [JSONValue] {
        guard let all = try? JSONValue(parsing: statistics.text.utf8) else { return [] }
        return groups.flatMap { group -> [JSONValue] in
            guard let values = all[group.key], values.object != nil else { return [] }
            return group.rows.map { row in
                var stat: JSONObject = ["displayName": .string("\(group.name): \(row.title)")]
                if !row.unit.isEmpty { stat["unit"] = .string(row.unit) }
                stat["value"] = .number(values[camelCase(row.title)]?.double ?? 0)
                return .object(stat)
            }
        }
    }

    /// `total chunks ref` is `totalChunksRef`.
    private static func camelCase(_ title: String) -> String {
        let words = title.split(separator: " ")
        return words.dropFirst().reduce(String(words[0])) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }
}
