// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// The grammar of math expressions, and values without labels.
struct MathTests {
    static func scalar(_ text: String) throws -> Double? {
        let values = try MathEvaluator(refID: "R").evaluate(MathProgram(text), [:])
        guard values.count == 1, case .scalar(let value) = values[0].content else { return .signalingNaN }
        return value
    }

    @Test(
        arguments: [
            ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("10 - 4 - 3", 3), ("100 / 10 / 2", 5), ("2**3**2", 64), ("-2**2", 4),
            ("-2 ** 2", 4), ("2 * 3 ** 2", 18), ("7 % 4", 3), ("-7 % 4", -3), ("7 % -4", 3), ("1 / 0", .infinity),
            ("-1 / 0", -.infinity), ("0x1F", 31), ("1e3", 1000), ("1.5e-1", 0.15), (".5", 0.5), ("1 + -1", 0),
            ("!0", 1),
            ("!5", 0), ("! !5", 1), ("- -5", 5), ("1 == 1", 1), ("1 != 1", 0), ("1 < 2 == 1", 1), ("2 > 1", 1),
            ("2 >= 2", 1), ("1 <= 0", 0), ("1 || 0", 1), ("0 || 0", 0), ("1 && 0", 0), ("2 && 3", 1),
            ("0 && 1 || 1", 1),
            ("1 || 0 && 0", 1), ("1 + 1 == 2 && 3 > 2", 1), ("abs(-3)", 3), ("round(2.5)", 3), ("round(-2.5)", -3),
            ("ceil(1.2)", 2), ("floor(-1.2)", -2), ("log(1)", 0), ("is_nan(nan())", 1), ("is_nan(1)", 0),
            ("is_inf(inf())", 1), ("is_inf(infn())", 1), ("is_inf(1)", 0), ("is_null(null())", 1),
            ("is_null(nan())", 0),
            ("is_number(1)", 1), ("is_number(nan())", 0), ("is_number(inf())", 0), ("is_number(null())", 0),
            ("infn()", -.infinity), ("abs(abs(-1) - 3)", 2), ("nan() || 0", 1), ("1 || nan()", 1), ("0 && nan()", 0),
            (" \n 1\t+\r\n1 ", 2),
        ] as [(String, Double)])
    func expressionHasTheValue(text: String, expected: Double) throws {
        #expect(try Self.scalar(text) == expected)
    }

    @Test(arguments: [
        "nan()", "nan() + 1", "1 - nan()", "0 || nan()", "nan() && 1", "1 && nan()", "nan() == nan()", "nan() != 1",
        "1 < nan()", "!nan()", "-nan()", "0 / 0", "1 % 0", "nan() ** 0", "1 ** nan()", "abs(null())", "is_nan(null())",
        "is_inf(null())", "log(-1)", "round(nan())",
    ])
    func expressionIsNotANumber(text: String) throws {
        #expect(try Self.scalar(text)?.isNaN == true)
    }

    @Test(arguments: [
        "null()", "null() + 1", "1 * null()", "null() == null()", "null() || 1", "0 && null()", "!null()", "-null()",
    ])
    func expressionIsNull(text: String) throws {
        #expect(try Self.scalar(text) == nil)
    }

    @Test(arguments: [
        ("1 +", "unexpected EOF in input: F() at character 4"),
        ("", "unexpected EOF in input: F() at character 1"),
        ("1+-1", "unknown operator \"+-\"; write spaces between two operators at character 2"),
        ("--5", "unknown operator \"--\"; write spaces between two operators at character 1"),
        ("1 2", "unexpected \"2\" in root input at character 3"),
        ("(1", "unexpected EOF in input: F() at character 3"),
        ("1)", "unexpected \")\" in root input at character 2"),
        ("* 2", "unexpected \"*\" in input: F() at character 1"),
        ("foo(1)", "non existent function foo at character 1"),
        ("abs()", "function abs takes 1 argument, got 0 at character 1"),
        ("abs(1, 2)", "function abs takes 1 argument, got 2 at character 1"),
        ("nan(1)", "function nan takes 0 arguments, got 1 at character 1"),
        ("abs 1", "unexpected \"1\" in function abs at character 5"),
        ("$", "incomplete variable at character 1"),
        ("1 + ${}", "incomplete variable at character 5"),
        ("${A-B}", "unsupported variable character at character 4"),
        ("${A", "unterminated variable missing closing } at character 1"),
        ("1 # 2", "invalid character: # at character 3"),
        ("\"a\"", "invalid character: \" at character 1"),
        ("1.2.3", "bad number syntax: \"1.2\" at character 1"),
        ("1e", "bad number syntax: \"1e\" at character 1"),
        ("0x", "bad number syntax: \"0x\" at character 1"),
        ("12ab", "bad number syntax: \"12\" at character 1"),
        ("1e999", "bad number syntax: \"1e999\" at character 1"),
        ("1 = 2", "unknown operator \"=\"; write spaces between two operators at character 3"),
    ])
    func wrongExpressionSaysWhere(text: String, message: String) throws {
        #expect(throws: ExpressionError(.parse, "invalid math command: expr: " + message)) { try MathProgram(text) }
    }

    @Test func variablesAreFoundOnce() throws {
        let program = try MathProgram("$A + ${A b} * $A_1 - $A + ${ü 1}")

        #expect(program.variables == ["A", "A b", "A_1", "ü 1"])
    }

    @Test func tenThousandParenthesesAreRefused() {
        let text = String(repeating: "(", count: 10_000) + "1" + String(repeating: ")", count: 10_000)

        #expect(
            throws: ExpressionError(
                .limit, "invalid math command: expr: nested deeper than 200 at character 201")
        ) { try MathProgram(text) }
    }

    @Test(arguments: ["-", "!", "abs("])
    func deepSignsAndCallsAreRefused(prefix: String) {
        let text = String(repeating: prefix + " ", count: 10_000) + "1"

        #expect(throws: ExpressionError.self) { try MathProgram(text) }
    }

    @Test func aMegabyteIsRefused() {
        let text = "1" + String(repeating: " + 1", count: 1 << 18)

        #expect(
            throws: ExpressionError(
                .limit, "invalid math command: the expression has 1048577 bytes; at most 65536 are allowed")
        ) { try MathProgram(text) }
    }

    @Test func aLongChainNeedsNoDeepStack() throws {
        #expect(try Self.scalar("1" + String(repeating: " + 1", count: 16_000)) == 16_001)
    }
}
