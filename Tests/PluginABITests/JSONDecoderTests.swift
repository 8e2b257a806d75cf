// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

struct JSONDecoderTests {
    private struct Model: Decodable, Equatable {
        enum Format: String, Decodable { case table, series = "time_series" }
        struct Step: Decodable, Equatable { var count: UInt8; var ratio: Float }

        var expr: String
        var format: Format?
        var steps: [Step] = []
        var labels: [String: String]?
        var hidden: Bool?
        var extra: JSONValue?

        enum CodingKeys: String, CodingKey { case expr, format, steps, labels, hidden = "hide", extra }
    }

    private func failure(_ text: String) throws -> JSONError? {
        let value = try JSONValue(parsing: text)
        return #expect(throws: JSONError.self) { try value.decode(Model.self) }
    }

    @Test func decodesAPluginsModel() throws {
        let value = try JSONValue(
            parsing: #"""
                {"expr":"up","format":"time_series","steps":[{"count":1.0,"ratio":0.5},{"count":255,"ratio":2}],
                 "labels":{"a":"b"},"hide":null,"extra":{"x":[1,null]},"unknown":1}
                """#)

        let model = try value.decode(Model.self)

        let steps = [Model.Step(count: 1, ratio: 0.5), Model.Step(count: 255, ratio: 2)]
        #expect(
            model
                == Model(
                    expr: "up", format: .series, steps: steps, labels: ["a": "b"], hidden: nil, extra: ["x": [1, nil]]))
    }

    @Test func errorsNameThePath() throws {
        #expect(
            try failure(#"{"expr":1,"steps":[]}"#)
                == JSONError(.typeMismatch, "expr: expected a string, found a number"))
        #expect(try failure(#"{"steps":[]}"#) == JSONError(.missingKey, "expr: the key is missing"))
        #expect(
            try failure(#"{"expr":"","steps":[{"count":1,"ratio":1},{"ratio":1}]}"#)
                == JSONError(.missingKey, "steps[1].count: the key is missing"))
        #expect(
            try failure(#"{"expr":"","steps":[{"count":256,"ratio":1}]}"#)
                == JSONError(.outOfRange, "steps[0].count: 256 is not whole or does not fit UInt8"))
        #expect(try failure(#"{"expr":"","steps":{}}"#)?.message == "steps: expected a list, found an object")
        #expect(try failure("[]")?.message == "the JSON value: expected an object, found a list")
        #expect(try failure(#"{"expr":"","steps":[],"format":"x"}"#)?.message.hasPrefix("format: ") == true)
    }

    @Test func decodesWithoutAnObjectAround() throws {
        #expect(try JSONValue.array([1, 2, 3]).decode([Int].self) == [1, 2, 3])
        #expect(try JSONValue.array([1, nil]).decode([Int?].self) == [1, nil])
        #expect(try JSONValue.string("x").decode(String.self) == "x")
        #expect(try JSONValue.number(2.5).decode(Double.self) == 2.5)
        #expect(try JSONValue.object(["a": 1]).decode([String: Int].self) == ["a": 1])
        #expect(throws: JSONError.self) { try JSONValue.number(2.5).decode(Int.self) }
        #expect(throws: JSONError.self) { try JSONValue.number(1e300).decode(Int64.self) }
        #expect(throws: JSONError.self) { try JSONValue.integer(-1).decode(UInt.self) }
    }
}
