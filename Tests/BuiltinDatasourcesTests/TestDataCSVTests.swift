// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct TestDataCSVTests {
    @Test func typesAreTheNarrowestThatFit() throws {
        let table = try CSVTable(
            """
            flag, whole ,number,text,nothing,time,Time text
            T,1,1.5,a,null,0,2026-01-01T00:00:00Z
            false,null,2,1,,1500,bad
            ,3,,x,,,2026-01-01T01:00:00.5+01:00
            """)

        #expect(table.fields.map(\.name) == ["flag", "whole", "number", "text", "nothing", "time", "Time text"])
        #expect(table.fields.map(\.type) == [.bool, .int64, .float64, .string, .string, .time, .time])
        #expect(table.fields.allSatisfy { $0.isNullable })
        #expect((0..<3).map { table.fields[0].column[$0, as: Bool.self] } == [true, false, nil])
        #expect((0..<3).map { table.fields[1].column[$0, as: Int64.self] } == [1, nil, 3])
        #expect(table.fields[2].doubles == [1.5, 2, nil])
        #expect(table.fields[4].column.nullCount == 3)
        #expect(table.fields[5].times == [0, 1500, nil])
        #expect(table.fields[6].times == [1_767_225_600_000, nil, 1_767_225_600_500])
    }

    @Test func timeColumnWithoutTimesStaysText() throws {
        let table = try CSVTable("lifetime\nlong\nshort")

        #expect(table.fields[0].type == .string)
    }

    @Test func headerHoldsLabels() throws {
        let table = try CSVTable("\"cpu{host=\"\"a\"\", zone=b}\"\n1")

        #expect(table.fields[0].name == "cpu")
        #expect(table.fields[0].labels == ["host": "a", "zone": "b"])
    }

    @Test func quotesCommasAndLineEnds() throws {
        let table = try CSVTable("a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\r\n\r\nlast,\r")

        #expect(table.fields[0].texts == ["x, \"y\"", "last"])
        #expect(table.fields[1].texts == ["two\nlines", nil])
    }

    @Test(arguments: [
        ("", "failed to read header line: EOF"),
        ("\"a", "failed to read header line: parse error on line 1: extraneous or missing \" in quoted-field"),
        ("a\nb\"c", "failed to read line: parse error on line 2: bare \" in non-quoted field"),
        ("a,b\n1,2\n3", "failed to read line: record on line 3: wrong number of fields"),
        ("a\n\"b\"c", "failed to read line: parse error on line 2: extraneous or missing \" in quoted-field"),
    ])
    func badTextIsRefused(text: String, message: String) {
        #expect(throws: ScenarioFailure(message)) { try CSVTable(text) }
    }

    @Test func metricValuesAreSpreadOverTheRange() async {
        let run = await ScenarioRun(["scenarioId": "csv_metric_values", "stringInput": "1,20,null,30,5,0"])
        let one = await ScenarioRun(["scenarioId": "csv_metric_values", "stringInput": "1.5"])
        let blank = await ScenarioRun(["scenarioId": "csv_metric_values", "stringInput": "  "])

        #expect(run.frames[0].fields[0].times == (0...5).map { ScenarioRun.start + $0 * 120_000 })
        #expect(run.frames[0].fields[1].name == "A-series")
        #expect(run.frames[0].fields[1].type == .int64)
        #expect(one.frames[0].fields[0].times == [ScenarioRun.start])
        #expect(blank.frames.isEmpty)
    }

    @Test func contentIsNamedAfterTheAlias() async {
        let run = await ScenarioRun(["scenarioId": "csv_content", "csvContent": "a,b\n1,2", "alias": "mine"])
        let empty = await ScenarioRun(["scenarioId": "csv_content"])

        #expect(run.frames.map(\.name) == ["mine"])
        #expect(empty.frames.isEmpty)
        #expect(empty.reason == nil)
    }

    @Test(arguments: SampleFiles.byName.keys.sorted())
    func sampleFileIsReadable(name: String) async {
        let run = await ScenarioRun(["scenarioId": "csv_file", "csvFileName": .string(name)])

        #expect(run.frames.first?.name == name)
        #expect((run.frames.first?.rowCount ?? 0) > 2)
    }

    @Test(arguments: ["../etc/passwd", "a/b.csv", ".csv", "missing.csv", "x.csv\n"])
    func otherFileNamesAreRefused(name: String) async {
        let run = await ScenarioRun(["scenarioId": "csv_file", "csvFileName": .string(name)], queryType: "csv_file")

        #expect(run.error?.code == .invalid)
    }
}

struct TestDataTextTests {
    @Test(
        arguments: [
            ("5s", 5_000_000_000), ("1h30m", 5_400_000_000_000), ("500ms", 500_000_000), ("1.5s", 1_500_000_000),
            ("0", 0), ("-2us", -2000),
        ] as [(String, Int64)])
    func duration(text: String, nanoseconds: Int64) {
        #expect(ScenarioText.duration(text) == .nanoseconds(nanoseconds))
    }

    @Test(arguments: ["", "5", "s", "1x", "5s6", "1.2.3s", "9999999999999h", "nan s", "½s"])
    func noDuration(text: String) {
        #expect(ScenarioText.duration(text) == nil)
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999999999Z", -1),
            ("2024-02-29T12:00:00.25+02:00", 1_709_200_800_250_000_000), ("2262-04-11T23:47:16.854775807Z", .max),
        ] as [(String, Int64)])
    func rfc3339(text: String, nanoseconds: Int64) {
        #expect(ScenarioText.rfc3339(text) == nanoseconds)
    }

    @Test(arguments: ["", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01", "9999-01-01T00:00:00Z", "x"])
    func noTime(text: String) {
        #expect(ScenarioText.rfc3339(text) == nil)
    }

    @Test(arguments: [Int64.min, -1, 0, 951_782_400_000_000_000, 1_767_225_600_123_000_000, .max])
    func writtenTimeReadsBackToTheMillisecond(nanoseconds: Int64) {
        let text = ScenarioText.rfc3339(nanoseconds: nanoseconds)

        let floor = ScenarioText.floorDivide(nanoseconds, 1_000_000).multipliedReportingOverflow(by: 1_000_000)
        #expect(ScenarioText.rfc3339(text) == (floor.overflow ? nil : floor.partialValue))
    }

    @Test(arguments: [("", []), ("AQ==", [1]), ("AQI", [1, 2]), ("AQID", [1, 2, 3])] as [(String, [UInt8])])
    func base64(text: String, bytes: [UInt8]) {
        #expect(ScenarioText.base64(text) == bytes)
    }

    @Test(arguments: ["A", "AQ!", "ä"])
    func noBase64(text: String) {
        #expect(ScenarioText.base64(text) == nil)
    }
}
