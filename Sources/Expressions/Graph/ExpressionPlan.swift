// SPDX-License-Identifier: Apache-2.0
public import PluginABI

/// A request with expressions, checked before anything runs.
///
/// The caller asks the data sources and hands their answers to ``evaluate(_:checkpoint:)``.
public struct ExpressionPlan: Sendable {
    /// One query of a request.
    public struct Query: Sendable {
        /// Where the values come from.
        public enum Kind: Sendable {
            /// A plugin answers; its id.
            case dataSource(type: String)
            /// The query's own object says what to calculate.
            case expression(JSONText)
        }

        /// Unique in the request.
        public var refID: String
        /// Where the values come from.
        public var kind: Kind
        /// Whether the result is left out of the answer.
        public var isHidden: Bool
        /// The time range, for resampling.
        public var from: Timestamp
        /// The end of the time range.
        public var to: Timestamp

        /// A query of a request.
        public init(refID: String, kind: Kind, isHidden: Bool = false, from: Timestamp, to: Timestamp) {
            self.refID = refID
            self.kind = kind
            self.isHidden = isHidden
            self.from = from
            self.to = to
        }
    }

    /// What a data source answered to one query.
    public enum Input: Sendable {
        case frames([DataFrame], notices: [Notice])
        /// The whole failure, as ``ExpressionError/dataQuery(_:_:)`` makes it.
        case failed(ExpressionError)
    }

    /// The result of one query.
    public struct Outcome: Sendable {
        /// The frames; none after a failure.
        public var frames: [DataFrame] = []
        /// nil: the query went well.
        public var error: ExpressionError?
    }

    private let queries: [Query]
    private let graph: ExpressionGraph
    private let limits: ExpressionLimits

    /// Reads all expressions and how they depend on each other.
    ///
    /// - Parameter queries: In the order of the request, with different refIds.
    /// - Throws: ``ExpressionError`` `.disabled`, `.parse`, `.graph`, `.limit`: the request as a whole cannot be run.
    public init(_ queries: [Query], limits: ExpressionLimits = ExpressionLimits()) throws(ExpressionError) {
        guard limits.isEnabled else { throw ExpressionError(.disabled, "server side expressions are disabled") }
        var nodes: [ExpressionGraph.Node] = []
        for query in queries {
            var node = ExpressionGraph.Node(refID: query.refID, command: nil)
            if case .expression(let text) = query.kind {
                node.command = try ExpressionCommand(text, refID: query.refID, limits: limits)
            }
            nodes.append(node)
        }
        graph = try ExpressionGraph(nodes)
        self.queries = queries
        self.limits = limits
    }

    /// The queries that have to run: those that are shown, and hidden ones that an expression takes.
    public var wantedRefIDs: Set<String> {
        var wanted = Set(queries.lazy.filter { !$0.isHidden }.map(\.refID))
        for needs in graph.needs { wanted.formUnion(needs.lazy.map { queries[$0].refID }) }
        return wanted
    }

    /// Calculates all expressions.
    ///
    /// Blocks for as long as that takes: call it on a thread that may be blocked.
    ///
    /// - Parameters:
    ///   - inputs: The answers of the data sources by refId; a refId that is missing has no data.
    ///   - checkpoint: Asked now and then whether to go on.
    /// - Returns: The results of all queries that are not hidden, by refId. A failure stays with its query and those
    ///   that need it.
    public func evaluate(
        _ inputs: [String: Input], checkpoint: ExpressionCheckpoint = .none
    ) -> [String: Outcome] {
        let budget = ExpressionBudget(limits: limits, checkpoint: checkpoint)
        var run = ExpressionRun(queries: queries, graph: graph, budget: budget)
        for place in graph.order { run.step(place, inputs[queries[place].refID]) }
        return run.outcomes()
    }
}
