// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI

/// One side of an operation on whole columns.
enum VectorOperand {
    case column(UnsafeBufferPointer<Double>)
    case constant(Double)
}

/// An operator as a type, so that the loop over a column is compiled once for each and can be vectorised.
protocol VectorOperator {
    static func apply(_ left: Double, _ right: Double) -> Double
}

/// 1 or 0, and NaN when one side is.
@inline(__always)
private func truth(_ isTrue: Bool, _ left: Double, _ right: Double) -> Double {
    left.isNaN || right.isNaN ? .nan : (isTrue ? 1 : 0)
}

private enum Add: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { left + right }
}
private enum Subtract: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { left - right }
}
private enum Multiply: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { left * right }
}
private enum Divide: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { left / right }
}
private enum Remainder: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { fmod(left, right) }
}
private enum Power: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double {
        left.isNaN || right.isNaN ? .nan : pow(left, right)
    }
}
private enum Equal: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { truth(left == right, left, right) }
}
private enum NotEqual: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { truth(left != right, left, right) }
}
private enum Greater: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { truth(left > right, left, right) }
}
private enum GreaterOrEqual: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { truth(left >= right, left, right) }
}
private enum Less: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { truth(left < right, left, right) }
}
private enum LessOrEqual: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double { truth(left <= right, left, right) }
}
/// The left side decides alone when it can; NaN is not zero.
private enum Or: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double {
        left != 0 ? 1 : (right.isNaN ? .nan : (right != 0 ? 1 : 0))
    }
}
private enum And: VectorOperator {
    @inline(__always) static func apply(_ left: Double, _ right: Double) -> Double {
        left == 0 ? 0 : truth(right != 0, left, right)
    }
}

extension BinaryOperator {
    /// The value of `left op right`.
    func apply(_ left: Double, _ right: Double) -> Double {
        var result = 0.0
        withUnsafeMutablePointer(to: &result) { target in
            apply(.constant(left), .constant(right), into: UnsafeMutableBufferPointer(start: target, count: 1))
        }
        return result
    }

    /// Calculates one operation for every element of `target`; columns have its length.
    func apply(_ left: VectorOperand, _ right: VectorOperand, into target: UnsafeMutableBufferPointer<Double>) {
        switch self {
        case .add: Self.loop(Add.self, left, right, target)
        case .subtract: Self.loop(Subtract.self, left, right, target)
        case .multiply: Self.loop(Multiply.self, left, right, target)
        case .divide: Self.loop(Divide.self, left, right, target)
        case .remainder: Self.loop(Remainder.self, left, right, target)
        case .power: Self.loop(Power.self, left, right, target)
        case .equal: Self.loop(Equal.self, left, right, target)
        case .notEqual: Self.loop(NotEqual.self, left, right, target)
        case .greater: Self.loop(Greater.self, left, right, target)
        case .greaterOrEqual: Self.loop(GreaterOrEqual.self, left, right, target)
        case .less: Self.loop(Less.self, left, right, target)
        case .lessOrEqual: Self.loop(LessOrEqual.self, left, right, target)
        case .or: Self.loop(Or.self, left, right, target)
        case .and: Self.loop(And.self, left, right, target)
        }
    }

    @inline(__always)
    private static func loop<O: VectorOperator>(
        _ type: O.Type, _ left: VectorOperand, _ right: VectorOperand, _ target: UnsafeMutableBufferPointer<Double>
    ) {
        guard let out = target.baseAddress else { return }
        switch (left, right) {
        case (.column(let left), .column(let right)):
            guard let left = left.baseAddress, let right = right.baseAddress else { return }
            for index in 0..<target.count { out[index] = O.apply(left[index], right[index]) }
        case (.column(let left), .constant(let right)):
            guard let left = left.baseAddress else { return }
            for index in 0..<target.count { out[index] = O.apply(left[index], right) }
        case (.constant(let left), .column(let right)):
            guard let right = right.baseAddress else { return }
            for index in 0..<target.count { out[index] = O.apply(left, right[index]) }
        case (.constant(let left), .constant(let right)):
            for index in 0..<target.count { out[index] = O.apply(left, right) }
        }
    }
}
