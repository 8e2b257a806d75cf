// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Calculates a math expression.
struct MathEvaluator {
    /// The name of the results.
    let refID: String
    /// What is held beside the results of this expression.
    let budget: ExpressionBudget

    private static let maximumPairs = 1_000_000
    /// Binary operators that a notice lists, and items for each of their sides.
    private static let listedOperators = 10
    private static let listedItems = 5

    /// Items that joined nothing at one operator.
    private struct Drop {
        var place: Int
        var left: [Labels]
        var right: [Labels]
    }

    /// The results of a step, and what they take beside the variables.
    private struct Operand {
        var values: [ExpressionValue]
        var bytes = 0

        /// A result that shares nothing.
        init(_ values: [ExpressionValue]) {
            self.values = values
            bytes = values.reduce(0) { $0 + $1.byteCount }
        }

        /// The values of a variable, whose memory its own query counts.
        init(sharing values: [ExpressionValue]) { self.values = values }
    }

    init(refID: String, budget: ExpressionBudget = ExpressionBudget()) {
        self.refID = refID
        self.budget = budget
    }

    /// Runs the operations.
    ///
    /// - Parameter variables: The values of each refId that the program uses.
    /// - Throws: ``ExpressionError`` `.execution`, `.limit`, or why the checkpoint stops.
    func evaluate(
        _ program: MathProgram, _ variables: [String: [ExpressionValue]]
    ) throws(ExpressionError) -> [ExpressionValue] {
        var stack: [Operand] = []
        var drops: [Drop] = []
        for (place, instruction) in program.instructions.enumerated() {
            try budget.checkpoint.check()
            let held = stack.reduce(0) { $0 + $1.bytes }
            switch instruction {
            case .number(let value, _): stack.append(Operand([scalar(value)]))
            case .variable(let name, _): stack.append(Operand(sharing: (variables[name] ?? []).map(renamed)))
            case .call(let function) where function.arity == 0:
                stack.append(Operand([scalar(function.constant)]))
            case .unary(let symbol): stack.append(try mapped(stack.removeLast(), held) { unary($0, symbol.apply) })
            case .call(let function): stack.append(try mapped(stack.removeLast(), held) { call(function, $0) })
            case .binary(let symbol):
                let right = stack.removeLast()
                let left = stack.removeLast()
                var drop = Drop(place: place, left: [], right: [])
                stack.append(Operand(try binary(symbol, left.values, right.values, held, &drop)))
                if !drop.left.isEmpty || !drop.right.isEmpty { drops.append(drop) }
            }
        }
        var result = stack.removeLast().values
        if !drops.isEmpty, !result.isEmpty { result[0].notices.append(notice(drops, program)) }
        return result
    }

    private func scalar(_ value: Double?) -> ExpressionValue {
        ExpressionValue(content: .scalar(value), name: refID)
    }

    /// A variable's value under the name of this expression; what its source said about it stays there.
    private func renamed(_ value: ExpressionValue) -> ExpressionValue {
        ExpressionValue(content: value.content, labels: value.labels, name: refID)
    }

    // MARK: One value

    /// - Parameter held: The bytes of all operands.
    private func mapped(
        _ operand: Operand, _ held: Int, _ transform: (ExpressionValue) -> ExpressionValue
    ) throws(ExpressionError) -> Operand {
        let bytes = operand.values.reduce(0) { $0 + $1.byteCount }
        try budget.check(held + bytes, for: "calculating with \(operand.values.count) items")
        return Operand(operand.values.map(transform))
    }

    private func unary(_ value: ExpressionValue, _ apply: (Double) -> Double) -> ExpressionValue {
        var result = value
        switch value.content {
        case .frame: break
        case .scalar(let number): result.content = .scalar(number.map(apply))
        case .number(let number): result.content = .number(number.map(apply))
        case .series(let points):
            let values = points.values.withValues(as: Double.self) { source in
                Column(filling: source.count, validity: ValidityBits(of: points.values)) {
                    (target: UnsafeMutableBufferPointer<Double>) in
                    for index in 0..<source.count { target[index] = apply(source[index]) }
                }
            }
            result.content = .series(.init(times: points.times, values: values))
        }
        return result
    }

    private func call(_ function: MathFunction, _ value: ExpressionValue) -> ExpressionValue {
        var result = value
        switch value.content {
        case .frame: break
        case .scalar(let number): result.content = .scalar(function.apply(number))
        case .number(let number): result.content = .number(function.apply(number))
        case .series(let points):
            let column = points.values
            let values = column.withValues(as: Double.self) { source in
                Column(filling: source.count) { (target: UnsafeMutableBufferPointer<Double>) in
                    if column.nullCount == 0 {
                        for index in 0..<source.count { target[index] = function.apply(source[index]) }
                    } else {
                        for index in 0..<source.count {
                            target[index] = function.apply(column.isNull(at: index) ? nil : source[index])
                        }
                    }
                }
            }
            result.content = .series(.init(times: points.times, values: values))
        }
        return result
    }

