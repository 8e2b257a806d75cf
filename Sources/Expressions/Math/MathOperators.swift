// SPDX-License-Identifier: Apache-2.0
import Glibc

/// An operator between two values.
enum BinaryOperator: String, Sendable, CaseIterable {
    case or = "||"
    case and = "&&"
    case equal = "=="
    case notEqual = "!="
    case greater = ">"
    case greaterOrEqual = ">="
    case less = "<"
    case lessOrEqual = "<="
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case remainder = "%"
    case power = "**"

    /// A higher level binds tighter; operators of one level go from left to right.
    var level: Int {
        switch self {
        case .or: 1
        case .and: 2
        case .equal, .notEqual, .greater, .greaterOrEqual, .less, .lessOrEqual: 3
        case .add, .subtract: 4
        case .multiply, .divide, .remainder: 5
        case .power: 6
        }
    }
}

/// An operator before a value.
enum UnaryOperator: String, Sendable {
    case not = "!"
    case negate = "-"

    /// NaN stays NaN.
    func apply(_ value: Double) -> Double {
        switch self {
        case .not: value.isNaN ? value : (value == 0 ? 1 : 0)
        case .negate: -value
        }
    }
}

/// A function of a math expression.
enum MathFunction: String, Sendable, CaseIterable {
    case abs, log, round, ceil, floor
    case isNaN = "is_nan"
    case isInf = "is_inf"
    case isNull = "is_null"
    case isNumber = "is_number"
    case nan, inf, infn, null

    /// The number of arguments.
    var arity: Int {
        switch self {
        case .nan, .inf, .infn, .null: 0
        default: 1
        }
    }

    /// The value of a function without arguments.
    var constant: Double? {
        switch self {
        case .nan: .nan
        case .inf: .infinity
        case .infn: -.infinity
        default: nil
        }
    }

    /// The value of a function of one argument; only `is_null` and `is_number` know null, for the others it is NaN.
    func apply(_ value: Double?) -> Double {
        switch self {
        case .isNull: return value == nil ? 1 : 0
        case .isNumber: return value?.isFinite == true ? 1 : 0
        default: break
        }
        guard let value else { return .nan }
        switch self {
        case .abs: return value.magnitude
        case .log: return Glibc.log(value)
        case .round: return value.rounded(.toNearestOrAwayFromZero)
        case .ceil: return value.rounded(.up)
        case .floor: return value.rounded(.down)
        case .isNaN: return value.isNaN ? 1 : 0
        case .isInf: return value.isInfinite ? 1 : 0
        default: return value
        }
    }
}
