// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension Scenario {
    static let fieldTypes: [Scenario] = [
        .frames(
            "all_field_types", "All field types",
            description: "Every field type, not nullable and nullable: limits, NaN, infinities, nulls, nanoseconds. "
                + "Further rows (lines) are random and repeat with the same seed."
        ) { query in [allFieldTypes(query)] }
    ]

    /// The most random rows.
    private static let rowLimit = 100_000

    /// Eight rows of limits, then `lines` random ones.
    ///
    /// In the nullable fields every third row is null.
    private static func allFieldTypes(_ query: ScenarioQuery) -> DataFrame {
        let count = min(max(0, query.integer("lines") ?? 0), rowLimit)
        var random = query.random()
        var fields: [Field] = []
        fields += integers("int8", Int8.self, count, &random)
        fields += integers("int16", Int16.self, count, &random)
        fields += integers("int32", Int32.self, count, &random)
        fields += integers("int64", Int64.self, count, &random)
        fields += integers("uint8", UInt8.self, count, &random)
        fields += integers("uint16", UInt16.self, count, &random)
        fields += integers("uint32", UInt32.self, count, &random)
        fields += integers("uint64", UInt64.self, count, &random)
        fields += pair("float32", limits(Float.self) + (0..<count).map { _ in Float(random.unit()) })
        fields += pair("float64", limits(Double.self) + (0..<count).map { _ in random.unit() })
        fields += pair("string", texts + (0..<count).map { _ in String(random.next(), radix: 36) })
        fields += pair("bool", (0..<8).map { $0 % 2 == 1 } + (0..<count).map { _ in random.next() % 2 == 1 })
        fields += pair("time", times + (0..<count).map { _ in randomTime(&random) })
        fields += pair("json", jsonTexts + (0..<count).map { _ in JSONText(#"{"random":\#(random.unit())}"#) })
        let indices = (0..<8).map { $0 % 3 } + (0..<count).map { _ in Int(random.unit() * 3) }
        fields += pair("enum", indices.map { EnumIndex(UInt16($0)) }, config: enumConfig)
        return DataFrame(name: "all_field_types", fields: fields)
    }

    private static let enumConfig: FieldConfig = {
        var config = FieldConfig()
        config.enumTexts = ["low", "medium", "high"]
        return config
    }()

    /// One field without and one with nulls.
    private static func pair<Element: ColumnElement>(
        _ name: String, _ values: [Element], config: FieldConfig? = nil
    ) -> [Field] {
        let holed = values.enumerated().map { index, value -> Element? in index % 3 == 1 ? nil : value }
        return [
            Field(name, values, config: config),
            Field("\(name)_nullable", holed, config: config),
        ]
    }

    private static func integers<Number: FixedWidthInteger & ColumnElement>(
        _ name: String, _ type: Number.Type, _ count: Int, _ random: inout ScenarioRandom
    ) -> [Field] {
        let limits: [Number] = [0, 1, 2, .min, .max, .min + 1, .max - 1, Number.isSigned ? 0 &- 1 : 3]
        return pair(name, limits + (0..<count).map { _ in Number(truncatingIfNeeded: random.next()) })
    }

    private static func limits<Number: BinaryFloatingPoint>(_ type: Number.Type) -> [Number] {
        [
            .nan, .infinity, -.infinity, -.zero, .greatestFiniteMagnitude, .leastNonzeroMagnitude,
            .leastNormalMagnitude, 0.1,
        ]
    }

    private static let texts = [
        "", "plain", "two\nlines", "quote \" backslash \\ tab \t", "<b>&amp;</b>", "äöü 漢字", "👩‍👩‍👧 \u{301}",
        "\u{0}\u{7F}\u{2028}",
    ]

    /// Both ends of 64 bits of nanoseconds, moments before 1970 and each part of a millisecond.
    private static let times: [Timestamp] = [
        0, 1, -1, .min, .max, 1_700_000_000_123_456_789, 1_700_000_000_999_999_999, -62_135_596_800_000_000,
    ].map { Timestamp(nanoseconds: $0) }

    private static func randomTime(_ random: inout ScenarioRandom) -> Timestamp {
        Timestamp(nanoseconds: Int64(random.next() >> 2))
    }

    private static let jsonTexts = [
        "{}", "[]", "null", "true", "-1.5e+300", #""text \u0000 <>&""#, #"{"a":{"b":[1,2,{"c":null}]}}"#,
        "[9007199254740993,18446744073709551615]",
    ].map { JSONText($0) }
}
