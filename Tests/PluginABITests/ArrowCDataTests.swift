// SPDX-License-Identifier: Apache-2.0
import CPluginABI
import PluginABI
import Testing

/// A frame with each type, nullable and not.
func frameOfAllTypes() throws -> DataFrame {
    var config = FieldConfig()
    config.enumTexts = ["off", "on"]
    return DataFrame(
        name: "all", refID: "A", meta: FrameMeta(type: "table"),
        fields: [
            Field("i8", [Int8(-1), 2, 3]), Field("i16", [Int16?.none, 2, -3]), Field("i32", [Int32(1), 2, 3]),
            Field("i64", [Int64.min, nil, .max]), Field("u8", [UInt8(1), 2, 255]), Field("u16", [UInt16(1), 2, 3]),
            Field("u32", [UInt32(1), 2, nil]), Field("u64", [UInt64.max, 2, 3]),
            Field("f32", [Float(0.1), nil, .infinity]),
            Field("f64", [1.5, -0.0, .nan], labels: ["host": "a", "b": "<"]),
            Field("s", ["", nil, "grüße"]), Field("b", [true, nil, false]),
            Field("t", [Timestamp(nanoseconds: -1), Timestamp(seconds: 1), Timestamp(nanoseconds: 0)], labels: [:]),
            Field("j", [JSONText("{}"), nil, JSONText("[1]")]),
            Field("e", [EnumIndex(0), EnumIndex(1), EnumIndex(0)], config: config),
        ])
}

/// Memory for the two structs of one frame.
final class ArrowStructs {
    let schema = UnsafeMutablePointer<ArrowSchema>.allocate(capacity: 1)
    let array = UnsafeMutablePointer<ArrowArray>.allocate(capacity: 1)

    init(_ frame: DataFrame) {
        frame.export(schema: schema, array: array)
    }

    deinit {
        schema.pointee.release?(schema)
        array.pointee.release?(array)
        schema.deallocate()
        array.deallocate()
    }

    func frame(_ validation: FrameValidation = .full) throws -> DataFrame {
        try DataFrame(importing: schema, array: array, validation: validation)
    }

    func child(_ index: Int) -> UnsafeMutablePointer<ArrowArray> { array.pointee.children[index]! }
}

struct ArrowCDataTests {
    @Test func aFrameComesBackAsItWas() throws {
        let frame = try frameOfAllTypes()

        let copy = try ArrowStructs(frame).frame()

        #expect(copy == frame)
    }

    @Test func valuesAreNotCopied() throws {
        let frame = DataFrame(fields: [Field("v", [1.0, 2])])

        let copy = try ArrowStructs(frame).frame()

        #expect(copy.fields[0].column.values.pointer == frame.fields[0].column.values.pointer)
    }

    @Test func importMovesBothStructs() throws {
        let structs = ArrowStructs(DataFrame(fields: [Field("v", [1.0])]))

        _ = try structs.frame()

        #expect(structs.schema.pointee.release == nil)
        #expect(structs.array.pointee.release == nil)
        #expect(throws: FrameError.self) { try structs.frame() }
    }

    @Test func theValuesOutliveTheStructs() throws {
        let copy = try {
            let structs = ArrowStructs(DataFrame(fields: [Field("s", ["a", "b"]), Field("v", [1.0, 2])]))
            return try structs.frame()
        }()

        #expect(copy == DataFrame(fields: [Field("s", ["a", "b"]), Field("v", [1.0, 2])]))
    }

    @Test func anImportedFrameMayBeExportedAgain() throws {
        let frame = try frameOfAllTypes()

        let copy = try ArrowStructs(ArrowStructs(frame).frame()).frame()

        #expect(copy == frame)
    }

    @Test func childrenMayBeMovedAway() throws {
        let structs = ArrowStructs(DataFrame(fields: [Field("v", [1.0, 2])]))
        var moved = structs.child(0).pointee
        structs.child(0).pointee.release = nil
        structs.array.pointee.release?(structs.array)

        let values = moved.buffers[1]!.assumingMemoryBound(to: Double.self)

        #expect(values[1] == 2)
        moved.release?(&moved)
        #expect(moved.release == nil)
    }

    @Test func aSchemaServesManyBatches() throws {
        let first = ArrowStructs(DataFrame(name: "n", fields: [Field("v", [1.0])]))
        let second = ArrowStructs(DataFrame(fields: [Field("v", [2.0, 3])]))
        let schema = try FrameSchema(importing: first.schema)

        let frames = try [schema.frame(batch: first.array), schema.frame(batch: second.array)]

        #expect(frames[0].name == "n")
        #expect(try frames[0].appending(frames[1]) == DataFrame(name: "n", fields: [Field("v", [1.0, 2, 3])]))
        #expect(schema.emptyFrame.rowCount == 0)
    }

    @Test func anOffsetOfTheRootShiftsAllColumns() throws {
        let structs = ArrowStructs(
            DataFrame(fields: [Field("v", [1.0, nil, 3, 4]), Field("s", ["a", "b", "c", "d"])]))
        structs.array.pointee.offset = 1
        structs.array.pointee.length = 2

        let frame = try structs.frame()

        #expect(frame == DataFrame(fields: [Field("v", [nil, 3.0]), Field("s", ["b", "c"])]))
        #expect(try ArrowStructs(frame).frame() == frame)
    }

