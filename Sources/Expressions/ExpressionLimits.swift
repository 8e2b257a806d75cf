// SPDX-License-Identifier: Apache-2.0

/// What expressions may do and cost; the defaults are those of `conf/defaults.ini` where it has a key.
public struct ExpressionLimits: Sendable {
    /// Whether expressions are answered at all.
    public var isEnabled = true
    /// Whether SQL expressions are answered.
    public var isSQLEnabled = false
    /// Whether frames that declare a type of the data-plane contract are read by its rules.
    public var readsDataPlane = true
    /// The cells (rows × columns) of all tables of an SQL expression; 0: no limit.
    public var sqlInputCells = 100_000
    /// The cells of the answer of an SQL expression; 0: no limit.
    public var sqlOutputCells = 100_000
    /// The bytes of the text of an SQL expression; 0: no limit.
    public var sqlLength = 10_000
    /// The time of one SQL expression; zero: no limit.
    public var sqlTimeout = Duration.seconds(10)
    /// The memory that one SQL expression may hold for sorting and grouping.
    public var sqlMemoryBytes = 64 << 20
    /// The bytes of the text of a math expression.
    public var mathLength = 64 << 10
    /// The nesting of parentheses, signs and functions in a math expression.
    public var mathDepth = 200
    /// The memory that the results of a request's expressions may take at one time: 16 bytes a point and 256 an item.
    public var resultBytes = 256 << 20
    /// The time for all expressions of a request.
    public var timeout = Duration.seconds(60)
    /// The memory that the answers of all data sources of a request may take.
    public var inputBytes = 1 << 30

    /// The defaults.
    public init() {}
}

/// Whether an expression that is being calculated may go on.
///
/// Asked now and then, at most every few milliseconds of work.
public struct ExpressionCheckpoint: Sendable {
    private let stopReason: @Sendable () -> ExpressionError?

    /// - Parameter stopReason: Says why to stop; nil to go on.
    public init(_ stopReason: @escaping @Sendable () -> ExpressionError?) {
        self.stopReason = stopReason
    }

    /// Never stops anything.
    public static let none = ExpressionCheckpoint { nil }

    /// Why to stop; nil to go on.
    var error: ExpressionError? { stopReason() }

    func check() throws(ExpressionError) {
        if let error = stopReason() { throw error }
    }
}
