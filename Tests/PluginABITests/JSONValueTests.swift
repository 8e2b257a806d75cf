// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import Testing

struct JSONValueTests {
    @Test func membersAreReadAndSet() {
        var value: JSONValue = ["a": 1, "b": [true, "x", 2.5]]

        value["c"] = "new"
        value["a"] = 2
        value["b"] = nil

        #expect(value.encoded() == #"{"a":2,"c":"new"}"#)
        #expect(value["c"]?.string == "new")
        #expect(value["nothing"] == nil)
        #expect(value[0] == nil)
    }

    @Test func elementsAreReadWithinTheirBounds() {
        let value: JSONValue = [true, 2, 2.5, nil]

        #expect(value[0]?.bool == true)
        #expect(value[1]?.int == 2)
        #expect(value[2]?.double == 2.5)
        #expect(value[2]?.int == nil)
        #expect(value[3]?.isNull == true)
        #expect(value[4] == nil)
        #expect(value[-1] == nil)
    }

    @Test func equalityIsThatOfJSON() {
        #expect(JSONValue.integer(1) == .number(1))
        #expect(JSONValue.integer(1 << 53 + 1) != .number(0x1p53))
        #expect(["a": 1, "b": 2] as JSONValue == ["b": 2, "a": 1])
        #expect(["a": 1] as JSONValue != ["a": 1, "b": nil])
        #expect([1, 2] as JSONValue != [2, 1])
    }

    @Test func anObjectKeepsItsOrderThroughChanges() {
        var object = JSONObject()
        for number in 0..<40 { object["k\(number)"] = .integer(Int64(number)) }

        object["k3"] = nil
        object["k39"] = "last"
        object["new"] = true

        #expect(object.count == 40)
        #expect(object.keys.prefix(4) == ["k0", "k1", "k2", "k4"])
        #expect(object["k3"] == nil)
        #expect(object["k39"] == "last")
        #expect(object["k20"] == 20)
        #expect(object.last?.key == "new")
    }
}

struct ByteWriterTests {
    @Test func growsFromNothing() {
        var writer = ByteWriter(capacity: 0)
        for number in 0..<10_000 {
            writer.append(UInt8(truncatingIfNeeded: number))
            writer.append([1, 2])
            writer.append(literal: "ab")
        }

        let count = writer.count
        #expect(count == 50_000)
        #expect(writer.finish().suffix(5) == [15, 1, 2, 97, 98])
    }

    @Test func rawValuesAreAlignedAndOverwritten() {
        var writer = ByteWriter()
        writer.append(raw: UInt32(0))
        writer.append("x")
        writer.align(to: 8)
        writer.append(7, count: 2)

        writer.overwrite(at: 0, raw: UInt32(0x0403_0201))

        #expect(writer.finish() == [1, 2, 3, 4, 0x78, 0, 0, 0, 7, 7])
    }

    @Test func truncationAndReuse() {
        var writer = ByteWriter()
        writer.append("hello")
        writer.truncate(to: 2)
        let text = writer.string()
        writer.removeAll()

        let isEmpty = writer.isEmpty
        #expect(text == "he")
        #expect(isEmpty)
    }

    @Test func memoryIsHandedOver() {
        var writer = ByteWriter()
        writer.append("bytes")

        let memory = writer.takeMemory()
        defer { free(memory.baseAddress) }

        #expect(Array(memory) == Array("bytes".utf8))
    }
}
