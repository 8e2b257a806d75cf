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
    private var budget: ExpressionBudget
    /// The cells of the data sources' answers that may still be read.
    private var cellsLeft: Int
    private var results: [Int: Result] = [:]
    /// How many expressions have not taken a result yet.
    private var readersLeft: [Int]
    /// What SQL expressions take, by query.
    private var tables: [Int: Swift.Result<DataFrame, ExpressionError>] = [:]
    /// The queries that SQL expressions take, and those that any other expression does.
    private let tableInputs: Set<Int>
    private let valueInputs: Set<Int>

    init(queries: [ExpressionPlan.Query], graph: ExpressionGraph, budget: ExpressionBudget) {
        self.queries = queries
        self.graph = graph
        self.budget = budget
        // A value that is calculated with takes 8 bytes, however few it came in.
        cellsLeft = budget.limits.inputBytes / 8
        readersLeft = [Int](repeating: 0, count: queries.count)
        for need in graph.needs.joined() { readersLeft[need] += 1 }
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
    ///
    /// What is hidden and not needed any more is dropped.
    mutating func step(_ place: Int, _ input: ExpressionPlan.Input?) {
        do throws(ExpressionError) {
            try budget.checkpoint.check()
            if case .expression = queries[place].kind {
                if !queries[place].isHidden || readersLeft[place] > 0 {
                    results[place] = .values(try calculated(place))
                }
            } else {
                results[place] = .values(try read(place, input))
            }
        } catch {
            results[place] = .failed(error)
        }
        for need in graph.needs[place] {
            readersLeft[need] -= 1
            if readersLeft[need] == 0, queries[need].isHidden { drop(need) }
        }
    }

    /// The result of an expression, for which there is room.
    private mutating func calculated(_ place: Int) throws(ExpressionError) -> [ExpressionValue] {
        let values = try calculate(place)
        let bytes = values.reduce(0) { $0 + $1.byteCount }
        try budget.check(bytes, for: "the result of \(queries[place].refID)")
        budget.heldBytes += bytes
        return values
    }

    private mutating func drop(_ place: Int) {
        if case .values(let values)? = results[place], case .expression = queries[place].kind {
            budget.heldBytes -= values.reduce(0) { $0 + $1.byteCount }
        }
        results[place] = nil
        tables[place] = nil
    }

    private mutating func read(
        _ place: Int, _ input: ExpressionPlan.Input?
    ) throws(ExpressionError) -> [ExpressionValue] {
        let query = queries[place]
        guard case .dataSource(let type) = query.kind else { return [] }
        var frames: [DataFrame] = []
        var notices: [Notice] = []
        var frameNotices: [Notice] = []
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
            cellsLeft -= frame.rowCount * frame.fields.count
            if !frame.fields.isEmpty { frameNotices += frame.meta?.notices ?? [] }
        }
        guard cellsLeft >= 0 else {
            throw .readData(
                query.refID, "the answers of the request have too many values to calculate with; ask for fewer series")
        }
        if tableInputs.contains(place) {
            let table = Swift.Result { () throws(ExpressionError) in
                try TableConversion(refID: query.refID, maximumCells: budget.limits.sqlInputCells).table(of: frames)
            }
            tables[place] = table
            // What only SQL takes need not be of a form that the others can use.
            if !valueInputs.contains(place) {
                // Too large a table is what the expression asks for, not what the data source does wrong.
                if case .failure(let error) = table, error.code == .limit { return frames.map { .noData($0) } }
                return [with(notices + frameNotices, .noData(try table.get()))]
            }
        }
        var values = try conversion(query.refID, type).values(of: frames)
        if let first = values.first { values[0] = with(notices + frameNotices, first) }
        return values
    }

    private func conversion(_ refID: String, _ type: String) -> FrameConversion {
        FrameConversion(refID: refID, sourceType: type, readsDataPlane: budget.limits.readsDataPlane)
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
            return try MathEvaluator(refID: query.refID, budget: budget).evaluate(program, variables)
        case .reduce(let command): return try command.run(variables[command.input] ?? [], refID: query.refID)
        case .threshold(let command): return command.run(variables[command.input] ?? [], refID: query.refID)
        case .classic(let command): return command.run(variables, refID: query.refID)
        case .resample(let command):
            return try command.run(
                variables[command.input] ?? [], refID: query.refID, from: query.from, to: query.to, budget: budget)
        case .sql(let command):
            return try command.run(
                try inputTables(place), refID: query.refID, budget.limits, budget.checkpoint)
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
