// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// Classic conditions.
struct ClassicTests {
    private static func condition(
        _ input: String, _ reducer: String, _ evaluator: String, _ params: [Double] = [], _ link: String = "and"
    ) -> JSONValue {
        [
            "evaluator": ["type": .string(evaluator), "params": .array(params.map { .number($0) })],
            "operator": ["type": .string(link)], "query": ["params": [.string(input)]],
            "reducer": ["type": .string(reducer)],
        ]
    }

    private func classic(
        _ conditions: [JSONValue], a: [DataFrame], b: [DataFrame]? = nil
    ) throws -> ExpressionPlan.Outcome {
        try TestRequest.run(["type": "classic_conditions", "conditions": .array(conditions)], a: a, b: b)
    }

    @Test(
        arguments: [
            ("avg", [1, 3], 2), ("sum", [1, nil, 3], 4), ("min", [3, .nan, 1], 1), ("max", [3, 1], 3),
            ("count", [1, nil, .nan], 3), ("last", [1, 2, nil], 2), ("median", [1, 5, 2, 4], 3),
            ("diff", [5, 1, 9], 4),
            ("diff_abs", [9, 5], 4), ("percent_diff", [-4, 2], 150), ("percent_diff_abs", [4, 2], 50),
            ("count_non_null", [1, nil, .nan], 1), ("diff", [7], 0), ("diff", [7, nil], 0), ("avg", [nil, .nan], nil),
            ("count", [], nil), ("count_non_null", [nil], nil), ("diff", [nil, 3], 0),
        ] as [(String, [Double?], Double?)])
    func classicReducerHasTheValue(name: String, values: [Double?], expected: Double?) {
        #expect(ClassicReducer(rawValue: name)?.reduce(Column(values)) == expected)
    }

    @Test(
        arguments: [
            ("gt", [1], 2, true), ("lt", [1], 2, false), ("eq", [2], 2, true), ("ne", [2], 2, false),
            ("ge", [2], 2, true),
            ("le", [1], 2, false), ("within_range", [3, 1], 2, true), ("within_range", [2, 3], 2, false),
            ("outside_range", [3, 1], 4, true), ("outside_range", [1, 3], 3, false),
            ("within_range_included", [3, 2], 2, true), ("outside_range_included", [3, 2], 2, true),
            ("no_value", [], 2, false),
            ("no_value", [], nil, true), ("gt", [1], nil, false), ("lt", [1], nil, false),
        ] as [(String, [Double], Double?, Bool)])
    func classicEvaluatorDecides(type: String, params: [Double], value: Double?, expected: Bool) throws {
        let model: JSONValue = ["type": .string(type), "params": .array(params.map { .number($0) })]

        #expect(try ClassicEvaluator(model).test(value) == expected)
    }

    @Test func firingConditionSaysWhatMatched() throws {
        let outcome = try classic(
            [Self.condition("A", "max", "gt", [2])],
            a: [
                seriesFrame([1, 3], name: "cpu", labels: ["h": "a"]), seriesFrame([1], name: "cpu", labels: ["h": "b"]),
            ])

        let frame = try #require(outcome.frames.first)
        #expect(outcome.frames.count == 1 && frame.values == [1] && frame.fields[0].name.isEmpty)
        #expect(frame.fields[0].labels == nil)
        #expect(frame.meta?.custom == [["value": "3", "metric": "cpu", "labels": ["h": "a"]]])
    }

    static let folds: [(String, [JSONValue], Double?)] = [
        ("and of true and false", [condition("A", "last", "gt", [0]), condition("B", "last", "gt", [0])], 0),
        ("or of true and false", [condition("A", "last", "gt", [0]), condition("B", "last", "gt", [0], "or")], 1),
        (
            "left to right",
            [
                condition("A", "last", "gt", [0]), condition("A", "last", "gt", [0], "or"),
                condition("B", "last", "gt", [0]),
            ], 0
        ),
        ("no data or firing", [condition("A", "last", "gt", [0]), condition("C", "last", "gt", [0], "or")], nil),
        ("no data and firing", [condition("A", "last", "gt", [0]), condition("C", "last", "gt", [0])], 0),
        ("no value fires", [condition("C", "last", "no_value")], 1),
        ("no data alone", [condition("C", "avg", "gt", [0])], nil),
    ]

    @Test(arguments: 0..<folds.count)
    func conditionsFold(index: Int) throws {
        let (name, conditions, expected) = Self.folds[index]
        var request = TestRequest()
        request.source("A", [seriesFrame([1])])
        request.source("B", [seriesFrame([-1])])
        request.source("C", [seriesFrame([nil])])
        request.expression("R", ["type": "classic_conditions", "conditions": .array(conditions)])

        let outcome = try request.run()["R"]

        #expect(outcome?.frames.first?.values == [expected], "\(name): \(String(describing: outcome))")
    }

    @Test func noDataIsAMatchOfItsOwn() throws {
        let outcome = try classic([Self.condition("A", "last", "gt", [0])], a: [])

        #expect(outcome.frames.first?.values == [nil])
        #expect(outcome.frames.first?.meta?.custom == [["value": "", "metric": "NoData", "labels": nil]])
    }

    static let wrong: [([JSONValue], String)] = [
        ([], "classic conditions need at least one condition"),
        (
            [condition("A", "last", "gt", [0]), condition("A", "last", "gt", [0], "xor")],
            "condition 2 operator must be `and` or `or`"
        ),
        ([condition("", "last", "gt", [0])], "condition 1 is missing the query RefID argument"),
        ([condition("A", "x", "gt", [0])], "invalid reducer 'x' in condition 1"),
        ([condition("A", "last", "x", [0])], "evaluator invalid evaluator type: x"),
        ([condition("A", "last", "within_range", [0])], "ranged evaluator requires 2 parameters"),
    ]

    @Test(arguments: 0..<wrong.count)
    func wrongConditionRefusesTheRequest(index: Int) {
        let (conditions, message) = Self.wrong[index]

        #expect(throws: ExpressionError(.parse, "failed to parse expression 'R': \(message)")) {
            try classic(conditions, a: [])
        }
    }

    @Test(
        arguments: [
            (1, "1"), (-2.5, "-2.5"), (1e21, "1000000000000000000000"), (1.5e-7, "0.00000015"),
            (123456.75, "123456.75"),
            (.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (0, "0"),
        ] as [(Double, String)])
    func matchedValueIsWrittenWithoutExponent(value: Double, text: String) {
        #expect(value.fixedText == text)
    }
}