    @Test func timesOfOtherUnitsAreConverted() throws {
        for (format, factor) in [("tss:", 1_000_000_000), ("tsm:UTC", 1_000_000), ("tsu:", 1000)] as [(String, Int64)] {
            let structs = ArrowStructs(DataFrame(fields: [Field("t", [Timestamp(nanoseconds: -7), nil])]))
            try format.withCString { text in
                structs.schema.pointee.children[0]!.pointee.format = text
                let frame = try structs.frame()
                #expect(frame == DataFrame(fields: [Field("t", [Timestamp(nanoseconds: -7 * factor), nil])]))
            }
        }
    }

    @Test func brokenStructsAreErrors() throws {
        let breaks: [(String, (ArrowStructs) -> Void)] = [
            ("negative length", { $0.array.pointee.length = -1 }),
            ("huge length", { $0.array.pointee.length = .max }),
            ("huge offset", { $0.array.pointee.offset = .max }),
            ("rows that the child has not", { $0.array.pointee.length = 4 }),
            ("child of negative length", { $0.child(0).pointee.length = -1 }),
            ("child of huge offset", { $0.child(0).pointee.offset = .max }),
            ("missing child", { $0.array.pointee.children[0] = nil }),
            ("children that are not there", { $0.array.pointee.n_children = 7 }),
            ("no children", { $0.array.pointee.children = nil }),
            ("no buffers", { $0.child(0).pointee.n_buffers = 0 }),
            ("no values", { $0.child(0).pointee.buffers[1] = nil }),
            ("no offsets", { $0.child(1).pointee.buffers[1] = nil }),
            ("no texts", { $0.child(1).pointee.buffers[2] = nil }),
            ("nulls without bitmap", { $0.child(0).pointee.null_count = 1 }),
            ("no format", { $0.schema.pointee.format = nil }),
            ("many fields", { $0.schema.pointee.n_children = .max }),
            ("negative fields", { $0.schema.pointee.n_children = -1 }),
            ("null child schema", { $0.schema.pointee.children[0] = nil }),
            ("field without format", { $0.schema.pointee.children[0]!.pointee.format = nil }),
        ]
        for (what, damage) in breaks {
            let structs = ArrowStructs(DataFrame(fields: [Field("v", [1.0, 2, 3]), Field("s", ["a", "b", "c"])]))
            let original = (structs.array.pointee, structs.schema.pointee, structs.child(0).pointee)
            let schemaChild = structs.schema.pointee.children[0]
            let schemaChildValue = schemaChild!.pointee
            let arrayChild = structs.child(0)
            damage(structs)
            // The release callbacks have to see what the producer made: import from copies.
            var (array, schema) = (structs.array.pointee, structs.schema.pointee)
            array.release = { $0?.pointee.release = nil }
            schema.release = { $0?.pointee.release = nil }
            #expect(throws: FrameError.self, "\(what)") { try DataFrame(importing: &schema, array: &array) }
            (structs.array.pointee, structs.schema.pointee) = (original.0, original.1)
            structs.array.pointee.children[0] = arrayChild
            structs.schema.pointee.children[0] = schemaChild
            schemaChild!.pointee = schemaChildValue
            structs.child(0).pointee = original.2
        }
    }

    @Test func brokenTextsAreErrorsWhenFullyChecked() {
        let damage: [[Int32]] = [[0, 2, 1, 3], [-1, 0, 1, 3], [0, 1, 2, .min], [3, 0, 0, 0]]
        for offsets in damage {
            var parts = ColumnParts(
                type: .string, isNullable: false, count: 3, values: ArrowBuffer(copying: Array("abc".utf8)))
            parts.offsets = offsets.withUnsafeBytes { ArrowBuffer(copying: $0) }
            #expect(throws: FrameError.self) { try Column(validating: parts) }
        }
        var parts = ColumnParts(type: .string, isNullable: false, count: 1, values: ArrowBuffer(copying: [0xff]))
        parts.offsets = ArrowBuffer(copying: [0, 0, 0, 0, 1, 0, 0, 0])
        #expect(throws: FrameError.self) { try Column(validating: parts) }
        #expect(throws: Never.self) { try Column(validating: parts, level: .basic) }
    }

    @Test func basicChecksNeverLeadToWildReads() throws {
        var parts = ColumnParts(
            type: .string, isNullable: false, count: 3, values: ArrowBuffer(copying: Array("abc".utf8)))
        parts.offsets = [Int32(0), 1_000_000, -5, 3].withUnsafeBytes { ArrowBuffer(copying: $0) }

        let column = try Column(validating: parts, level: .basic)

        #expect((0..<3).map { column.string(at: $0) } == ["", "", ""])
    }

    @Test func buffersThatAreNotAlignedAreCopied() throws {
        let bytes = ArrowBuffer(copying: [UInt8](repeating: 0, count: 1) + withUnsafeBytes(of: 1.5) { Array($0) })
        let shifted = ArrowBuffer(pointer: bytes.pointer! + 1, byteCount: 8, owner: nil)

        let column = try Column(
            validating: ColumnParts(type: .float64, isNullable: false, count: 1, values: shifted))

        #expect(column.withValues(as: Double.self) { Array($0) } == [1.5])
        withExtendedLifetime(bytes) {}
    }
}

struct FrameValidationTests {
    @Test func fullChecksLookIntoJSON() throws {
        let good = DataFrame(fields: [Field("j", [JSONText("{\"a\":[1]}"), nil, JSONText("")])])
        let bad = DataFrame(fields: [Field("j", [JSONText("{}"), JSONText("{},1")])])

        #expect(try ArrowStructs(good).frame(.full) == good)
        #expect(throws: FrameError.self) { try ArrowStructs(bad).frame(.full) }
        #expect(try ArrowStructs(bad).frame(.basic) == bad)
        #expect(throws: FrameError.self) { try DataFrame(arrow: bad.arrowFile()) }
    }
}
