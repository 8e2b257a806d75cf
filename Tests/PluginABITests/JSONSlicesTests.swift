// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

struct JSONSlicesTests {
    private let body = Array(
        #" {"from":"now-1h", "queries" : [ {"refId":"A", "x":[1,{}]} ,{"refId":"B"},3 ], "a":{"b":{"c": -1.50 }}} "#
            .utf8)

    private func texts(_ ranges: [Range<Int>]) -> [String] {
        ranges.map { String(decoding: body[$0], as: UTF8.self) }
    }

    @Test func elementsComeByteForByte() throws {
        let ranges = try JSONSlices.elements(ofArrayAt: ["queries"], in: body)

        #expect(texts(ranges) == [#"{"refId":"A", "x":[1,{}]}"#, #"{"refId":"B"}"#, "3"])
    }

    @Test func aValueIsFoundByItsPath() throws {
        let range = try #require(try JSONSlices.value(at: ["a", "b", "c"], in: body))

        #expect(texts([range]) == ["-1.50"])
        #expect(try JSONSlices.value(at: ["a", "x"], in: body) == nil)
        #expect(try JSONSlices.value(at: ["from", "x"], in: body) == nil)
    }

    @Test func membersComeInTheirOrder() throws {
        let members = try JSONSlices.members(ofObjectAt: [], in: body)

        #expect(members.map(\.key) == ["from", "queries", "a"])
        #expect(texts(members.map(\.value)).first == #""now-1h""#)
    }

    @Test func theLastOfEqualKeysWins() throws {
        let ranges = try JSONSlices.elements(ofArrayAt: ["q"], in: Array(#"{"q":[1],"\u0071":[2,3]}"#.utf8))

        #expect(ranges.count == 2)
    }

    @Test func anEmptyListHasNoElements() throws {
        #expect(try JSONSlices.elements(ofArrayAt: [], in: Array("[ ]".utf8)).isEmpty)
    }

    @Test func errorsNameThePath() {
        let missing = #expect(throws: JSONError.self) { try JSONSlices.elements(ofArrayAt: ["x", "y"], in: body) }
        #expect(missing?.code == .missingKey)
        #expect(missing?.message == "x.y: the key is missing")

        let other = #expect(throws: JSONError.self) { try JSONSlices.elements(ofArrayAt: ["a"], in: body) }
        #expect(other?.code == .typeMismatch)

        let malformed = #expect(throws: JSONError.self) {
            try JSONSlices.elements(ofArrayAt: ["q"], in: Array(#"{"q":[],"z":[1,]}"#.utf8))
        }
        #expect(malformed?.code == .malformed)
    }

    @Test func depthIsLimited() {
        let deep = Array(String(repeating: "[", count: 100_000).utf8)

        let error = #expect(throws: JSONError.self) { try JSONSlices.value(at: [], in: deep) }

        #expect(error?.code == .tooDeep)
    }
}
