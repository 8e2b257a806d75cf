// SPDX-License-Identifier: Apache-2.0

/// A math expression, ready to be calculated: its operations in the order in which a stack machine does them.
///
/// So a long expression needs no deep recursion, neither here nor when it is freed.
struct MathProgram: Sendable, Equatable {
    enum Instruction: Sendable, Equatable {
        /// A literal with its text.
        case number(Double, String)
        /// A refId with the text of the variable.
        case variable(String, String)
        case unary(UnaryOperator)
        case binary(BinaryOperator)
        case call(MathFunction)
    }

    private(set) var instructions: [Instruction] = []

    /// Reads an expression.
    ///
    /// - Throws: ``ExpressionError`` `.parse` with the place of what is wrong, `.limit`.
    init(_ text: String, limits: ExpressionLimits = ExpressionLimits()) throws(ExpressionError) {
        let length = text.utf8.count
        guard length <= limits.mathLength else {
            throw ExpressionError(
                .limit,
                "invalid math command: the expression has \(length) bytes; at most \(limits.mathLength) are allowed")
        }
        var parser = try MathParser(text, maximumDepth: limits.mathDepth)
        instructions = try parser.program()
    }

    /// The refIds that are used, each once, in their order.
    var variables: [String] {
        var seen: Set<String> = []
        return instructions.compactMap { instruction in
            guard case .variable(let name, _) = instruction, seen.insert(name).inserted else { return nil }
            return name
        }
    }

    /// The texts of the two operands of the binary operator at a place, and its own, with single spaces.
    func texts(ofBinaryAt place: Int) -> (left: String, right: String, whole: String) {
        guard case .binary(let symbol) = instructions[place] else { return ("", "", "") }
        var stack: [String] = []
        for instruction in instructions[..<place] { push(instruction, onto: &stack) }
        let right = stack.popLast() ?? ""
        let left = stack.popLast() ?? ""
        return (left, right, Self.cut("\(left) \(symbol.rawValue) \(right)"))
    }

    private func push(_ instruction: Instruction, onto stack: inout [String]) {
        switch instruction {
        case .number(_, let text), .variable(_, let text): stack.append(text)
        case .unary(let symbol): stack.append(Self.cut(symbol.rawValue + (stack.popLast() ?? "")))
        case .call(let function):
            let argument = function.arity == 1 ? stack.popLast() ?? "" : ""
            stack.append(Self.cut("\(function.rawValue)(\(argument))"))
        case .binary(let symbol):
            let right = stack.popLast() ?? ""
            let left = stack.popLast() ?? ""
            stack.append(Self.cut("\(left) \(symbol.rawValue) \(right)"))
        }
    }

    /// Notices show the beginning of a long expression.
    private static func cut(_ text: String) -> String {
        text.utf8.count > 200 ? String(text.prefix(100)) + "…" : text
    }
}

/// Reads the grammar: binary operators by their level, then signs, then literals, variables, functions, parentheses.
struct MathParser {
    private var lexer: MathLexer
    private var token: MathToken
    private let maximumDepth: Int
    private var depth = 0
    private var instructions: [MathProgram.Instruction] = []

    init(_ text: String, maximumDepth: Int) throws(ExpressionError) {
        lexer = MathLexer(text)
        self.maximumDepth = maximumDepth
        token = try lexer.next()
    }

    mutating func program() throws(ExpressionError) -> [MathProgram.Instruction] {
        try operation(from: 1)
        guard token.kind == .end else { throw unexpected("root input") }
        return instructions
    }

    private var binary: BinaryOperator? {
        switch token.kind {
        case .minus: .subtract
        case .binary(let symbol): symbol
        default: nil
        }
    }

    /// Operators of at least that level, and what stands between them.
    private mutating func operation(from level: Int) throws(ExpressionError) {
        try operand()
        while let symbol = binary, symbol.level >= level {
            try advance()
            try operation(from: symbol.level + 1)
            instructions.append(.binary(symbol))
        }
    }

    private mutating func operand() throws(ExpressionError) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= maximumDepth else {
            throw ExpressionError(
                .limit,
                "invalid math command: expr: nested deeper than \(maximumDepth) at character \(token.position)")
        }
        switch token.kind {
        case .number(let value):
            instructions.append(.number(value, token.text))
            try advance()
        case .variable(let name):
            instructions.append(.variable(name, token.text))
            try advance()
        case .not, .minus:
            let symbol: UnaryOperator = token.kind == .not ? .not : .negate
            try advance()
            try operand()
            instructions.append(.unary(symbol))
        case .open:
            try advance()
            try operation(from: 1)
            try close()
        case .name: try function()
        default: throw unexpected("input: F()")
        }
    }

    private mutating func function() throws(ExpressionError) {
        let name = token
        guard let function = MathFunction(rawValue: name.text) else {
            throw .math("non existent function \(name.text.prefix(40))", at: name.position)
        }
        try advance()
        guard token.kind == .open else { throw unexpected("function \(name.text)") }
        try advance()
        var count = 0
        while token.kind != .close {
            if count > 0 {
                guard token.kind == .comma else { throw unexpected("function \(name.text)") }
                try advance()
            }
            try operation(from: 1)
            count += 1
        }
        guard count == function.arity else {
            throw .math(
                "function \(name.text) takes \(function.arity) argument\(function.arity == 1 ? "" : "s"), got \(count)",
                at: name.position)
        }
        try close()
        instructions.append(.call(function))
    }

    private mutating func close() throws(ExpressionError) {
        guard token.kind == .close else { throw unexpected("input: F()") }
        try advance()
    }

    private mutating func advance() throws(ExpressionError) {
        token = try lexer.next()
    }

    private func unexpected(_ context: String) -> ExpressionError {
        .math("unexpected \(token.quoted) in \(context)", at: token.position)
    }
}
