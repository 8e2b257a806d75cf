// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// A test of one value against one or two bounds.
struct ThresholdEvaluator: Sendable, Equatable {
    enum Kind: String, Sendable, CaseIterable {
        case gt, lt, eq, ne, gte, lte
        case withinRange = "within_range"
        case outsideRange = "outside_range"
        case withinRangeIncluded = "within_range_included"
        case outsideRangeIncluded = "outside_range_included"

        /// The number of bounds.
        var arity: Int {
            switch self {
            case .withinRange, .outsideRange, .withinRangeIncluded, .outsideRangeIncluded: 2
            default: 1
            }
        }
    }

    let kind: Kind
    let low: Double
    /// The same as `low` when there is one bound.
    let high: Double

    /// - Throws: ``ExpressionError`` `.parse` without the prefix that says which condition it is.
    init(_ model: JSONValue?) throws(ExpressionError) {
        let name = model?["type"]?.string ?? ""
        guard let kind = Kind(rawValue: name) else {
            let names = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw .parse("expected threshold function to be one of [\(names)], got \(name.prefix(40))")
        }
        let bounds = (model?["params"]?.array ?? []).compactMap(\.double)
        guard bounds.count >= kind.arity else {
            throw .parse(
                "incorrect number of arguments for threshold function '\(name)': got \(bounds.count) but need "
                    + "\(kind.arity)")
        }
        self.kind = kind
        low = bounds[0]
        high = bounds[kind.arity - 1]
    }

    /// Whether the value fires.
    @inline(__always)
    func test(_ value: Double) -> Bool {
        switch kind {
        case .gt: value > low
        case .lt: value < low
        case .eq: value == low
        case .ne: value != low
        case .gte: value >= low
        case .lte: value <= low
        case .withinRange: value > low && value < high
        case .outsideRange: value < low || value > high
        case .withinRangeIncluded: value >= low && value <= high
        case .outsideRangeIncluded: value <= low || value >= high
        }
    }

    /// 1 where the value fires and 0 where not, the other way round if `isInverted`; nulls stay.
    func apply(to value: ExpressionValue, name: String, isInverted: Bool = false) -> ExpressionValue {
        let (yes, no) = isInverted ? (0.0, 1.0) : (1.0, 0.0)
        var result = ExpressionValue(content: value.content, labels: value.labels, name: name)
        switch value.content {
        case .frame: break
        case .scalar(let number): result.content = .scalar(number.map { test($0) ? yes : no })
        case .number(let number): result.content = .number(number.map { test($0) ? yes : no })
        case .series(let points):
            let values = points.values.withValues(as: Double.self) { source in
                Column(filling: source.count, validity: ValidityBits(of: points.values)) { target in
                    for index in 0..<source.count { target[index] = test(source[index]) ? yes : no }
                }
            }
            result.content = .series(.init(times: points.times, values: values))
        }
        return result
    }
}
