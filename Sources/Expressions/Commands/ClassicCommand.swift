// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The alert conditions of before the other expressions: a chain of tests that gives one number.
struct ClassicCommand: Sendable {
    /// One test of all values of one query.
    struct Condition: Sendable {
        var input: String
        var reducer: ClassicReducer
        var evaluator: ClassicEvaluator
        /// How it goes together with those before it.
        var isOr: Bool
    }

    let conditions: [Condition]

    init(_ model: JSONValue) throws(ExpressionError) {
        guard let models = model["conditions"]?.array, !models.isEmpty else {
            throw .parse("classic conditions need at least one condition")
        }
        var conditions: [Condition] = []
        for (index, model) in models.enumerated() {
            conditions.append(try Self.condition(model, number: index + 1))
        }
        self.conditions = conditions
    }

    private static func condition(_ model: JSONValue, number: Int) throws(ExpressionError) -> Condition {
        let name = model["operator"]?["type"]?.string ?? ""
        guard number == 1 || name == "and" || name == "or" else {
            throw .parse("condition \(number) operator must be `and` or `or`")
        }
        guard let input = model["query"]?["params"]?[0]?.string, !input.isEmpty else {
            throw .parse("condition \(number) is missing the query RefID argument")
        }
        let reducerName = model["reducer"]?["type"]?.string ?? ""
        guard let reducer = ClassicReducer(rawValue: reducerName) else {
            throw .parse("invalid reducer '\(reducerName.prefix(40))' in condition \(number)")
        }
        return Condition(
            input: input, reducer: reducer, evaluator: try ClassicEvaluator(model["evaluator"]),
            isOr: name == "or")
    }

    /// The refIds that are tested, each once.
    var inputs: [String] {
        var seen: Set<String> = []
        return conditions.map(\.input).filter { seen.insert($0).inserted }
    }

    func run(_ variables: [String: [ExpressionValue]], refID: String) -> [ExpressionValue] {
        var isFiring = false
        var isNoData = false
        var matches: [JSONValue] = []
        for (index, condition) in conditions.enumerated() {
            let outcome = Outcome(condition, variables[condition.input] ?? [])
            matches += outcome.matches
            if index == 0 {
                (isFiring, isNoData) = (outcome.isFiring, outcome.isNoData)
            } else if condition.isOr {
                isFiring = isFiring || outcome.isFiring
                isNoData = isNoData || outcome.isNoData
            } else {
                isFiring = isFiring && outcome.isFiring
                isNoData = isNoData && outcome.isNoData
            }
        }
        var result = ExpressionValue.number(isNoData ? nil : (isFiring ? 1 : 0), labels: [:], name: "")
        result.custom = .array(matches)
        return [result]
    }

    /// What one condition says.
    private struct Outcome {
        var isFiring = false
        var isNoData = false
        var matches: [JSONValue] = []

        init(_ condition: Condition, _ values: [ExpressionValue]) {
            let values = values.filter { !$0.isNoData }
            var nullCount = 0
            for value in values {
                let number = condition.reducer.value(of: value)
                if number == nil { nullCount += 1 }
                guard condition.evaluator.test(number) else { continue }
                isFiring = true
                matches.append(Self.match(number, value))
            }
            if values.isEmpty {
                isFiring = condition.evaluator.test(nil)
                if isFiring { matches.append(["value": "", "metric": "NoData", "labels": nil]) }
            }
            isNoData = !isFiring && nullCount == values.count
            if isNoData { matches.append(["value": "", "metric": "NoData", "labels": nil]) }
        }

        private static func match(_ number: Double?, _ value: ExpressionValue) -> JSONValue {
            let labels = value.labels.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
            return [
                "value": .string(number?.fixedText ?? ""),
                "metric": .string(value.name),
                "labels": labels.isEmpty ? .null : .object(JSONObject(labels)),
            ]
        }
    }
}

extension Double {
    /// The shortest text that reads as the same number, without an exponent.
    var fixedText: String {
        if isNaN { return "NaN" }
        if isInfinite { return self < 0 ? "-Inf" : "+Inf" }
        let text = "\(magnitude)".lowercased()
        let parts = text.split(separator: "e")
        let pieces = parts[0].split(separator: ".")
        var (whole, fraction) = (String(pieces[0]), pieces.count > 1 && pieces[1] != "0" ? String(pieces[1]) : "")
        let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let digits = whole + fraction
        let point = whole.count + exponent
        if point <= 0 {
            (whole, fraction) = ("0", String(repeating: "0", count: -point) + digits)
        } else if point >= digits.count {
            (whole, fraction) = (digits + String(repeating: "0", count: point - digits.count), "")
        } else {
            (whole, fraction) = (String(digits.prefix(point)), String(digits.dropFirst(point)))
        }
        return (sign == .minus ? "-" : "") + whole + (fraction.isEmpty ? "" : "." + fraction)
    }
}
