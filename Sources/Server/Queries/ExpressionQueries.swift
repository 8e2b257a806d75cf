// SPDX-License-Identifier: Apache-2.0
import Expressions
import HTTPTypes
import NIOPosix
import PluginABI
import PluginHost
import Storage
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

    /// Queries that go to a data source in one call.
    private struct Call: Sendable {
        var queries: [DataQuery]
        var source: ResolvedDataSource
    }

    /// What a call gave, by refId.
    private struct Answer: Sendable {
        var inputs: [String: ExpressionPlan.Input]
        var cacheStatus: CacheStatus?
    }

    /// - Returns: The results of all queries that are not hidden, each closed, and whether the data was kept from before.
    /// - Throws: ``APIError`` when the request as a whole cannot be run: an unknown data source, a wrong expression,
    ///   expressions in a circle. What fails later stays with its query.
    func run(_ items: [QueryRequest.Item]) async throws -> (QueryResults, CacheStatus?) {
        var asked: [(query: DataQuery, source: ResolvedDataSource)] = []
        var queries: [ExpressionPlan.Query] = []
        for item in items {
            var kind = ExpressionPlan.Query.Kind.expression(item.query.json)
            if item.source != .expression {
                let source = try await services.resolver.find(item.source, orgID: identity.orgID)
                asked.append((item.query, source))
                kind = .dataSource(type: source.configuration.settings.pluginID)
            }
            queries.append(
                ExpressionPlan.Query(
                    refID: item.query.refID, kind: kind, isHidden: item.isHidden, from: item.query.from,
                    to: item.query.to))
        }
        let plan = try plan(queries)
        let wanted = plan.wantedRefIDs
        let answer = await ask(calls(asked.filter { wanted.contains($0.query.refID) }))
        try Task.checkCancellation()
        let outcomes = try await evaluate(plan, answer.inputs)
        var results = QueryResults(refIDs: Array(outcomes.keys))
        for (refID, outcome) in outcomes { results.take(outcome, of: refID) }
        return (results, answer.cacheStatus)
    }

    /// Each query is a call of its own, unless the toggle puts those of one data source together.
    private func calls(_ asked: [(query: DataQuery, source: ResolvedDataSource)]) -> [Call] {
        guard services.options.featureToggles.contains("sseGroupByDatasource") else {
            return asked.map { Call(queries: [$0.query], source: $0.source) }
        }
        var calls: [Call] = []
        for (query, source) in asked {
            if let place = calls.firstIndex(where: { $0.source.source.id == source.source.id }) {
                calls[place].queries.append(query)
            } else {
                calls.append(Call(queries: [query], source: source))
            }
        }
        return calls
    }

    private func plan(_ queries: [ExpressionPlan.Query]) throws -> ExpressionPlan {
        do {
            return try ExpressionPlan(queries, limits: services.options.expressions)
        } catch {
            throw APIError(.badRequest, error.message, messageID: error.code.rawValue)
        }
    }

    // MARK: Data sources

    private func ask(_ calls: [Call]) async -> Answer {
        let budget = InputBudget(bytes: services.options.expressions.inputBytes)
        let answers = await withTaskGroup(of: Answer.self) { group in
            var answers: [Answer] = []
            for (number, call) in calls.enumerated() {
                if number >= Self.concurrentCalls, let answer = await group.next() { answers.append(answer) }
                group.addTask { await answer(to: call, budget) }
            }
            for await answer in group { answers.append(answer) }
            return answers
        }
        var inputs: [String: ExpressionPlan.Input] = [:]
        for answer in answers { inputs.merge(answer.inputs) { first, _ in first } }
        return Answer(inputs: inputs, cacheStatus: CacheStatus(answers.map(\.cacheStatus)))
    }

    private func answer(to call: Call, _ budget: InputBudget) async -> Answer {
        let refIDs = call.queries.map(\.refID)
        do {
            let events = try await services.platform.queryData(
                call.queries, of: call.source.configuration,
                facts: facts.callFacts(for: call.source, isFromExpression: true))
            var results = QueryResults(refIDs: refIDs)
            var counted = 0
            for await event in events {
                results.take(event, of: refIDs)
                guard budget.take(results.heldBytes - counted) else { throw budget.error }
                counted = results.heldBytes
            }
            results.take(.completed(nil), of: refIDs)
            var answer = Answer(inputs: [:], cacheStatus: events.cacheStatus)
            for refID in refIDs { answer.inputs[refID] = Self.input(refID, &results) }
            return answer
        } catch {
            let failure = error as? PluginError ?? PluginError(.internal, "the query could not be run")
            return Answer(inputs: Dictionary(uniqueKeysWithValues: refIDs.map { ($0, Self.failed($0, failure)) }))
        }
    }

    private static func input(_ refID: String, _ results: inout QueryResults) -> ExpressionPlan.Input {
        if let error = results.results[refID]?.error { return failed(refID, error) }
        var frames: [DataFrame] = []
        while let frame = results.takeFrame(of: refID) { frames.append(frame) }
        return .frames(frames, notices: results.notices(of: refID))
    }

    private static func failed(_ refID: String, _ error: PluginError) -> ExpressionPlan.Input {
        .failed(.dataQuery(refID, error.message, source: error.source))
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
            try await services.expressionThreads.runIfActive { plan.evaluate(inputs, checkpoint: checkpoint) }
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
