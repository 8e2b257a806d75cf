// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

struct FrameJSONTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test(arguments: FrameFixtures.names)
    func arrowBecomesTheJSONOfTheSDK(name: String) throws {
        let frame = try DataFrame(arrow: FrameFixtures.arrow(name))

        let json = frame.json()

        #expect(try text(json) == text(FrameFixtures.json(name)))
    }

    @Test(arguments: FrameFixtures.names)
    func jsonBecomesTheFrameOfTheArrowFile(name: String) throws {
        let frame = try DataFrame(json: FrameFixtures.json(name))

        // In this one a nullable field has null as a JSON value, which the text does not tell from a missing one.
        if name != "json" {
            #expect(try frame == DataFrame(arrow: FrameFixtures.arrow(name)))
        }
        #expect(try text(frame.json()) == text(FrameFixtures.json(name)))
        #expect(try DataFrame(arrow: frame.arrowFile()) == frame)
    }

    @Test func includeModesMatchTheSDK() throws {
        let file = FrameFixtures.root.appending(path: "../shared/fixtures/sdk/frame_json_include.json").standardized
        let cases = try #require(try JSONValue(parsing: Array(Data(contentsOf: file))).array)
        let includes: [String: DataFrame.JSONInclude] = [
            "all": .all, "dataOnly": .dataOnly, "schemaOnly": .schemaOnly,
        ]
        let whole = cases.filter { $0["include"]?.string == "all" }
        #expect(whole.count == 6)

        for entry in cases {
            let name = try #require(entry["case"]?.string)
            let include = try #require(includes[entry["include"]?.string ?? ""])
            let source = try #require(whole.first { $0["case"]?.string == name }?["json"]?.string)
            let frame = try DataFrame(json: source.utf8)
            #expect(text(frame.json(include: include)) == entry["json"]?.string)
        }
    }

    @Test func dataWithoutSchemaNeedsOne() throws {
        let frame = DataFrame(name: "n", fields: [Field("v", [1.0, .nan]), Field("s", ["a", "b"])])
        let data = frame.json(include: .dataOnly)

        #expect(throws: FrameError.self) { try DataFrame(json: data) }
        #expect(try DataFrame(json: data, schema: FrameSchema(of: frame)) == frame)
        #expect(try DataFrame(json: frame.json(include: .schemaOnly)).fields.map(\.name) == ["v", "s"])
    }

    @Test func noticesAreAdded() throws {
        var meta = FrameMeta(type: "table")
        meta.notices = [Notice(severity: .info, text: "first")]
        let frame = DataFrame(meta: meta)
        var out = ByteWriter()

        frame.writeJSON(into: &out, extraNotices: [Notice(severity: .warning, text: "second", inspect: 2)])

        let copy = try DataFrame(json: out.finish())
        #expect(copy.meta?.notices.map(\.text) == ["first", "second"])
        #expect(copy.meta?.notices.last == Notice(severity: .warning, text: "second", inspect: 2))
        var bare = ByteWriter()
        DataFrame().writeJSON(into: &bare, include: .schemaOnly, extraNotices: [Notice(text: "t")])
        #expect(
            bare.string() == #"{"schema":{"meta":{"typeVersion":[0,0],"notices":[{"severity":"info","text":"t"}]},"#
                + #""fields":[]}}"#)
    }

    @Test func allTypesComeBack() throws {
        let frame = try frameOfAllTypes()

        #expect(try DataFrame(json: frame.json()) == frame)
    }

    @Test func lenientFormsAreRead() throws {
        let json = #"""
            { "data": {"values": [["1", 2, null], [1e3, "x", 2.5], [1.5, null, "NaN"], [7, 8.0, 9]] , "more": 1},
              "schema": {"fields": [
                {"name": "i", "type": "number", "typeInfo": {"frame": "int64"}},
                {"name": "j", "type": "other", "typeInfo": {"frame": "json.RawMessage"}},
                {"name": "f", "type": "number"},
                {"name": "u", "type": "number", "typeInfo": {"frame": "uint64"}}]}, "extra": [] }
            """#

        let frame = try DataFrame(json: json.utf8)

        #expect(frame.fields[0].column == Column([Int64(1), 2, nil]))
        #expect(frame.fields[1].column == Column([JSONText("1e3"), JSONText("\"x\""), JSONText("2.5")]))
        #expect(frame.fields[2].column[2, as: Double.self]?.isNaN == true)
        #expect(frame.fields[3].column == Column([UInt64(7), 8, 9]))
    }

    @Test(arguments: [
        "", "null", "[]", "{", "{}", #"{"schema":1}"#, #"{"schema":{"fields":{}}}"#, #"{"schema":{"fields":[1]}}"#,
        #"{"schema":{"fields":[{"name":"a","type":"complex"}]}}"#,
        #"{"schema":{"fields":[{"name":"a","typeInfo":{"frame":"complex"}}]}}"#,
        #"{"schema":{"fields":[{"type":"number"}]},"data":{"values":[[1],[2]]}}"#,
        #"{"schema":{"fields":[{"type":"number"}]},"data":{"values":[["x"]]}}"#,
        #"{"schema":{"fields":[{"type":"number"}]},"data":{"values":[[[]]]}}"#,
        #"{"schema":{"fields":[{"type":"number"},{"type":"number"}]},"data":{"values":[[1],[]]}}"#,
        #"{"schema":{"fields":[{"typeInfo":{"frame":"uint8"}}]},"data":{"values":[[256]]}}"#,
        #"{"schema":{"fields":[{"typeInfo":{"frame":"int64"}}]},"data":{"values":[[9223372036854775808]]}}"#,
        #"{"schema":{"fields":[{"typeInfo":{"frame":"int64"}}]},"data":{"values":[[-99999999999999999999999]]}}"#,
        #"{"schema":{"fields":[{"typeInfo":{"frame":"int64"}}]},"data":{"values":[[1.5]]}}"#,
        #"{"schema":{"fields":[{"type":"enum"}]},"data":{"values":[[-1]]}}"#,
        #"{"schema":{"fields":[{"type":"string"}]},"data":{"values":[[1]]}}"#,
        #"{"schema":{"fields":[{"type":"boolean"}]},"data":{"values":[["true"]]}}"#,
        #"{"schema":{"fields":[{"type":"string","labels":{"a":1}}]}}"#,
        #"{"schema":{"fields":[{"type":"string","config":[]}]}}"#, #"{"schema":{"fields":[],"meta":"x"}}"#,
    ])
    func otherTextsAreErrors(json: String) {
        #expect(throws: FrameError.self) { try DataFrame(json: json.utf8) }
    }

    @Test func timesOfAllLengthsAreWritten() throws {
        let milliseconds: [Int64] = [
            -1_700_000_000_000, -1, 0, 7, 99_999_999, 100_000_000, 100_000_001, 199_999_999, 200_000_000, 999_999_999,
            1_000_000_000, 1_699_999_999_999, 1_700_000_000_000, 1_700_000_000_007, 5, 1_700_000_000_010,
            9_223_372_036_854,
        ]
        let frame = DataFrame(fields: [Field("t", milliseconds.map { Timestamp(milliseconds: $0) })])
        let text = String(decoding: frame.json(include: .dataOnly), as: UTF8.self)
        #expect(text == #"{"data":{"values":[["# + milliseconds.map(\.description).joined(separator: ",") + "]]}}")
    }

    @Test func extremeTimesStayInRange() throws {
        let json = #"""
            {"schema":{"fields":[{"type":"time"}]},"data":{"values":[[9223372036854775807,-9223372036854775808,1]],
            "nanos":[[5,-5,999999]],"entities":[{"NaN":[99999999999]}]}}
            """#

        let column = try DataFrame(json: json.utf8).fields[0].column

        #expect(column[0, as: Timestamp.self] == Timestamp(nanoseconds: .max))
        #expect(column[1, as: Timestamp.self] == Timestamp(nanoseconds: .min))
        #expect(column[2, as: Timestamp.self] == Timestamp(nanoseconds: 1_999_999))
    }

    @Test(arguments: FrameFixtures.smallNames)
    func damagedTextsNeverCrash(name: String) throws {
        let original = try FrameFixtures.json(name)

        for index in original.indices {
            #expect(throws: FrameError.self) { try DataFrame(json: original.prefix(index)) }
            for mask in [0x01, 0x10, 0x80] as [UInt8] {
                var bytes = original
                bytes[index] ^= mask
                do throws(FrameError) {
                    let frame = try DataFrame(json: bytes)
                    #expect(readAll(frame) != Int.min)
                    #expect(try DataFrame(json: frame.json()).rowCount == frame.rowCount)
                } catch {
                    #expect(!error.message.isEmpty)
                }
            }
        }
    }
}

struct FrameMetadataTests {
    @Test func keysAreWrittenInTheOrderOfTheSDK() throws {
        var meta = FrameMeta()
        meta.executedQueryString = "up"
        meta.custom = ["k": 1]
        meta.type = "timeseries-multi"
        meta.typeVersion = FrameMeta.TypeVersion(0, 1)
        meta.uniqueRowIDFields = [0, 2]

        #expect(
            meta.json.text == #"{"type":"timeseries-multi","typeVersion":[0,1],"custom":{"k":1},"#
                + #""executedQueryString":"up","uniqueRowIdFields":[0,2]}"#)
    }

    @Test func textStaysUntilAKeyIsSet() throws {
        let text = JSONText(#"{ "unknown": 1.0, "min": null, "unit":"s" }"#)
        var config = try FieldConfig(json: text)

        #expect(config.json == text)
        #expect(config.min == -.infinity)
        #expect(config.max == nil)
        config.unit = "ms"
        config.max = .infinity
        config.enumTexts = ["a"]
        #expect(config.json.text.contains(#""unit":"ms""#))
        #expect(config["unknown"]?.double == 1)
        #expect(config.enumTexts == ["a"])
    }

    @Test func otherThanObjectsAreErrors() {
        for text in ["", "[]", "1", "{", #"{"a":}"#] {
            #expect(throws: FrameError.self) { try FrameMeta(json: JSONText(text)) }
        }
    }

    @Test func labelsAreWrittenInOrder() throws {
        let frame = DataFrame(fields: [Field("v", [1.0], labels: ["b": "2", "a": "<", "Z": "\u{1F9A5}"])])

        let json = String(decoding: frame.json(include: .schemaOnly), as: UTF8.self)

        #expect(json.contains("\"labels\":{\"Z\":\"\u{1F9A5}\",\"a\":\"\\u003c\",\"b\":\"2\"}"))
    }
}
