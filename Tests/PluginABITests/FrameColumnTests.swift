// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

struct FrameColumnTests {
    @Test func valuesComeBackInOrder() {
        let column = Column([1.5, -2, .infinity])

        #expect(column.type == .float64)
        #expect(!column.isNullable)
        #expect(column.count == 3)
        #expect((0..<3).map { column[$0, as: Double.self] } == [1.5, -2, .infinity])
        #expect(column.withValues(as: Double.self) { Array($0) } == [1.5, -2, .infinity])
    }

    @Test func nullsAreKeptAtEveryPlace() {
        for length in 0..<20 {
            for null in 0..<max(length, 1) {
                let values = (0..<length).map { $0 == null ? nil : Int32($0) }
                let column = Column(values)
                #expect(column.isNullable)
                #expect(column.nullCount == (length == 0 ? 0 : 1))
                #expect((0..<length).map { column[$0, as: Int32.self] } == values)
            }
        }
    }

    @Test func boolsAreBits() {
        let values = (0..<77).map { $0 % 3 == 0 }
        let column = Column(values)

        #expect(column.values.byteCount == 10)
        #expect((0..<77).map { column[$0, as: Bool.self] } == values)
    }

    @Test func nullableBoolsKeepValuesAndNulls() {
        let values: [Bool?] = (0..<50).map { $0 % 5 == 0 ? nil : $0 % 2 == 0 }
        let column = Column(values)

        #expect((0..<50).map { column[$0, as: Bool.self] } == values)
        #expect(column.nullCount == 10)
    }

    @Test func textsOfAllLengthsComeBack() {
        let values: [String?] = ["", "a", nil, "grüße", String(repeating: "x", count: 10_000), "👩‍👩‍👧"]
        let column = Column(values)

        #expect((0..<values.count).map { column.string(at: $0) } == values)
        #expect(column.withUTF8(at: 3) { Array($0) } == Array("grüße".utf8))
        #expect(column.withUTF8(at: 2) { $0.count } == 0)
    }

    @Test func aValueOfAnotherTypeIsNil() {
        let column = Column([Int64(7)])

        #expect(column[0, as: Double.self] == nil)
        #expect(column.string(at: 0) == nil)
        #expect(column.double(at: 0) == 7)
    }

    @Test func aNullMakesTheColumnNullable() {
        var builder = ColumnBuilder<Timestamp>()
        builder.append(Timestamp(nanoseconds: 5))
        builder.appendNull()

        let column = builder.finish()

        #expect(column.isNullable)
        #expect(column[0, as: Timestamp.self] == Timestamp(nanoseconds: 5))
        #expect(column.isNull(at: 1))
    }

    @Test func copiesOfABuilderGoTheirOwnWays() {
        var first = ColumnBuilder<Int64>(capacity: 16)
        first.append(1)
        var second = first
        first.append(2)
        second.append(3)

        #expect(first.finish() == Column([Int64(1), 2]))
        #expect(second.finish() == Column([Int64(1), 3]))
    }

    @Test func aFinishedBuilderStartsAnew() {
        var builder = ColumnBuilder<String>()
        builder.append("a")
        let first = builder.finish()
        builder.append("b")

        #expect(first == Column(["a"]))
        #expect(builder.finish() == Column(["b"]))
    }

    @Test func textsMayBeAppendedAsBytes() {
        var texts = ColumnBuilder<String>()
        var documents = ColumnBuilder<JSONText>()
        Array("ab".utf8).withUnsafeBufferPointer {
            texts.appendUTF8($0)
            documents.appendUTF8($0)
        }

        #expect(texts.finish().string(at: 0) == "ab")
        #expect(documents.finish()[0, as: JSONText.self] == JSONText("ab"))
    }

    @Test func badUTF8IsReplacedWhenRead() {
        var texts = ColumnBuilder<String>()
        [UInt8(0x61), 0xff].withUnsafeBufferPointer { texts.appendUTF8($0) }

        #expect(texts.finish().string(at: 0) == "a\u{FFFD}")
    }

    @Test(arguments: FieldType.allCases)
    func namesOfTypesAreReadBack(type: FieldType) {
        #expect(FieldType(name: type.name) == type)
        #expect(Column(empty: type).count == 0)
    }

    @Test func secondsBecomeWholeNanoseconds() {
        #expect(Timestamp(seconds: 1_700_000_000.123).nanoseconds == 1_700_000_000_123_000_000)
        #expect(Timestamp(seconds: -1.5).nanoseconds == -1_500_000_000)
        #expect(Timestamp(seconds: 0.000000001).nanoseconds == 1)
        #expect(Timestamp(seconds: .nan).nanoseconds == 0)
        #expect(Timestamp(seconds: 1e300).nanoseconds == .max)
        #expect(Timestamp(milliseconds: .min).nanoseconds == .min)
        #expect(Timestamp(nanoseconds: -1).milliseconds == -1)
    }
}

struct FrameAppendTests {
    @Test func rowsFollowEachOther() throws {
        let first = DataFrame(name: "n", fields: [Field("t", ["a", "b"]), Field("v", [1.0, nil])])
        let second = DataFrame(fields: [Field("t", ["c"]), Field("v", [3.0])])

        let joined = try first.appending(second)

        #expect(joined == DataFrame(name: "n", fields: [Field("t", ["a", "b", "c"]), Field("v", [1.0, nil, 3.0])]))
        #expect(joined.rowCount == 3)
    }

    @Test func framesOfOtherFieldsAreRefused() {
        let frame = DataFrame(fields: [Field("v", [1.0])])

        #expect(throws: FrameError.self) { try frame.appending(DataFrame()) }
        #expect(throws: FrameError.self) { try frame.appending(DataFrame(fields: [Field("v", ["a"])])) }
    }

    @Test func fieldsOfUnequalLengthAreReported() {
        let frame = DataFrame(name: "n", fields: [Field("a", [1.0]), Field("b", [1.0, 2])])

        #expect(frame.rowCount == 1)
        #expect(throws: FrameError.self) { try frame.checkLengths() }
    }
}
