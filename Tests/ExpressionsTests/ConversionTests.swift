// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

@testable import Expressions

/// The frames of data sources as values.
struct ConversionTests {
    private func answer(_ frames: [DataFrame], type: String = "acme") throws -> ExpressionPlan.Outcome {
        var request = TestRequest()
        request.source("A", frames, type: type)
        request.expression("M", ["type": "math", "expression": "1"])
        return try request.run()["A"] ?? ExpressionPlan.Outcome()
    }

    @Test func noFramesAndNoFieldsAreNoData() throws {
        #expect(try answer([]).frames == [DataFrame(name: "no data", refID: "A")])
        #expect(try answer([DataFrame(name: "why")]).frames == [DataFrame(name: "why", refID: "A")])
        let typed = DataFrame(meta: FrameMeta(type: "timeseries-multi"))
        #expect(try answer([typed]).frames.map(\.fields.count) == [0])
    }

    @Test func aWideFrameBecomesASeriesAColumn() throws {
        let frame = DataFrame(
            fields: [
                Field("t", times([0, 1]).map { Optional($0) }), Field("x", [1, nil] as [Int64?], labels: ["h": "a"]),
                Field("y", [1.5, 2] as [Float]),
            ])

        let frames = try answer([frame]).frames

        #expect(frames.map { $0.fields.map(\.name) } == [["t", "x"], ["t", "y"]])
        #expect(frames.map(\.values) == [[1, nil], [1.5, 2]])
        #expect(frames.allSatisfy { $0.fields[1].type == .float64 && $0.fields[1].isNullable })
        #expect(frames.allSatisfy { !$0.fields[0].isNullable })
        #expect(frames[0].labels == ["h": "a"] && frames[1].fields[1].labels == nil)
        #expect(frames.allSatisfy { $0.meta?.type == "timeseries-multi" })
    }

    @Test func theNameOfAWideFrameGoesToItsValues() throws {
        var frame = seriesFrame([1])
        frame.meta = nil
        frame.name = "cpu"

        #expect(try answer([frame]).frames.map { [$0.name, $0.fields[1].name] } == [["", "cpu"]])
    }

    @Test func aTableOfOneNumberBecomesNumbers() throws {
        let table = DataFrame(fields: [
            Field("host", ["a", nil] as [String?]), Field("n", [1, nil] as [Int64?]), Field("zone", ["x", "y"]),
        ])

        let frames = try answer([table]).frames

        #expect(frames.map(\.labels) == [["host": "a", "zone": "x"], ["host": "", "zone": "y"]])
        #expect(frames.map(\.values) == [[1], [nil]])
        #expect(frames.allSatisfy { $0.fields[0].name == "n" && $0.meta?.type == "numeric-multi" })
    }

    static let wrong: [([DataFrame], String)] = [
        (
            [DataFrame(name: "f", fields: [Field("t", times([0, 1])), Field("v", [1.0])])],
            "frame 'f': field 't' has 2 rows and field 'v' has 1; all fields of a frame need the same number of rows"
        ),
        (
            [DataFrame(fields: [Field("t", times([0])), Field("v", [1.0]), Field("s", ["x"])])],
            "input data must be a wide series but got type long (input refid)"
        ),
        (
            [DataFrame(fields: [Field("t", times([0])), Field("v", [true])])],
            "input data must be a wide series but got type long (input refid)"
        ),
        (
            [DataFrame(fields: [Field("a", [1.0]), Field("b", [1.0])])],
            "input data must be a wide series but got type not (input refid)"
        ),
        (
            [DataFrame(fields: [Field("t", times([0]))])],
            "input data must be a wide series but got type not (input refid)"
        ),
        (
            [DataFrame(fields: [Field("t", [nil] as [Timestamp?]), Field("v", [1.0])])],
            "time series with null time stamps are not supported"
        ),
        (
            [DataFrame(fields: [Field("t", times([0])), Field("v", [JSONText("1")])])],
            "field 'v' has the type json.RawMessage, which is not a number"
        ),
        (
            [DataFrame(meta: FrameMeta(type: "log-lines"), fields: [Field("body", ["x"])])],
            "kind logs (type log-lines) not supported by server side expressions"
        ),
    ]

