// SPDX-License-Identifier: Apache-2.0
import Expressions
import HTTPTypes
import NIOPosix
import PluginABI
import PluginHost
import Synchronization

/// Runs a request with expressions: the queries of its data sources at the same time, then what is calculated from them.
///
/// All answers are collected, as expressions need them whole.
struct ExpressionQueries: Sendable {
    let services: ServerServices
    let identity: Identity
    let facts: CallerFacts

    /// The calls that one request may have under way.
    private static let concurrentCalls = 32

    /// A query of a data source.
    private struct Call: Sendable {
        var query: DataQuery
        var source: ResolvedDataSource
    }

    /// - Returns: The results of all queries that are not hidden, each closed.
    /// - Throws: ``APIError`` when the request as a whole cannot be run: an unknown data source, a wrong expression,
    ///   expressions in a circle. What fails later stays with its query.
    func run(_ items: [QueryRequest.Item]) async throws -> QueryResults {
        var calls: [Call] = []
        var queries: [ExpressionPlan.Query] = []
        for item in items {
            var kind = ExpressionPlan.Query.Kind.expression(item.query.json)
            if item.source != .expression {
                let source = try await services.resolver.find(item.source, orgID: identity.orgID)
                calls.append(Call(query: item.query, source: source))
                kind = .dataSource(type: source.configuration.settings.pluginID)
            }
            queries.append(
                ExpressionPlan.Query(
                    refID: item.query.refID, kind: kind, isHidden: item.isHidden, from: item.query.from,
                    to: item.query.to))
        }
        let plan = try plan(queries)
        let wanted = plan.wantedRefIDs
        let inputs = await ask(calls.filter { wanted.contains($0.query.refID) })
        try Task.checkCancellation()
        let outcomes = try await evaluate(plan, inputs)
        var results = QueryResults(refIDs: Array(outcomes.keys))
        for (refID, outcome) in outcomes { results.take(outcome, of: refID) }
        return results
    }

    private func plan(_ queries: [ExpressionPlan.Query]) throws -> ExpressionPlan {
        do {
            return try ExpressionPlan(queries, limits: services.options.expressions)
        } catch {
            throw APIError(.badRequest, error.message, messageID: error.code.rawValue)
        }
    }

    // MARK: Data sources

    private func ask(_ calls: [Call]) async -> [String: ExpressionPlan.Input] {
        let budget = InputBudget(bytes: services.options.expressions.inputBytes)
        return await withTaskGroup(of: (String, ExpressionPlan.Input).self) { group in
            var inputs: [String: ExpressionPlan.Input] = [:]
            for (number, call) in calls.enumerated() {
                if number >= Self.concurrentCalls, let (refID, input) = await group.next() { inputs[refID] = input }
                group.addTask { (call.query.refID, await input(of: call, budget)) }
            }
            for await (refID, input) in group { inputs[refID] = input }
            return inputs
        }
    }

    private func input(of call: Call, _ budget: InputBudget) async -> ExpressionPlan.Input {
        let refID = call.query.refID
        do {
            let events = try await services.platform.queryData(
                [call.query], of: call.source.configuration,
                facts: facts.callFacts(for: call.source, isFromExpression: true))
            var results = QueryResults(refIDs: [refID])
            var counted = 0
            for await event in events {
                results.take(event, of: [refID])
                guard budget.take(results.heldBytes - counted) else { throw budget.error }
                counted = results.heldBytes
            }
            results.take(.completed(nil), of: [refID])
            if let error = results.results[refID]?.error { throw error }
            var frames: [DataFrame] = []
            while let frame = results.takeFrame(of: refID) { frames.append(frame) }
            return .frames(frames, notices: results.notices(of: refID))
        } catch {
            let failure = error as? PluginError ?? PluginError(.internal, "the query could not be run")
            return .failed(.dataQuery(refID, failure.message, source: failure.source))
        }
    }

    // MARK: Calculation

    /// Calculates on a thread that may be blocked, until the client leaves or the time is up.
    private func evaluate(
        _ plan: ExpressionPlan, _ inputs: [String: ExpressionPlan.Input]
    ) async throws -> [String: ExpressionPlan.Outcome] {
        let isLeft = LeaveFlag()
        let limit = services.options.expressions.timeout
        let end = ContinuousClock.now + limit
        let checkpoint = ExpressionCheckpoint {
            if isLeft.isSet { return ExpressionError(.cancelled, "the client has left") }
            guard ContinuousClock.now >= end else { return nil }
            return ExpressionError(.timeout, "the expressions of the request took longer than \(limit)")
        }
        return try await withTaskCancellationHandler {
            try await NIOThreadPool.singleton.runIfActive { plan.evaluate(inputs, checkpoint: checkpoint) }
        } onCancel: {
            isLeft.set()
        }
    }
}

/// Whether nobody waits any more.
private final class LeaveFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}

/// The memory that the answers of a request's data sources may still take.
private final class InputBudget: Sendable {
    private let left: Mutex<Int>
    private let bytes: Int

    init(bytes: Int) {
        self.bytes = bytes
        left = Mutex(bytes)
    }

    /// Whether that many bytes were left.
    func take(_ count: Int) -> Bool {
        left.withLock { left in
            left -= count
            return left >= 0
        }
    }

    var error: PluginError {
        PluginError(
            .limit,
            "the answers that the expressions need take more than \(bytes >> 20) MiB; ask for a shorter time range or "
                + "fewer series")
    }
}
