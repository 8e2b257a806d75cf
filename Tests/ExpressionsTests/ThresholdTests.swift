// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

@testable import Expressions

/// Thresholds and their hysteresis.
struct ThresholdTests {
    private func threshold(
        _ type: String, _ params: JSONValue, _ frames: [DataFrame], _ more: JSONObject = [:]
    ) throws -> ExpressionPlan.Outcome {
        var condition: JSONObject = ["evaluator": ["type": .string(type), "params": params]]
        for (key, value) in more { condition[key] = value }
        return try TestRequest.run(
            ["type": "threshold", "expression": "A", "conditions": [.object(condition)]], a: frames)
    }

    static let values: [Double?] = [1, 2, 3, 4, nil, .nan]
    @Test(
        arguments: [
            ("gt", [2], [0, 0, 1, 1, nil, 0]), ("lt", [2], [1, 0, 0, 0, nil, 0]), ("eq", [2], [0, 1, 0, 0, nil, 0]),
            ("ne", [2], [1, 0, 1, 1, nil, 1]), ("gte", [2], [0, 1, 1, 1, nil, 0]), ("lte", [2], [1, 1, 0, 0, nil, 0]),
            ("within_range", [1, 3], [0, 1, 0, 0, nil, 0]), ("outside_range", [1, 3], [0, 0, 0, 1, nil, 0]),
            ("within_range_included", [1, 3], [1, 1, 1, 0, nil, 0]),
            ("outside_range_included", [1, 3], [1, 0, 1, 1, nil, 0]), ("within_range", [3, 1], [0, 0, 0, 0, nil, 0]),
            ("outside_range", [3, 1], [1, 1, 1, 1, nil, 0]),
        ] as [(String, [Int64], [Double?])])
    func thresholdTestsEachPoint(type: String, params: [Int64], expected: [Double?]) throws {
        let params = JSONValue.array(params.map { .integer($0) })

        let outcome = try threshold(type, params, [seriesFrame(Self.values, labels: ["h": "a"])])

        #expect(outcome.frames.first?.values == expected)
        #expect(outcome.frames.first?.labels == ["h": "a"] && outcome.frames.first?.fields[1].name == "R")
    }

    @Test func thresholdTestsNumbersAndScalarsAndLeavesNoData() throws {
        var request = TestRequest()
        request.expression("M", ["type": "math", "expression": "3"])
        request.expression(
            "R",
            ["type": "threshold", "expression": "M", "conditions": [["evaluator": ["type": "gt", "params": [2]]]]])

        #expect(try request.run()["R"]?.frames.map(\.values) == [[1]])
        #expect(try threshold("gt", [2], [numberFrame(nil)]).frames.map(\.values) == [[nil]])
        #expect(try threshold("gt", [2], []).frames.map(\.name) == ["no data"])
    }

    /// Fingerprints above 2⁶³ are no 64-bit floats.
    @Test func fingerprintsKeepAllOfTheirBits() throws {
        let sets: [Labels] = [["host": "a"], ["instance": "web-1"], ["job": "api"]]
        #expect(sets.allSatisfy { $0.fingerprint > UInt64(Int64.max) })
        let fingerprints = sets.map { "\($0.fingerprint)" }.joined(separator: ",")
        var request = TestRequest()
        request.source("A", (sets + [["host": "b"]]).map { numberFrame(7, labels: $0) })
        request.expression(
            "R",
            text: """
                {"type":"threshold","expression":"A","conditions":[{"evaluator":{"type":"gt","params":[10]},
                "unloadEvaluator":{"type":"lt","params":[5]},"loadedDimensions":{"schema":{"meta":{"type":"fingerprints",
                "typeVersion":[1,0]},"fields":[{"name":"fingerprints","type":"number","typeInfo":{"frame":"uint64"}}]},
                "data":{"values":[[\(fingerprints)]]}}}]}
                """)

        let outcome = try request.run()["R"]

        #expect(outcome?.frames.map(\.labels) == [["host": "b"]] + sets)
        #expect(outcome?.frames.map(\.values) == [[0], [1], [1], [1]])
    }

