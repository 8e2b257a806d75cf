// SPDX-License-Identifier: Apache-2.0
public import PluginABI

/// A failure of a request with expressions, or of one expression in it.
public struct ExpressionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The class of a failure.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// Stable, in kebab case.
        public let rawValue: String

        /// A code by its stable name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// `[expressions] enabled` or the toggle of SQL expressions is off.
        public static let disabled = Self(rawValue: "expression-disabled")
        /// The text or the settings of an expression are wrong.
        public static let parse = Self(rawValue: "expression-parse")
        /// The expressions refer to each other, or to queries, in a way that cannot be run.
        public static let graph = Self(rawValue: "expression-graph")
        /// The data source failed.
        public static let dataQuery = Self(rawValue: "expression-data-query")
        /// The frames of the data source are of a form that expressions cannot use.
        public static let readData = Self(rawValue: "expression-read-data")
        /// Something that the expression needs has failed.
        public static let dependency = Self(rawValue: "expression-dependency")
        /// The expression does not fit the values that it got.
        public static let execution = Self(rawValue: "expression-execution")
        /// A bound on cells, points, length or depth was passed.
        public static let limit = Self(rawValue: "expression-limit")
        /// The expression took longer than it may.
        public static let timeout = Self(rawValue: "expression-timeout")
        /// Nobody wants the answer any more.
        public static let cancelled = Self(rawValue: "expression-cancelled")
    }

    /// The part that programs compare.
    public var code: Code
    /// What happened, for a person.
    public var message: String
    /// Who is to blame for the failure of a data source; nil for all others.
    public var source: ErrorSource?

    /// A failure of a class, with its text.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The HTTP status that stands for the failure.
    public var httpStatus: Int {
        switch code {
        case .timeout: 504
        case .cancelled: 499
        default: 400
        }
    }

    /// The message.
    public var description: String { message }
}

extension ExpressionError {
    /// A data source that failed, as the answer of its query says it.
    public static func dataQuery(_ refID: String, _ message: String, source: ErrorSource) -> ExpressionError {
        var error = ExpressionError(
            .dataQuery, "[sse.dataQueryError] failed to execute query [\(refID)]: \(message)")
        error.source = source
        return error
    }

    static func readData(_ refID: String, _ message: String) -> ExpressionError {
        ExpressionError(.readData, "[sse.readDataError] [\(refID)] got error: \(message)")
    }

    static func dependency(of refID: String, on failed: String) -> ExpressionError {
        ExpressionError(
            .dependency,
            "[sse.dependencyError] did not execute expression [\(refID)] due to a failure of the dependent "
                + "expression or query [\(failed)]")
    }
}
