// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// Which items of two results join, and what the result has.
struct MathUnionTests {
    private static func numbers(_ labels: [Labels?]) -> [DataFrame] {
        labels.enumerated().map { numberFrame(Double($0 + 1), labels: $1) }
    }

    /// Labels of A, labels of B, and the labels with the sums.
    static let unions: [(String, [Labels?], [Labels?], [(Labels, Double)])] = [
        (
            "equal labels join", [["id": "1"], ["id": "2"]], [["id": "2"], ["id": "1"]],
            [(["id": "1"], 3), (["id": "2"], 3)]
        ),
        ("one without labels joins all", [nil], [["a": "1"], ["a": "2"]], [(["a": "1"], 2), (["a": "2"], 3)]),
        (
            "contained labels join with the larger", [["a": "1"]], [["a": "1", "b": "x"], ["a": "2", "b": "y"]],
            [(["a": "1", "b": "x"], 2)]
        ),
        (
            "the left may be the larger", [["a": "1", "b": "x"], ["a": "2", "b": "x"]], [["a": "2"]],
            [(["a": "2", "b": "x"], 3)]
        ),
        (
            "different labels of one length drop", [["a": "1"], ["a": "2"]], [["b": "1"], ["a": "1"]], [(["a": "1"], 3)]
        ),
        (
            "overlap without containing drops", [["a": "1", "b": "1"], ["a": "1"]],
            [["b": "1", "c": "1", "d": "1"], ["a": "1"]], [(["a": "1"], 4), (["a": "1", "b": "1"], 3)]
        ),
        ("one on each side joins and loses labels", [["a": "1"]], [["b": "2"]], [([:], 2)]),
        (
            "duplicates join each with each", [["a": "1"], ["a": "1"]], [["a": "1"]],
            [(["a": "1"], 2), (["a": "1"], 3)]
        ),
        ("nothing joins", [["a": "1"], ["a": "2"]], [["a": "3"], ["a": "4"]], []),
        ("an empty value is a value", [["a": ""], ["a": "x"]], [["a": "", "b": "1"]], [(["a": "", "b": "1"], 2)]),
    ]

    @Test(arguments: 0..<unions.count)
    func unionHasThePairs(index: Int) throws {
        let (name, left, right, expected) = Self.unions[index]

        let frames = try TestRequest.math("$A + $B", a: Self.numbers(left), b: Self.numbers(right))

        #expect(frames.map(\.labels) == expected.map(\.0), "\(name)")
        #expect(frames.map(\.values) == expected.map { [$0.1] }, "\(name)")
    }