    @Test(arguments: 0..<wrong.count)
    func otherFramesAreRefused(index: Int) throws {
        let (frames, message) = Self.wrong[index]

        let error = try answer(frames).error

        #expect(error?.message == "[sse.readDataError] [A] got error: \(message)")
        #expect(error?.code == .readData)
    }

    // MARK: Data plane

    @Test func dataPlaneItemsComeByNameAndLabels() throws {
        let frames = try answer([
            seriesFrame([1], name: "b", labels: ["h": "2"]), seriesFrame([2], name: "b", labels: ["h": "1"]),
            seriesFrame([3], name: "a"),
        ]).frames

        #expect(frames.map(\.values) == [[3], [2], [1]])
    }

    @Test func booleansOfTheDataPlaneAreNumbers() throws {
        let frame = DataFrame(
            meta: FrameMeta(type: "timeseries-wide"),
            fields: [Field("t", times([0, 1, 2])), Field("up", [true, false, nil])])

        #expect(try answer([frame]).frames.map(\.values) == [[1, 0, nil]])
    }

    @Test func brokenTypesAreReadByWhatTheyLookLike() throws {
        let frame = DataFrame(
            meta: FrameMeta(type: "numeric-wide"), fields: [Field("n", [1.0, 2]), Field("s", ["a", "b"])])

        #expect(try answer([frame]).frames.map(\.values) == [[1], [2]])
    }

    @Test func versionZeroIsNotTheContract() throws {
        let frame = DataFrame(
            meta: FrameMeta(type: "timeseries-long", version: .init(0, 0)),
            fields: [Field("t", times([0])), Field("v", [1.0]), Field("s", ["x"])])

        #expect(try answer([frame]).error != nil)
    }

    @Test func longNumbersAndSeriesAreLabelledByTheirTexts() throws {
        let numbers = DataFrame(
            meta: FrameMeta(type: "numeric-long"),
            fields: [Field("h", ["b", "a"]), Field("x", [1.0, 2]), Field("y", [true, false])])

        let frames = try answer([numbers]).frames

        #expect(frames.map(\.labels) == [["h": "a"], ["h": "b"], ["h": "a"], ["h": "b"]])
        #expect(frames.map(\.values) == [[2], [1], [0], [1]])
    }

