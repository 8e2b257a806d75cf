// SPDX-License-Identifier: Apache-2.0
import CPluginABI
import PluginABI
import Testing

@testable import BuiltinDatasources

/// Batches are cut into pieces without another copy of their values.
struct ADBCPieceTests {
    private func joined<Element: ColumnElement>(_ column: Column, bytes: Int, as type: Element.Type) -> [Element?] {
        var pieces = ADBCPieces(columns: [column], rowCount: column.count, bytes: bytes)
        var values: [Element?] = []
        while let piece = pieces.next() {
            for row in 0..<piece.rowCount { values.append(piece.columns[0][row, as: Element.self]) }
        }
        return values
    }

    @Test(arguments: [1, 40, 100, 1000, 1 << 20])
    func piecesHaveAllRows(bytes: Int) {
        let numbers = (0..<1000).map { $0 % 3 == 0 ? nil : Int64($0) }
        let texts = (0..<1000).map { $0 % 5 == 0 ? nil : "text \($0)" }
        let flags = (0..<1000).map { $0 % 7 == 0 ? nil : $0 % 2 == 0 }

        #expect(joined(Column(numbers), bytes: bytes, as: Int64.self) == numbers)
        #expect(joined(Column(texts), bytes: bytes, as: String.self) == texts)
        #expect(joined(Column(flags), bytes: bytes, as: Bool.self) == flags)
    }

    @Test func aPieceOfAPieceCountsFromItsOwnStart() {
        let column = Column((0..<100).map { "\($0)" }).piece(from: 13, count: 50).piece(from: 9, count: 20)

        #expect((0..<20).map { column.string(at: $0) } == (22..<42).map { "\($0)" })
    }

    @Test func columnsThatFramesHaveStayInTheDriversMemory() throws {
        let frame = DataFrame(fields: [
            Field("n", column: Column([1, nil, 3] as [Int64?])), Field("u", column: Column([1, 2, 3] as [UInt16])),
            Field("f", column: Column([0.5, 1, nil])), Field("b", column: Column([true, false, true])),
            Field("s", column: Column(["a", nil, "long enough to be no small text"])),
            Field("t", column: Column([1, 2, 3].map { Timestamp(nanoseconds: $0) })),
        ])
        var schema = ArrowSchema()
        var array = ArrowArray()
        frame.export(schema: &schema, array: &array)
        let root = try ADBCField(schema)
        let release = schema.release
        release?(&schema)
        guard case .structure(let fields) = root.type else { return #expect(Bool(false), "\(root.type)") }

        let (columns, lost) = try ADBCBatch(ADBCArrayOwner(moving: &array), fields).frame()

        #expect(lost.allSatisfy { $0 == 0 })
        for (field, column) in zip(frame.fields, columns) {
            #expect(column.values.pointer == field.column.values.pointer, "\(field.name)")
            #expect(column.validity?.pointer == field.column.validity?.pointer, "\(field.name)")
            #expect(column.nullCount == field.column.nullCount)
        }
        #expect(columns[4].string(at: 2) == "long enough to be no small text")
    }

    @Test func aPieceHoldsNoRowsOfOthers() throws {
        let column = Column((0..<1000).map { Int64($0) }).piece(from: 800, count: 100)
        let texts = Column((0..<1000).map { _ in "0123456789" }).piece(from: 800, count: 100)

        #expect(column.values.byteCount == 800)
        #expect(texts.values.byteCount == 1000)
        #expect(texts.offsets?.byteCount == 404)
    }
}
