// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// Laws that hold for all values.
///
/// The argument of a failing case is its seed.
struct PropertyTests {
    /// A result in a form without order: labels and points.
    private func canonical(_ frames: [DataFrame]) -> [String] {
        frames.map { frame in "\(frame.labels.text) \(frame.seconds) \(frame.values.map(text))" }.sorted()
    }

    private func text(_ value: Double?) -> String {
        guard let value else { return "null" }
        return value == 0 ? "0.0" : value.isNaN ? "nan" : "\(value)"
    }

    @Test(arguments: seeds, ["+", "*", "==", "!="])
    func theseOperatorsCommute(seed: UInt64, symbol: String) throws {
        var random = SeededGenerator(seed: seed)
        let (a, b) = (random.frames(), random.frames())

        let one = try TestRequest.math("$A \(symbol) $B", a: a, b: b)
        let other = try TestRequest.math("$B \(symbol) $A", a: a, b: b)

        #expect(canonical(one) == canonical(other))
    }

    @Test(arguments: seeds)
    func aDifferenceIsTheNegatedOther(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (a, b) = (random.frames(), random.frames())

        let one = try TestRequest.math("$A - $B", a: a, b: b)
        let other = try TestRequest.math("-($B - $A)", a: a, b: b)

        #expect(canonical(one) == canonical(other))
    }

