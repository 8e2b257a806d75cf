// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Settings

struct INIFileTests {
    private func values(_ text: String) throws -> [String] {
        try INIFile(Array(text.utf8), path: "a.ini").assignments.map { "\($0.section).\($0.key)=\($0.value)" }
    }

    @Test func sectionsKeysAndCommentsAreRead() throws {
        let text = """
            # comment
            top = 1
            ; comment
            [server]   # the server
            http_port=3000
            domain : localhost ; here
            [DEFAULT]
            again = x
            """

        #expect(try values(text) == [".top=1", "server.http_port=3000", "server.domain=localhost", ".again=x"])
    }

    @Test(arguments: [
        ("k = \"\"\"a#b;c\"\"\"", "a#b;c"), ("k = `a#b`", "a#b"), ("k = \"a;b\" # c", "a;b"), ("k = 'x'", "x"),
        ("k = \"half", "\"half"), ("k =", ""), ("k = \"\"\"two\nlines\"\"\"", "two\nlines"), ("k = a=b:c", "a=b:c"),
        ("\u{FEFF}k = v\r\nl = w", "v"), ("k = \"\"\"\"\"\"", ""),
    ])
    func valuesAreUnquoted(text: String, value: String) throws {
        #expect(try INIFile(Array(text.utf8), path: "a.ini").assignments.first?.value == value)
    }

    @Test(arguments: [
        ("a = 1\nnonsense", "a.ini:2: "), ("[server", "a.ini:1: "), ("[]", "a.ini:1: "), ("= 1", "a.ini:1: "),
        ("[a] b = 1", "a.ini:1: "), ("\n\nk = \"\"\"open\nmore", "a.ini:3: "),
    ])
    func badLinesAreErrorsWithTheirPlace(text: String, place: String) {
        let error = #expect(throws: SettingsError.self) { try INIFile(Array(text.utf8), path: "a.ini") }

        #expect(error?.code == .syntax)
        #expect(error?.message.hasPrefix(place) == true)
    }

    @Test func textThatIsNotUTF8IsAnError() {
        let error = #expect(throws: SettingsError.self) { try INIFile([0x6B, 0x3D, 0xFF], path: "a.ini") }

        #expect(error?.code == .syntax)
    }

    @Test func aValueThatIsCutAtACommentSignWarns() throws {
        let file = try INIFile(Array("password = a#b".utf8), path: "a.ini")

        #expect(file.assignments.first?.value == "a")
        #expect(file.warnings.first?.description.hasPrefix("a.ini:1: the value of 'password' ends at '#'") == true)
    }
}