    /// Every long frame of the SDK for Go gives the series of its own wide form.
    @Test func longFramesGiveTheSeriesOfTheSDK() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "../shared/fixtures/sdk/long_wide.json").standardized
        let cases = try #require(try JSONValue(parsing: Array(Data(contentsOf: file))).array)
        var checked = 0
        for item in cases where item["fill"]?.string == "null" && item["error"]?.string ?? "" == "" {
            guard let text = item["input"]?.encoded(), let wideText = item["wide"]?.encoded() else { continue }
            var long = try DataFrame(json: Array(text.utf8))
            let wide = try DataFrame(json: Array(wideText.utf8))
            guard long.fields.contains(where: { $0.type == .string }), long.rowCount > 0 else { continue }
            long.meta = FrameMeta(type: "timeseries-long")
            long.fields = long.fields.filter { $0.type != .json }

            let series = try answer([long]).frames

            #expect(
                Set(series.map(Self.points)) == Set(Self.columns(of: wide).map(Self.points)), "\(item["case"] ?? "")")
            checked += 1
        }
        #expect(checked > 0)
    }

    /// The columns of a wide frame as series.
    private static func columns(of wide: DataFrame) -> [DataFrame] {
        guard let time = wide.fields.first(where: { $0.type == .time }) else { return [] }
        return wide.fields.filter { $0.type.isNumeric || $0.type == .bool }.map { DataFrame(fields: [time, $0]) }
    }

    /// Name, labels and the points with a value.
    private static func points(_ frame: DataFrame) -> String {
        let points = (0..<frame.rowCount).compactMap { row -> String? in
            guard let value = frame.fields[1].column.double(at: row) else { return nil }
            return "\(frame.fields[0].column.double(at: row) ?? 0)=\(value)"
        }
        return "\(frame.fields[1].name) {\(frame.labels.text)} \(points)"
    }

    // MARK: Sources with ways of their own

    @Test func anOldPrometheusVectorIsNumbers() throws {
        var frame = DataFrame(
            name: "up", fields: [Field("Time", times([0])), Field("Value", [1.0], labels: ["job": "x"])])
        var meta = FrameMeta()
        meta.custom = ["resultType": "vector"]
        frame.meta = meta

        let numbers = try answer([frame], type: "prometheus").frames
        let series = try answer([frame]).frames

        #expect(numbers.map { $0.fields.map(\.name) } == [["up"]] && numbers[0].labels == ["job": "x"])
        #expect(series.map { $0.fields.count } == [2])
    }

    @Test(arguments: ["graphite", "grafana-testdata-datasource", "influxdb", "dynatrace"])
    func seriesWithoutLabelsGetTheirName(type: String) throws {
        var one = seriesFrame([1], name: "x")
        var other = seriesFrame([2], name: "y")
        (one.meta, other.meta) = (nil, nil)
        #expect(try answer([one, other], type: type).frames.map(\.labels) == [["__name__": "x"], ["__name__": "y"]])

        // Equal names are none; the display name goes first.
        one.fields[1].name = "y"
        #expect(try answer([one, other], type: type).frames.map(\.labels) == [[:], [:]])
        one.fields[1].config = FieldConfig(displayNameFromDS: "first")
        other.fields[1].config = FieldConfig(displayNameFromDS: "second")
        #expect(
            try answer([one, other], type: type).frames.map(\.labels)
                == [["__name__": "first"], ["__name__": "second"]])

        other.fields[1].labels = ["h": "a"]
        #expect(try answer([one, other], type: type).frames.map(\.labels) == [[:], ["h": "a"]])
    }

    @Test func influxTablesAreSkipped() throws {
        var series = seriesFrame([1])
        series.meta = nil
        let table = DataFrame(fields: [Field("a", [1.0]), Field("b", [1.0])])

        #expect(try answer([table, series], type: "influxdb").frames.map(\.values) == [[1]])
        #expect(try answer([table, table], type: "influxdb").frames.map(\.name) == ["no data"])
    }

    @Test func noticesOfASourceStayOnItsFirstFrame() throws {
        var request = TestRequest()
        request.source("A", [seriesFrame([1]), seriesFrame([2])])
        request.expression("M", ["type": "math", "expression": "$A"])
        request.notices("A", [Notice(severity: .warning, text: "careful")])

        let outcomes = try request.run()

        #expect(outcomes["A"]?.frames.map { $0.meta?.notices.map(\.text) } == [["careful"], []])
        #expect(outcomes["M"]?.frames.first?.meta?.notices == [])
    }

    @Test func columnsOfFloatsAreTakenWhereTheyLie() throws {
        let frame = seriesFrame([1, nil, 3])

        let result = try answer([frame]).frames

        let pointers = [frame, result[0]].map { $0.fields.map { $0.column.values.pointer } }
        #expect(pointers[0] == pointers[1])
    }

    /// A toggle of the operator's makes declared types count for nothing.
    @Test func declaredTypesMayBeIgnored() throws {
        let long = DataFrame(
            meta: FrameMeta(type: "timeseries-long"),
            fields: [Field("t", times([0, 1])), Field("host", ["a", "b"]), Field("v", [1.0, 2])])
        var request = TestRequest()
        request.source("A", [long])

        #expect(try request.run()["A"]?.frames.map(\.labels) == [["host": "a"], ["host": "b"]])
        request.limits.readsDataPlane = false
        #expect(try request.run()["A"]?.error?.message.contains("wide series but got type long") == true)
    }
}
