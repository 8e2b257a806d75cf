// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The results of a request's queries so far.
struct ExpressionRun {
    /// The result of one query.
    private enum Result {
        case values([ExpressionValue])
        case failed(ExpressionError)
    }

    private let queries: [ExpressionPlan.Query]
    private let graph: ExpressionGraph
    private let limits: ExpressionLimits
    private let checkpoint: ExpressionCheckpoint
    private var results: [Int: Result] = [:]
    /// What SQL expressions take, by query.
    private var tables: [Int: Swift.Result<DataFrame, ExpressionError>] = [:]
    /// The queries that SQL expressions take, and those that any other expression does.
    private let tableInputs: Set<Int>
    private let valueInputs: Set<Int>

    init(
        queries: [ExpressionPlan.Query], graph: ExpressionGraph, limits: ExpressionLimits,
        checkpoint: ExpressionCheckpoint
    ) {
        self.queries = queries
        self.graph = graph
        self.limits = limits
        self.checkpoint = checkpoint
        var tableInputs: Set<Int> = []
        var valueInputs: Set<Int> = []
        for (place, node) in graph.nodes.enumerated() {
            if node.isSQL {
                tableInputs.formUnion(graph.needs[place])
            } else {
                valueInputs.formUnion(graph.needs[place])
            }
        }
        self.tableInputs = tableInputs
        self.valueInputs = valueInputs
    }

    // MARK: Steps

    /// Finds the result of one query; all that it needs has its own.
    mutating func step(_ place: Int, _ input: ExpressionPlan.Input?) {
        do throws(ExpressionError) {
            try checkpoint.check()
            if case .expression = queries[place].kind {
                results[place] = .values(try calculate(place))
            } else {
                results[place] = .values(try read(place, input))
            }
        } catch {
            results[place] = .failed(error)
        }
    }

    private mutating func read(
        _ place: Int, _ input: ExpressionPlan.Input?
    ) throws(ExpressionError) -> [ExpressionValue] {
        let query = queries[place]
        guard case .dataSource(let type) = query.kind else { return [] }
        var frames: [DataFrame] = []
        var notices: [Notice] = []
        switch input {
        case .frames(let sent, let remarks): (frames, notices) = (sent, remarks)
        case .failed(let error): throw error
        case nil: break
        }
        for frame in frames {
            do {
                try frame.checkLengths()
            } catch {
                throw .readData(query.refID, error.message)
            }
        }
        if tableInputs.contains(place) {
            let table = Swift.Result { () throws(ExpressionError) in
                try TableConversion(refID: query.refID).table(of: frames)
            }
            tables[place] = table
            // What only SQL takes need not be of a form that the others can use.
            if !valueInputs.contains(place) { return [with(notices, .noData(try table.get()))] }
        }
        var values = try FrameConversion(refID: query.refID, sourceType: type).values(of: frames)
        if let first = values.first { values[0] = with(notices, first) }
        return values
    }

    private func with(_ notices: [Notice], _ value: ExpressionValue) -> ExpressionValue {
        var value = value
        value.notices += notices
        return value
    }

    private func calculate(_ place: Int) throws(ExpressionError) -> [ExpressionValue] {
        let query = queries[place]
        var variables: [String: [ExpressionValue]] = [:]
        for need in graph.needs[place] {
            let name = queries[need].refID
            guard case .values(let values)? = results[need] else {
                throw .dependency(of: query.refID, on: name)
            }
            variables[name] = values
        }
        guard let command = graph.nodes[place].command else { return [] }
        switch command {
        case .math(let program):
            let evaluator = MathEvaluator(refID: query.refID, limits: limits, checkpoint: checkpoint)
            return try evaluator.evaluate(program, variables)
        case .reduce(let command): return try command.run(variables[command.input] ?? [], refID: query.refID)
        case .threshold(let command): return command.run(variables[command.input] ?? [], refID: query.refID)
        case .classic(let command): return command.run(variables, refID: query.refID)
        case .resample(let command):
            return try command.run(
                variables[command.input] ?? [], refID: query.refID, from: query.from, to: query.to, limits: limits,
                checkpoint: checkpoint)
        case .sql(let command): return try command.run(try inputTables(place), refID: query.refID, limits, checkpoint)
        }
    }

    private func inputTables(_ place: Int) throws(ExpressionError) -> [String: DataFrame] {
        var frames: [String: DataFrame] = [:]
        for need in graph.needs[place] {
            guard let table = tables[need] else { continue }
            frames[queries[need].refID] = try table.get()
        }
        return frames
    }

    // MARK: The end

    /// The results of the queries that are shown.
    func outcomes() -> [String: ExpressionPlan.Outcome] {
        var outcomes: [String: ExpressionPlan.Outcome] = [:]
        for (place, query) in queries.enumerated() where !query.isHidden {
            switch results[place] {
            case .values(let values)?:
                outcomes[query.refID] = ExpressionPlan.Outcome(frames: values.map { $0.frame(refID: query.refID) })
            case .failed(let error)?: outcomes[query.refID] = ExpressionPlan.Outcome(error: error)
            case nil: outcomes[query.refID] = ExpressionPlan.Outcome()
            }
        }
        return outcomes
    }
}
