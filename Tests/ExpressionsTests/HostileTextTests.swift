// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// Texts that nobody would write: words in any order, and right texts with wrong places.
struct HostileTextTests {
    private static let mathWords = [
        "1", "0x1F", "2.5e3", "$A", "${A b}", "$B", "+", "-", "*", "**", "/", "%", "!", "(", ")", "||", "&&", "==", "<",
        ">=", "abs(", "is_null(", "nan()", "null()", "log(", ",", "ü", "$", "${", "\u{0}", "1e999", "#",
    ]
    private static let sqlWords = [
        "SELECT", "FROM", "A", "B", "*", "(", ")", ",", "WHERE", "JOIN", "ON", "=", "a.n", "n", "'x'", "\"n\"", "`n`",
        "[n]", "GROUP BY", "ORDER BY", "LIMIT", "1", "WITH", "x AS (", "RECURSIVE", "UNION ALL", "count(", "CAST(",
        "AS SIGNED", "INTERVAL", "DAY", "date_add(", "--", "/*", "*/", ";", "'", "?", "OVER", "NULL", "json_extract(",
        "concat(", "substring_index(", "DELETE", "PRAGMA", "x'00'", "\u{0}", "1e999", "-9223372036854775808",
    ]

    private func soup(_ words: [String], _ random: inout SeededGenerator) -> String {
        (0..<Int.random(in: 1...14, using: &random)).map { _ in words.randomElement(using: &random) ?? "" }
            .joined(separator: Bool.random(using: &random) ? " " : "")
    }

    /// A text with one byte removed, doubled or replaced.
    private func damaged(_ text: String, _ random: inout SeededGenerator) -> String {
        var bytes = Array(text.utf8)
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes.remove(at: place)
        case 1: bytes.insert(bytes[place], at: place)
        default: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: seeds)
    func mathIsReadOrRefused(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let right = "is_nan(-$A ** 2) || ${A b} >= 0x1F && !(1.5e3 - $B % abs(null()))"
        for _ in 0..<300 {
            let text = Bool.random(using: &random) ? soup(Self.mathWords, &random) : damaged(right, &random)
            guard let program = try? MathProgram(text) else { continue }
            let values = Dictionary(
                uniqueKeysWithValues: program.variables.map { name in
                    (name, [ExpressionValue.number(random.value(), labels: random.labels(), name: name)])
                })
            let results = try? MathEvaluator(refID: "R").evaluate(program, values)
            #expect(results?.count == 1, "\(text)")
        }
    }

    @Test(arguments: seeds)
    func sqlIsRunOrRefused(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = ExpressionLimits()
        limits.isSQLEnabled = true
        limits.sqlTimeout = .milliseconds(50)
        let table = DataFrame(fields: [Field("n", [1, 2, nil] as [Int64?]), Field("t", times([0, 1, 2]))])
        let right = "SELECT a.n, date_add(t, INTERVAL 1 DAY) FROM A a JOIN B ON a.n = B.n WHERE CAST(n AS SIGNED) > 0"
        for _ in 0..<30 {
            let text = Bool.random(using: &random) ? "SELECT " + soup(Self.sqlWords, &random) : damaged(right, &random)
            // A refused request names a table that is not there.
            guard let outcome = try? TestRequest.sql(text, a: [table], b: [table], limits: limits) else { continue }
            #expect(outcome.error != nil || outcome.frames.count == 1, "\(text)")
            for frame in outcome.frames { try frame.checkLengths() }
        }
    }
}
