// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import Testing

struct JSONEncoderTests {
    @Test(
        arguments: [
            (.null, "null"), (true, "true"), (-5, "-5"), (5.0, "5"), (0.1, "0.1"), (1e-7, "1e-07"),
            (1e21, "1e+21"),
            (.number(.nan), "null"), (.number(.infinity), "null"), ([], "[]"), ([:], "{}"),
            ([1, "a", nil], #"[1,"a",null]"#),
            (["b": 1, "a": ["c": 2]], #"{"b":1,"a":{"c":2}}"#), ("a\"\\/b", #""a\"\\/b""#),
            (
                "\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1b}\u{1f}\u{7f}",
                "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001b\\u001f\u{7f}\""
            ),
            ("<script>&amp;</script>", #""\u003cscript\u003e\u0026amp;\u003c/script\u003e""#),
            ("line sep\u{2028}\u{2029}\u{202A}é€😀", "\"line sep\\u2028\\u2029\u{202A}é€😀\""),
            (["<a>": 1], #"{"\u003ca\u003e":1}"#),
        ] as [(JSONValue, String)])
    func writesAsGoDoes(value: JSONValue, expected: String) {
        #expect(value.encoded() == expected)
    }

    @Test func keysAreSortedByTheirBytes() {
        let value: JSONValue = ["b": ["z": 1, "Z": 2], "a": 1, "é": 3, "😀": 4, "\u{FFFD}": 5, "": 6]

        #expect(
            value.encoded(sortedKeys: true) == "{\"\":6,\"a\":1,\"b\":{\"Z\":2,\"z\":1},\"é\":3,\"\u{FFFD}\":5,\"😀\":4}"
        )
    }

    /// Each special character at each place of texts of all short lengths.
    @Test func escapesAreFoundAtEveryPlace() throws {
        for special in ["\"", "\\", "<", ">", "&", "\u{1}", "\n", "é", "\u{2028}", "😀"] {
            for length in 0..<20 {
                for place in 0...length {
                    let plain = String(repeating: "=", count: length)
                    let text = plain.prefix(place) + special + plain.dropFirst(place)

                    let encoded = JSONValue.string(String(text)).encoded()

                    #expect(try JSONValue(parsing: encoded).string == String(text))
                    #expect(!encoded.contains("<") && !encoded.contains("\u{2028}") && !encoded.contains("\n"))
                }
            }
        }
    }

    @Test func bytesThatAreNotUTF8BecomeReplacements() {
        var writer = ByteWriter(capacity: 0)
        let bytes: [UInt8] = [0x61, 0xFF, 0x62, 0xE2, 0x80]

        bytes.withUnsafeBufferPointer { writer.append(jsonString: $0) }

        #expect(writer.string() == #""a\ufffdb\ufffd\ufffd""#)
    }

    @Test func longTextsGrowTheWriter() throws {
        let text = String(repeating: "a<\u{2028}é\"", count: 100_000)

        let encoded = JSONValue.string(text).encoded()

        #expect(try JSONValue(parsing: encoded) == .string(text))
    }

    /// Grafana's own responses, encoded by Go: reading and writing them changes no byte.
    @Test func responsesOfTheGoSDKComeBackByteForByte() throws {
        let bytes = try fixture("sdk/query_data_response_json.json")
        let cases = try #require(try JSONValue(parsing: bytes).array)
        var compared = 0

        for entry in cases {
            guard let text = entry["json"]?.string, let value = try? JSONValue(parsing: text) else { continue }
            #expect(value.encoded() == text, "\(entry["name"]?.string ?? "")")
            compared += 1
        }

        #expect(compared > 0)
    }
}

/// The bytes of a file below the shared fixtures.
private func fixture(_ path: String) throws -> [UInt8] {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let file = try #require(fopen("\(root)/../shared/fixtures/\(path)", "rb"), "fixture \(path) is missing")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return bytes
}