    @Test func droppedItemsAreNoticed() throws {
        let left = Self.numbers([["id": "1"], ["id": "2"]])
        let right = Self.numbers([["id": "1"]] + (3...9).map { ["id": "\($0)"] })

        let frames = try TestRequest.math("$A+$B", a: left, b: right)

        let notice = try #require(frames.first?.meta?.notices.first)
        #expect(notice.severity == .warning)
        #expect(
            notice.text == """
                8 items dropped from union(s): ["$A + $B": ($A: {id=2}) \
                ($B: {id=3} {id=4} {id=5} {id=6} {id=7}...2 more...)]
                """)
    }

    @Test func droppedItemsOfTwoOperatorsAreNoticed() throws {
        let left = Self.numbers([["id": "1"], ["id": "2"]])
        let right = Self.numbers([["id": "1"], ["id": "3"]])

        let frames = try TestRequest.math("abs($A + $B) * (1 + $B)", a: left, b: right)

        #expect(
            frames.first?.meta?.notices.map(\.text) == [
                """
                3 items dropped from union(s): ["$A + $B": ($A: {id=2}) ($B: {id=3})] \
                ["abs($A + $B) * 1 + $B": (1 + $B: {id=3})]
                """
            ])
    }

    @Test func noDataStaysOrDoesNotMatter() throws {
        let empty = DataFrame(name: "none")

        #expect(try TestRequest.math("$A + 1", a: [empty]).map(\.fields.count) == [0])
        #expect(
            try TestRequest.math("$A + $B", a: Self.numbers([["a": "1"], ["a": "2"]]), b: []).map(\.name) == ["no data"]
        )
        #expect(try TestRequest.math("-abs($A)", a: [empty]).map(\.name) == ["none"])
    }

    @Test func tablesOfNoRowsGiveNothing() throws {
        let table = DataFrame(fields: [Field("host", [String]()), Field("v", [Double]())])

        #expect(try TestRequest.math("$A + 1", a: [table]).isEmpty)
    }

    // MARK: Series

    @Test func seriesJoinWhereTimesAreEqual() throws {
        let frames = try TestRequest.math(
            "$A - $B", a: [seriesFrame([1, 2, nil, 4, 5], at: [0, 1, 2, 3, 4])],
            b: [seriesFrame([10, 20, 30, nil], at: [1, 2, 3, 4])])

        #expect(frames.count == 1)
        #expect(frames[0].seconds == [1, 2, 3, 4])
        #expect(frames[0].values == [-8, nil, -26, nil])
        #expect(frames[0].fields.map(\.name) == ["Time", "R"])
        #expect(frames[0].fields.map(\.isNullable) == [false, true])
        #expect(frames[0].name.isEmpty && frames[0].refID == "R")
        #expect(frames[0].meta?.type == "timeseries-multi" && frames[0].meta?.typeVersion == .init(0, 1))
    }

    @Test(
        arguments: [
            ([0, 1, 2], [0, 1, 2], [0, 1, 2]), ([2, 0, 1], [0, 1, 2], [2, 0, 1]), ([0, 5, 9], [1, 2, 3], []),
            ([1, 1, 2], [0, 1, 2], [1, 1, 2]), ([0, 1, 2], [2, 1, 0], [0, 1, 2]), ([1, 2], [0, 1, 2, 3], [1, 2]),
            ([1, 3], [0, 1, 2, 3], [1, 3]), ([], [1], []), ([0, 1, 2, 3], [1, 3], [1, 3]),
        ] as [([Int64], [Int64], [Int64])])
    func timesMayComeInAnyOrder(left: [Int64], right: [Int64], expected: [Int64]) throws {
        let frames = try TestRequest.math(
            "$A * 100 + $B", a: [seriesFrame(left.map { Double($0) }, at: left)],
            b: [seriesFrame(right.map { Double($0) }, at: right)])

        #expect(frames.map(\.seconds) == [expected])
        #expect(frames.map(\.values) == [expected.map { Double($0) * 101 }])
    }

    @Test func ofTwoPointsAtOneTimeTheLastOfTheRightCounts() throws {
        let frames = try TestRequest.math(
            "$A + $B", a: [seriesFrame([1, 2], at: [5, 5])], b: [seriesFrame([10, 20], at: [5, 5])])

        #expect(frames.map(\.values) == [[21, 22]])
    }

    @Test func seriesAndNumbersCombinePointByPoint() throws {
        let series = [seriesFrame([1, nil, 3], labels: ["h": "a"])]

        #expect(try TestRequest.math("$A / $B", a: series, b: [numberFrame(2)]).map(\.values) == [[0.5, nil, 1.5]])
        #expect(try TestRequest.math("$B - $A", a: series, b: [numberFrame(2)]).map(\.values) == [[1, nil, -1]])
        #expect(try TestRequest.math("$A + $B", a: series, b: [numberFrame(nil)]).map(\.values) == [[nil, nil, nil]])
        #expect(try TestRequest.math("$A > 1", a: series).map(\.labels) == [["h": "a"]])
        #expect(try TestRequest.math("null() + $A", a: series).map(\.values) == [[nil, nil, nil]])
        #expect(try TestRequest.math("is_null($A)", a: series).map(\.values) == [[0, 1, 0]])
        #expect(try TestRequest.math("!$A", a: series).map(\.values) == [[0, nil, 0]])
        #expect(same(try TestRequest.math("abs($A)", a: series)[0].values, [1, .nan, 3]))
    }

    @Test func slicedColumnsKeepTheirNulls() throws {
        let whole = seriesFrame([9, nil, 1, nil, 3, 4, nil, 7, 8, nil, 11, nil, 13])
        let sliced = DataFrame(
            meta: whole.meta, fields: whole.fields.map { Field($0.name, column: $0.column.slice(3..<12)) })

        let frames = try TestRequest.math("$A + $A * 0", a: [sliced])

        #expect(frames.map(\.values) == [[nil, 3, 4, nil, 7, 8, nil, 11, nil]])
    }

    @Test func aProductOfManyItemsIsRefused() throws {
        let many = (0..<2000).map { _ in numberFrame(1, labels: ["same": "x"]) }

        #expect(throws: ExpressionError.self) { try TestRequest.math("$A + $B", a: many, b: many) }
    }

    /// Both items are used, though their labels are not those of the result.
    @Test func aSinglePairDropsNothing() throws {
        let frames = try TestRequest.math(
            "$A + $B", a: Self.numbers([["id": "1"]]), b: Self.numbers([["id": "2"]]))

        #expect(frames.count == 1 && frames[0].labels.isEmpty)
        #expect(frames[0].meta?.notices.isEmpty != false)
    }

    @Test func fiveDroppedItemsAreAllNamed() throws {
        let right = Self.numbers([["id": "1"]] + (3...7).map { ["id": "\($0)"] })

        let frames = try TestRequest.math("$A + $B", a: Self.numbers([["id": "1"]]), b: right)

        let text = frames.first?.meta?.notices.first?.text ?? ""
        #expect(text.hasSuffix("({id=3} {id=4} {id=5} {id=6} {id=7})]") || text.hasSuffix("{id=7})]"), "\(text)")
    }
}