    @Test(arguments: seeds)
    func oneOfThreeComparisonsHolds(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (a, b) = ([random.series(isSorted: true)], [random.series(isSorted: true)])

        let sum = try TestRequest.math("($A < $B) + ($A == $B) + ($A > $B)", a: a, b: b)
        let plain = try TestRequest.math("0 * ($A + $B)", a: a, b: b)

        for (value, other) in zip(sum.flatMap(\.values), plain.flatMap(\.values)) {
            // Infinities compare, though their sum times 0 is NaN.
            #expect((value == nil) == (other == nil))
            if let value, !value.isNaN { #expect(value == 1) }
        }
    }

    @Test(arguments: seeds)
    func nullSpoilsEveryOperator(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let a = random.frames()

        for symbol in BinaryOperator.allCases {
            let right = try TestRequest.math("$A \(symbol.rawValue) null()", a: a)
            let left = try TestRequest.math("null() \(symbol.rawValue) $A", a: a)
            #expect(right.flatMap(\.values).allSatisfy { $0 == nil })
            #expect(left.flatMap(\.values).allSatisfy { $0 == nil })
        }
    }

    @Test(arguments: seeds)
    func nanSpoilsAllButLogic(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let a = random.frames()

        for symbol in BinaryOperator.allCases where symbol != .or && symbol != .and {
            let result = try TestRequest.math("$A \(symbol.rawValue) nan()", a: a).flatMap(\.values)
            let values = try TestRequest.math("$A", a: a).flatMap(\.values)
            for (one, other) in zip(result, values) { #expect(other == nil ? one == nil : one?.isNaN == true) }
        }
    }

    // MARK: Against the plain definition

    /// A op B as the documents define it, pair by pair and point by point.
    private func defined(_ symbol: BinaryOperator, _ left: [DataFrame], _ right: [DataFrame]) -> [String] {
        var results: [String] = []
        for one in left {
            for other in right {
                guard let labels = joined(one.labels, other.labels, left.count == 1 && right.count == 1) else {
                    continue
                }
                results.append(point(symbol, one, other, labels))
            }
        }
        return results
    }

    private func joined(_ one: Labels, _ other: Labels, _ isOnly: Bool) -> Labels? {
        func contains(_ large: Labels, _ small: Labels) -> Bool { small.allSatisfy { large[$0.key] == $0.value } }
        if one == other || other.isEmpty { return one }
        if one.isEmpty { return other }
        if one.count > other.count, contains(one, other) { return one }
        if other.count > one.count, contains(other, one) { return other }
        return isOnly ? [:] : nil
    }

    private func point(_ symbol: BinaryOperator, _ one: DataFrame, _ other: DataFrame, _ labels: Labels) -> String {
        func apply(_ left: Double?, _ right: Double?) -> String {
            guard let left, let right else { return "null" }
            return text(Self.scalar(symbol, left, right))
        }
        var points: [(Int64, String)] = []
        switch (one.fields.count, other.fields.count) {
        case (1, 1): points = [(-1, apply(one.values[0], other.values[0]))]
        case (2, 1): points = zip(one.seconds, one.values).map { ($0, apply($1, other.values[0])) }
        case (1, 2): points = zip(other.seconds, other.values).map { ($0, apply(one.values[0], $1)) }
        default:
            for (second, value) in zip(one.seconds, one.values) {
                guard let match = other.seconds.lastIndex(of: second) else { continue }
                points.append((second, apply(value, other.values[match])))
            }
        }
        return "\(labels.text) \(points.map(\.0)) \(points.map(\.1))"
    }

    private static func scalar(_ symbol: BinaryOperator, _ left: Double, _ right: Double) -> Double {
        if symbol == .or, left != 0 { return 1 }
        if symbol == .and, left == 0 { return 0 }
        if left.isNaN || right.isNaN { return .nan }
        let truth: Bool
        switch symbol {
        case .add: return left + right
        case .subtract: return left - right
        case .multiply: return left * right
        case .divide: return left / right
        case .remainder: return left.truncatingRemainder(dividingBy: right)
        case .power: return (try? MathTests.scalar("(\(Self.literal(left))) ** (\(Self.literal(right)))")) ?? .nan
        case .equal: truth = left == right
        case .notEqual: truth = left != right
        case .greater: truth = left > right
        case .greaterOrEqual: truth = left >= right
        case .less: truth = left < right
        case .lessOrEqual: truth = left <= right
        case .or: truth = right != 0
        case .and: truth = right != 0
        }
        return truth ? 1 : 0
    }

    private static func literal(_ value: Double) -> String {
        value.isInfinite ? (value > 0 ? "inf()" : "infn()") : (value.sign == .minus ? "-\(-value)" : "\(value)")
    }

    @Test(arguments: seeds)
    func columnsGiveWhatPointsGive(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for symbol in BinaryOperator.allCases {
            let isSorted = Bool.random(using: &random)
            let (a, b) = (random.frames(isSorted: isSorted), random.frames(isSorted: isSorted))

            let frames = try TestRequest.math("$A \(symbol.rawValue) $B", a: a, b: b)

            let expected = defined(symbol, a, b).sorted()
            #expect(canonical(frames).map(Self.withoutTimes) == expected.map(Self.withoutTimes), "\(symbol.rawValue)")
        }
    }

    /// Numbers have no times: what stands for theirs is left out.
    private static func withoutTimes(_ text: String) -> String {
        text.replacing(" [-1] ", with: " ").replacing(" [0] ", with: " ")
    }

    @Test(arguments: seeds)
    func unionIsSymmetric(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let left = (0..<8).map { _ in random.labels() }
        let right = (0..<8).map { _ in random.labels() }

        let one = try LabelUnion(left, right, maximumPairs: 1000)
        let other = try LabelUnion(right, left, maximumPairs: 1000)

        let swapped = other.pairs.map { LabelPair(left: $0.right, right: $0.left, labels: $0.labels) }
        #expect(one.pairs == swapped.sorted { ($0.left, $0.right) < ($1.left, $1.right) })
        #expect(one.leftDrops == other.rightDrops && one.rightDrops == other.leftDrops)
        for pair in one.pairs {
            let (small, large) = (left[pair.left], right[pair.right])
            #expect(small.allSatisfy { pair.labels[$0.key] == $0.value })
            #expect(large.allSatisfy { pair.labels[$0.key] == $0.value })
        }
    }

    // MARK: Reduce, resample, threshold

    private func reduced(_ reducer: String, _ frames: [DataFrame]) throws -> Double? {
        let outcome = try TestRequest.run(
            ["type": "reduce", "expression": "A", "reducer": .string(reducer), "settings": ["mode": "dropNN"]],
            a: frames)
        return outcome.frames.first?.values.first ?? nil
    }

    @Test(arguments: seeds, ["sum", "min", "max", "last"])
    func resamplingKeepsWhatReductionSees(seed: UInt64, reducer: String) throws {
        var random = SeededGenerator(seed: seed)
        let series = random.series(isSorted: true, oddities: false)
        let window = Int64.random(in: 1...7, using: &random)
        let end = 20 - 20 % window

        let outcome = try TestRequest.run(
            [
                "type": "resample", "expression": "A", "window": .string("\(window)s"), "downsampler": .string(reducer),
                "upsampler": "fillna",
            ], a: [series], from: 0, to: 20)

        let rows = series.seconds.indices.filter { series.seconds[$0] <= end }
        let seen = seriesFrame(rows.map { series.values[$0] }, at: rows.map { series.seconds[$0] })
        let steps = stride(from: 0, through: 20, by: Int(window)).map { Int64($0) }
        #expect(outcome.frames[0].seconds == steps)
        #expect(try reduced(reducer, outcome.frames) == reduced(reducer, [seen]))
    }

    @Test(arguments: seeds)
    func resamplingTwiceIsResamplingOnce(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let series = random.series(isSorted: true)
        let model: JSONValue = [
            "type": "resample", "expression": "A", "window": "3s", "downsampler": "sum", "upsampler": "pad",
        ]

        let once = try TestRequest.run(model, a: [series], from: 0, to: 20).frames
        let twice = try TestRequest.run(model, a: once, from: 0, to: 20).frames

        #expect(same(once[0].values, twice[0].values) && once[0].seconds == twice[0].seconds)
    }

    @Test(arguments: seeds)
    func thresholdIsTheComparison(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let frames = random.frames()

        let outcome = try TestRequest.run(
            [
                "type": "threshold", "expression": "A",
                "conditions": [["evaluator": ["type": "gt", "params": [3]]]],
            ], a: frames)
        let math = try TestRequest.math("$A > 3", a: frames)

        for (one, other) in zip(outcome.frames.flatMap(\.values), math.flatMap(\.values)) {
            #expect(other?.isNaN == true ? one == 0 : one == other)
        }
    }
}