    private static func loaded(_ sets: [Labels]) -> JSONValue {
        let numbers = sets.map { "\($0.fingerprint)" }.joined(separator: ",")
        let text = """
            {"schema":{"meta":{"type":"fingerprints","typeVersion":[1,0]},"fields":[{"name":"fingerprints",
            "type":"number","typeInfo":{"frame":"uint64"}}]},"data":{"values":[[\(numbers)]]}}
            """
        return (try? JSONValue(parsing: text)) ?? .null
    }

    @Test func loadedLabelSetsFireUntilTheUnloadCondition() throws {
        let frames = [1.0, 6, 11].enumerated().flatMap { index, value in
            [numberFrame(value, labels: ["on": "\(index)"]), numberFrame(value, labels: ["off": "\(index)"])]
        }
        let more: JSONObject = [
            "unloadEvaluator": ["type": "lt", "params": [5]],
            "loadedDimensions": Self.loaded((0...2).map { ["on": "\($0)"] }),
        ]

        let outcome = try threshold("gt", [10], frames, more)

        #expect(
            outcome.frames.map(\.labels) == [
                ["off": "0"], ["off": "1"], ["off": "2"], ["on": "0"], ["on": "1"], ["on": "2"],
            ])
        #expect(outcome.frames.map(\.values) == [[0], [0], [1], [0], [1], [1]])
    }

    @Test func fingerprintsAreThoseOfTheSDK() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "../shared/fixtures/sdk/labels.json").standardized
        let items = try #require(try JSONValue(parsing: Array(Data(contentsOf: file)))["format"]?.array)

        #expect(!items.isEmpty)
        for item in items {
            let object = try JSONValue(parsing: item["json"]?.string ?? "{}").object ?? [:]
            let labels = Labels(uniqueKeysWithValues: object.map { ($0.key, $0.value.string ?? "") })
            #expect(String(labels.fingerprint, radix: 16) == item["fingerprint"]?.string)
            #expect(labels.text == item["string"]?.string)
        }
    }

    @Test(
        arguments: [
            (
                "x", [],
                "invalid condition: expected threshold function to be one of [gt, lt, eq, ne, gte, lte, within_range, outside_range, within_range_included, outside_range_included], got x"
            ),
            (
                "gt", [],
                "invalid condition: incorrect number of arguments for threshold function 'gt': got 0 but need 1"
            ),
            (
                "within_range", [1],
                "invalid condition: incorrect number of arguments for threshold function 'within_range': got 1 but need 2"
            ),
        ] as [(String, [Int64], String)])
    func wrongThresholdRefusesTheRequest(type: String, params: [Int64], message: String) {
        #expect(throws: ExpressionError(.parse, "failed to parse expression 'R': \(message)")) {
            try threshold(type, .array(params.map { .integer($0) }), [])
        }
    }

    @Test(
        arguments: [
            (["unloadEvaluator": ["type": "x"]], "invalid unloadCondition: expected threshold function to be one of"),
            (
                ["unloadEvaluator": ["type": "lt", "params": [1]], "loadedDimensions": 5],
                "failed to parse loaded dimensions: invalid format of loaded dimensions frame: "
            ),
            (
                ["unloadEvaluator": ["type": "lt", "params": [1]], "loadedDimensions": ["schema": ["fields": []]]],
                "failed to parse loaded dimensions: invalid format of loaded dimensions frame: "
            ),
        ] as [(JSONObject, String)])
    func wrongHysteresisRefusesTheRequest(more: JSONObject, message: String) {
        let error = #expect(throws: ExpressionError.self) { try threshold("gt", [1], [], more) }

        #expect(
            error?.message.hasPrefix("failed to parse expression 'R': \(message)") == true, "\(error?.message ?? "")")
    }

    @Test(arguments: [[], [1, 2]] as [[JSONValue]])
    func thresholdNeedsOneCondition(conditions: [JSONValue]) {
        #expect(
            throws: ExpressionError(
                .parse, "failed to parse expression 'R': threshold expression requires exactly one condition")
        ) {
            try TestRequest.run(["type": "threshold", "expression": "A", "conditions": .array(conditions)], a: [])
        }
    }
}
