// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Commands

struct TableTextTests {
    static let times = [0, 1_500_000_000, 1_700_000_000_250].map { Timestamp(milliseconds: $0) }

    @Test func columnsAreAlignedAndNumbersStandAtTheRight() throws {
        let frame = DataFrame(fields: [
            Field("Time", Self.times), Field("Value", [1, Double.nan, -Double.infinity], labels: ["job": "node"]),
            Field("state", ["up", nil, "größer 漢字"]),
        ])

        let table = try #require(ResultTable.tables(of: [frame]).first)

        #expect(
            TableText().text(of: table) == """
                Time                     {job="node"}  state
                -----------------------  ------------  -----------
                1970-01-01T00:00:00Z                1  up
                1970-01-18T08:40:00Z              NaN  null
                2023-11-14T22:13:20.25Z          -Inf  größer 漢字

                """)
    }

    @Test func aLongTableIsCut() throws {
        let frame = DataFrame(fields: [Field("n", [Int64](0..<7))])
        let table = try #require(ResultTable.tables(of: [frame]).first)
        let layout = TableText(rowLimit: 5)

        #expect(layout.hiddenRows(of: table) == 2)
        #expect(layout.text(of: table) == "n\n-\n0\n1\n2\n3\n4\n")
        #expect(TableText().hiddenRows(of: table) == 0)
    }

    @Test func dataCannotSteerTheTerminal() throws {
        let frame = DataFrame(fields: [Field("a\u{1B}[2J", ["x\ny\u{7}\u{202E}"])])
        let table = try #require(ResultTable.tables(of: [frame]).first)

        #expect(
            TableText().text(of: table).split(separator: "\n").map(String.init) == [
                "a\\u{1b}[2J", "-----------------", "x\\ny\\u{7}\\u{202e}",
            ])
    }

    @Test func everyFieldTypeHasAText() throws {
        let frame = DataFrame(fields: [
            Field("i8", [Int8(-1)]), Field("u64", [UInt64.max]), Field("i64", [Int64.min]), Field("f32", [Float(0.1)]),
            Field("f64", [1e21]), Field("bool", [true]), Field("json", [JSONText(#"{"a":1}"#)]),
            Field(
                "enum", [EnumIndex(1)],
                config: try FieldConfig(json: JSONText(#"{"type":{"enum":{"text":["a","b"]}}}"#))),
            Field("none", [Double?.none]),
        ])
        let table = try #require(ResultTable.tables(of: [frame]).first)

        #expect(
            table.columns.map { $0.cell(0) } == [
                .value("-1"), .value("18446744073709551615"), .value("-9223372036854775808"), .value("0.1"),
                .value("1e+21"), .value("true"), .value(#"{"a":1}"#), .value("b"), .null,
            ])
    }
}

struct ResultTableTests {
    private func series(_ name: String, _ times: [Int64], _ values: [Double?]) -> DataFrame {
        DataFrame(
            name: name,
            fields: [Field("Time", times.map { Timestamp(milliseconds: $0) }), Field("Value", values)])
    }

    @Test func seriesAreJoinedByTime() throws {
        let tables = ResultTable.tables(of: [series("a", [1, 3], [1, nil]), series("b", [2, 3], [20, 30])])

        let table = try #require(tables.first)
        #expect(tables.count == 1)
        #expect(table.columns.map(\.title) == ["Time", "a", "b"])
        #expect((0..<3).map { table.columns[1].cell($0) } == [.value("1"), .missing, .null])
        #expect((0..<3).map { table.columns[2].cell($0) } == [.missing, .value("20"), .value("30")])
    }

    @Test func seriesWithRepeatedTimesStayApart() {
        let tables = ResultTable.tables(of: [series("a", [1, 1], [1, 2]), series("b", [1], [3])])

        #expect(tables.map(\.title) == ["a", "b"])
    }

    @Test func framesWithoutFieldsAreNoTables() {
        #expect(ResultTable.tables(of: [DataFrame(name: "empty")]).isEmpty)
    }

    @Test(arguments: [
        ("Value", "", ["__name__": "up", "job": "n"], #"up{job="n"}"#),
        ("Value", "cpu", [:], "cpu"),
        ("up", "", ["__name__": "up"], "up"),
        ("Value", "up{a=\"b\"}", ["a": "b"], #"up{a="b"}"#),
        ("Value", "", [:], "Value"),
    ])
    func titlesNameTheSeries(_ field: String, _ frame: String, _ labels: Labels, _ expected: String) {
        let frame = DataFrame(name: frame, fields: [Field(field, [1.0], labels: labels)])

        #expect(SeriesTitle.text(of: frame.fields[0], in: frame) == expected)
    }
}

struct CSVTextTests {
    @Test func valuesAreQuotedWhereRFC4180Asks() throws {
        let frame = DataFrame(fields: [
            Field("a,b", ["x", "say \"hi\"", "two\nlines", nil]), Field("n", [1, 0.5, .nan, 4]),
        ])
        let table = try #require(ResultTable.tables(of: [frame]).first)
        var text = ""

        CSVText.write(table) { text += $0 }

        #expect(text == "\"a,b\",n\r\nx,1\r\n\"say \"\"hi\"\"\",0.5\r\n\"two\nlines\",NaN\r\n,4\r\n")
    }

    @Test func aLoneEmptyValueIsStillALine() throws {
        let frame = DataFrame(fields: [Field("n", [Double?.none])])
        let table = try #require(ResultTable.tables(of: [frame]).first)
        var text = ""

        CSVText.write(table) { text += $0 }

        #expect(text == "n\r\n\"\"\r\n")
    }

    @Test func largeTablesComeInPieces() throws {
        let frame = DataFrame(fields: [Field("n", 0..<Int64(50_000))])
        let table = try #require(ResultTable.tables(of: [frame]).first)
        var pieces: [Int] = []

        CSVText.write(table) { pieces.append($0.utf8.count) }

        #expect(pieces.count > 3)
        #expect(pieces.allSatisfy { $0 < 66_000 })
    }
}
