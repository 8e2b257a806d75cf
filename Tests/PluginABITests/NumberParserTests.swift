// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import Testing

struct NumberParserTests {
    private func check(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let parsed = FloatParser.parse(text)
        #expect(parsed?.bitPattern == strtod(text, nil).bitPattern, "\(text)", sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        "0", "-0", "1", "-1.5", "+2", ".5", "5.", "007", "1e3", "1E+03", "1e-3", "0.1", "123456789012345678",
        "9007199254740993", "9007199254740992.99999999999999999999", "1e22", "1e23", "1e308", "1.7976931348623157e308",
        "1.7976931348623159e308", "1e309", "1e400", "-1e999999999999999999999", "5e-324", "2e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308", "2.2250738585072014e-308", "0.000000000000000000000000000000000000001e39",
        "8.5e-05", "12345678.12345678", "179769313486231580793728971405301e276", "1e-400", "0e99999",
        "7.2057594037927933e16", "72057594037927935", "1090544144181609348835077142190",
        "9355950000000000000.00000000000000000000000000000000001844674407370955161600000184467440737095516161844674407370955",
    ])
    func agreesWithStrtod(text: String) {
        check(text)
    }

    @Test func specialValues() {
        #expect(FloatParser.parse("NaN")?.isNaN == true)
        #expect(FloatParser.parse("nan")?.isNaN == true)
        #expect(FloatParser.parse("+Inf") == .infinity)
        #expect(FloatParser.parse("-Inf") == -.infinity)
        #expect(FloatParser.parse("Inf") == .infinity)
        #expect(FloatParser.parse("-infinity") == -.infinity)
    }

    @Test(arguments: [
        "", "-", "+", ".", "e", "e5", "1e", "1e+", "1.5.2", "1 ", " 1", "0x10", "1_000", "--1", "in", "na", "infx",
        "1f",
        "-NaN", "１", "1,5",
    ])
    func refusesWhatIsNoNumber(text: String) {
        #expect(FloatParser.parse(text) == nil)
    }

    @Test func prefixEndsBehindTheNumber() throws {
        let bytes = Array("-12.5e+1\",x".utf8)

        let found = try #require(bytes.withUnsafeBufferPointer { FloatParser.prefix(of: $0) })

        #expect(found.value == -125)
        #expect(found.count == 8)
    }

    @Test func shortestTextsReadBack() {
        var generator = SplitMix(state: 7)
        for _ in 0..<60_000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            var writer = ByteWriter()
            writer.append(decimal: value)

            let parsed = writer.withBytes { FloatParser.parse($0) }

            #expect(parsed?.bitPattern == value.bitPattern)
        }
    }

    @Test func randomTextsAgreeWithStrtod() {
        var generator = SplitMix(state: 8)
        for _ in 0..<60_000 {
            let length = Int.random(in: 1...40, using: &generator)
            var digits = (0..<length).map { _ in String(Int.random(in: 0...9, using: &generator)) }
            digits.insert(".", at: Int.random(in: 0...length, using: &generator))
            let power = Int.random(in: -345...320, using: &generator)
            check(digits.joined() + (Bool.random(using: &generator) ? "e\(power)" : ""))
        }
    }

    /// Numbers exactly between two others, and a last digit far behind that decides.
    @Test func halfwayCasesAgreeWithStrtod() {
        var generator = SplitMix(state: 9)
        for _ in 0..<2_000 {
            let whole = (generator.next() >> 11 | 1 << 52) * 2 + 1
            check("\(whole)")
            check("\(whole).0000000000000000000000000000000000000001")
            check("\(whole - 1).9999999999999999999999999999999999999999")
        }
    }

    @Test func hugeTextsAreReadInBoundedTime() {
        let zeros = String(repeating: "0", count: 1_000_000)
        let nines = String(repeating: "9", count: 1_000_000)

        #expect(FloatParser.parse("0.\(zeros)1e1000001") == 1)
        #expect(FloatParser.parse("1\(zeros)e-1000000") == 1)
        #expect(FloatParser.parse(nines) == .infinity)
        #expect(FloatParser.parse("0.\(nines)") == 1)
        #expect(FloatParser.parse("9007199254740993.\(zeros)1") == 9_007_199_254_740_994)
        #expect(FloatParser.parse("1e\(nines)") == .infinity)
        #expect(FloatParser.parse("1e-\(nines)") == 0)
    }

    @Test func randomBytesNeverCrash() {
        var generator = SplitMix(state: 10)
        let alphabet = Array("0123456789+-.eEinfaNx\u{0}é".utf8)
        for _ in 0..<50_000 {
            let count = Int.random(in: 0...30, using: &generator)
            let bytes = (0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }

            let found = bytes.withUnsafeBufferPointer { FloatParser.prefix(of: $0) }

            #expect((found?.count ?? 0) <= count)
        }
    }
}
