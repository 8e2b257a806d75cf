// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

struct JSONParserTests {
    @Test(
        arguments: [
            ("null", .null), (" true\n", true), ("false", false), ("0", 0), ("-7", -7), ("1.5", 1.5),
            ("1e3", 1000),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)), (#""""#, ""), ("[]", []), ("{}", [:]),
            ("[1,[2,[ ]],{\"a\":null}]", [1, [2, []], ["a": nil]]),
            (#"{"a":{"b":[true]}, "c":""}"#, ["a": ["b": [true]], "c": ""]),
            (#""\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC""#, "\"\\/\u{8}\u{c}\n\r\tAé€"), (#""\ud83d\ude00é€😀""#, "😀é€😀"),
            (#""\ud83d""#, "\u{FFFD}"), (#""\ude00\ud83d!""#, "\u{FFFD}\u{FFFD}!"), (#""\ud83d\u0041""#, "\u{FFFD}A"),
            (
                "\"a long text that takes more than one chunk of eight bytes\"",
                "a long text that takes more than one chunk of eight bytes"
            ),
        ] as [(String, JSONValue)])
    func reads(text: String, expected: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == expected)
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "tru", "True", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"",
        "{\"a\":",
        "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "01", "-01", "+1", ".5", "1.", "1.e5",
        "1e", "1e+",
        "-", "--1", "0x1", "NaN", "Infinity", "-Infinity", "'a'", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u123", "\"\t\"", "\"\n\"", "\"a\u{0}b\"", "1 1", "[] []", "\u{FEFF}1", "// x\n1", "/**/1", "\u{A0}1",
    ])
    func refuses(text: String) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(error?.code == .malformed)
        #expect(error?.offset.map { (0...text.utf8.count).contains($0) } == true)
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xC3],
        ] as [[UInt8]])
    func refusesWhatIsNotUTF8(bytes: [UInt8]) {
        let text = [0x22] + bytes + [0x22]
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(error?.code == .malformed)
        #expect(error?.offset == 1)
    }

    @Test func theErrorNamesPlaceAndRemedy() {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: #"{"a": [1, 2}"#) }

        #expect(error?.offset == 11)
        #expect(
            error?.description
                == "the JSON text is malformed: expected a comma or the end of the list, found '}' (at byte 11)")
    }

    @Test func minusZeroKeepsItsSign() throws {
        let value = try #require(try JSONValue(parsing: "-0").double)

        #expect(value == 0 && value.sign == .minus)
    }

    @Test func theLastOfEqualKeysWins() throws {
        let value = try JSONValue(parsing: #"{"a":1,"b":2,"a":3}"#)

        #expect(value.encoded() == #"{"a":3,"b":2}"#)
    }

    @Test func keysThatLookTheSameAreTwo() throws {
        let value = try JSONValue(parsing: "{\"\u{e9}\":1,\"e\u{301}\":2}")

        #expect(value.object?.count == 2)
        #expect(value["\u{e9}"] == 1)
        #expect(value["e\u{301}"] == 2)
    }

    @Test func manyEqualAndUnequalKeysAreFast() throws {
        let members = (0..<100_000).map { "\"k\($0 % 50_000)\":\($0)" }

        let value = try JSONValue(parsing: "{" + members.joined(separator: ",") + "}")

        #expect(value.object?.count == 50_000)
        #expect(value["k7"] == 50_007)
    }

    @Test(arguments: [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")])
    func depthIsLimited(opening: String, closing: String) throws {
        let levels = JSONValue.maximumDepth / (opening.hasPrefix("[{") ? 2 : 1)
        func text(_ count: Int) -> String {
            String(repeating: opening, count: count) + "1" + String(repeating: closing, count: count)
        }

        #expect(try JSONValue(parsing: text(levels)).encoded() == text(levels))
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text(levels + 1)) }
        #expect(error?.code == .tooDeep)
        let unclosed = #expect(throws: JSONError.self) {
            try JSONValue(parsing: String(repeating: opening, count: 1_000_000))
        }
        #expect(unclosed?.code == .tooDeep)
    }

    @Test func hugeNumbersAreOutOfRange() {
        for text in ["1e309", "-1e400", String(repeating: "9", count: 100_000)] {
            let error = #expect(throws: JSONError.self) { try JSONValue(parsing: "[\(text)]") }
            #expect(error?.code == .outOfRange)
            #expect(error?.offset == 1)
        }
    }

    @Test func sizeIsLimited() {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: "[1,2,3]", maximumBytes: 6) }
        #expect(error?.code == .tooLarge)
    }

    @Test func bytesThatAreNotContiguousAreRead() throws {
        #expect(try JSONValue(parsing: Array("[1]".utf8).lazy.map { $0 }) == [1])
    }

    private static let document = Array(
        #"{"a":[1,-2.5e-3,true,false,null,"x\n\u00e9\ud83d\ude00é€😀"],"b":{"c":{},"d":[]},"e":"<&>"}"#.utf8)

    @Test func everyTruncationIsRefused() throws {
        _ = try JSONValue(parsing: Self.document)
        for count in 0..<Self.document.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Self.document[..<count]) }
            #expect(throws: JSONError.self) { try JSONSlices.value(at: ["b"], in: Self.document[..<count]) }
        }
    }

    /// What is read after damage reads the same again, and slices agree about what is JSON.
    @Test func damagedTextsNeverCrash() throws {
        var generator = SplitMix(state: 11)
        let alphabet = Array("[]{},:\"\\u0e9+-.tfn \n".utf8) + [0x00, 0x80, 0xC3, 0xED, 0xFF]
        for round in 0..<30_000 {
            var bytes = round % 2 == 0 ? Self.document : []
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let place = Int.random(in: 0...bytes.count, using: &generator)
                let byte = alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
                if place < bytes.count && Bool.random(using: &generator) {
                    bytes[place] = byte
                } else {
                    bytes.insert(byte, at: place)
                }
            }
            let isWhole = (try? JSONSlices.value(at: [], in: bytes)) != nil
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            #expect(isWhole)
            #expect(try JSONValue(parsing: value.encoded()) == value)
        }
    }

    @Test func randomBytesNeverCrash() {
        var generator = SplitMix(state: 12)
        for _ in 0..<20_000 {
            let bytes = (0..<24).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            _ = try? JSONValue(parsing: bytes)
            _ = try? JSONValue(parsing: [0x22] + bytes + [0x22])
        }
    }
}