    // MARK: Two values

    private func binary(
        _ symbol: BinaryOperator, _ left: [ExpressionValue], _ right: [ExpressionValue], _ held: Int,
        _ drop: inout Drop
    ) throws(ExpressionError) -> [ExpressionValue] {
        guard let first = left.first, let other = right.first else { return [] }
        if left.count == 1 || right.count == 1, first.isNoData || other.isNoData {
            return [first.isNoData ? first : other]
        }
        let union = try LabelUnion(
            left.map(\.labels), right.map(\.labels), maximumPairs: Self.maximumPairs,
            checkpoint: budget.checkpoint)
        drop.left = union.leftDrops.filter { !left[$0].isNoData }.map { left[$0].labels }
        drop.right = union.rightDrops.filter { !right[$0].isNoData }.map { right[$0].labels }
        var results: [ExpressionValue] = []
        results.reserveCapacity(union.pairs.count)
        var bytes = held
        for pair in union.pairs {
            if results.count % 64 == 0 { try budget.checkpoint.check() }
            bytes += max(left[pair.left].byteCount, right[pair.right].byteCount)
            try budget.check(
                bytes, for: "combining \(left.count) with \(right.count) items, whose labels make many pairs,")
            results.append(join(symbol, left[pair.left], right[pair.right], pair.labels))
        }
        return results
    }

    private func join(
        _ symbol: BinaryOperator, _ left: ExpressionValue, _ right: ExpressionValue, _ labels: Labels
    ) -> ExpressionValue {
        var result = ExpressionValue(content: .scalar(nil), labels: labels, name: refID)
        switch (left.content, right.content) {
        case (.frame, _): return left
        case (_, .frame): return right
        case (.scalar(let one), .scalar(let other)): result.content = .scalar(apply(symbol, one, other))
        case (.series(let one), .series(let other)): result.content = .series(SeriesJoin.apply(symbol, one, other))
        case (.series(let points), .scalar(let number)), (.series(let points), .number(let number)):
            result.content = .series(apply(symbol, points, number, isSeriesFirst: true))
        case (.scalar(let number), .series(let points)), (.number(let number), .series(let points)):
            result.content = .series(apply(symbol, points, number, isSeriesFirst: false))
        case (.number(let one), .number(let other)), (.number(let one), .scalar(let other)),
            (.scalar(let one), .number(let other)):
            result.content = .number(apply(symbol, one, other))
        }
        return result
    }

    private func apply(_ symbol: BinaryOperator, _ left: Double?, _ right: Double?) -> Double? {
        guard let left, let right else { return nil }
        return symbol.apply(left, right)
    }

    private func apply(
        _ symbol: BinaryOperator, _ points: ExpressionValue.Points, _ number: Double?, isSeriesFirst: Bool
    ) -> ExpressionValue.Points {
        let validity = number == nil ? ValidityBits(allNull: points.count) : ValidityBits(of: points.values)
        let constant = VectorOperand.constant(number ?? 0)
        let values = points.values.withValues(as: Double.self) { source in
            Column(filling: source.count, validity: validity) { target in
                if isSeriesFirst {
                    symbol.apply(.column(source), constant, into: target)
                } else {
                    symbol.apply(constant, .column(source), into: target)
                }
            }
        }
        return .init(times: points.times, values: values)
    }

    // MARK: What was dropped

    private func notice(_ drops: [Drop], _ program: MathProgram) -> Notice {
        let count = drops.reduce(0) { $0 + $1.left.count + $1.right.count }
        let parts = drops.prefix(Self.listedOperators).map { drop in
            let texts = program.texts(ofBinaryAt: drop.place)
            let sides = [(texts.left, drop.left), (texts.right, drop.right)].filter { !$0.1.isEmpty }
            let lists = sides.map { "(\($0.0): \(list($0.1)))" }.joined(separator: " ")
            return "[\"\(texts.whole)\": \(lists)]"
        }
        return Notice(
            severity: .warning,
            text: "\(count) items dropped from union(s): \(parts.joined(separator: " "))")
    }

    private func list(_ items: [Labels]) -> String {
        let shown = items.prefix(Self.listedItems).map { "{\($0.text)}" }.joined(separator: " ")
        guard items.count > Self.listedItems else { return shown }
        return "\(shown)...\(items.count - Self.listedItems) more..."
    }
}

extension Labels {
    /// `name=value, name=value`, by name.
    var text: String {
        sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
    }
}
