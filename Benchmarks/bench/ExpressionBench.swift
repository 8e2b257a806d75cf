// SPDX-License-Identifier: Apache-2.0
import CBench
import CSQLite
import Expressions
import PluginABI

/// Math over series against a loop in C, and SQL over a frame against a table of SQLite.
struct ExpressionBench {
    private static let rounds = 11
    private static let rowCount = 1_000_000

    func run() throws {
        try math()
        try manySeries()
        try sql()
    }

    private func plan(_ model: JSONValue, _ sources: [String]) throws -> ExpressionPlan {
        let zero = Timestamp(nanoseconds: 0)
        var limits = ExpressionLimits()
        limits.isSQLEnabled = true
        (limits.sqlInputCells, limits.sqlOutputCells) = (0, 0)
        let queries = sources.map {
            ExpressionPlan.Query(refID: $0, kind: .dataSource(type: "bench"), isHidden: true, from: zero, to: zero)
        }
        let text = JSONText(model.encoded())
        let expression = ExpressionPlan.Query(refID: "R", kind: .expression(text), from: zero, to: zero)
        return try ExpressionPlan(queries + [expression], limits: limits)
    }

    private func series(_ count: Int, labels: Labels? = nil, times: Column) -> DataFrame {
        let values = (0..<count).map { Double($0 * 7919 % 10_007) / 8 }
        return DataFrame(
            meta: FrameMeta(type: "timeseries-multi"),
            fields: [Field("Time", column: times), Field("v", values, labels: labels)])
    }

    private func times(_ count: Int) -> Column { Column((0..<count).map { Timestamp(milliseconds: Int64($0) * 1000) }) }

    private func measure(_ plan: ExpressionPlan, _ inputs: [String: ExpressionPlan.Input]) -> (Double, [DataFrame]) {
        var timing = Timing()
        var frames: [DataFrame] = []
        for _ in 0..<Self.rounds {
            let outcomes = timing.measure { plan.evaluate(inputs) }
            if let error = outcomes["R"]?.error { complain("bench: \(error)") }
            frames = outcomes["R"]?.frames ?? []
        }
        return (timing.median, frames)
    }

    // MARK: Math

    /// `$A + $B` over series whose times are equal and lie in different memory.
    private func math() throws {
        let (a, b) = (
            series(Self.rowCount, times: times(Self.rowCount)), series(Self.rowCount, times: times(Self.rowCount))
        )
        let plan = try plan(["type": "math", "expression": "$A + $B"], ["A", "B"])

        let (median, frames) = measure(plan, ["A": .frames([a], notices: []), "B": .frames([b], notices: [])])

        precondition(frames.count == 1 && frames[0].rowCount == Self.rowCount)
        report("math.nanoseconds", median)
        report("math-loop.nanoseconds", loop(a, b, frames[0]))
    }

    /// The same in C: compares the times, adds the values into new memory.
    private func loop(_ a: DataFrame, _ b: DataFrame, _ result: DataFrame) -> Double {
        var timing = Timing()
        for _ in 0..<Self.rounds {
            let sums = a.fields[0].column.withValues(as: Int64.self) { aTimes in
                b.fields[0].column.withValues(as: Int64.self) { bTimes in
                    a.fields[1].column.withValues(as: Double.self) { aValues in
                        b.fields[1].column.withValues(as: Double.self) { bValues in
                            timing.measure {
                                cbench_join_add(
                                    Self.rowCount, aTimes.baseAddress, aValues.baseAddress, bTimes.baseAddress,
                                    bValues.baseAddress)
                            }
                        }
                    }
                }
            }
            precondition(sums?[Self.rowCount - 1] == result.fields[1].column.double(at: Self.rowCount - 1))
            cbench_free(sums)
        }
        return timing.median
    }

    /// `$A * $B + 1` over 1000 labelled series of 1000 points on each side.
    private func manySeries() throws {
        let times = times(1000)
        let frames = (0..<1000).map { series(1000, labels: ["host": "h\($0)", "job": "node"], times: times) }
        let plan = try plan(["type": "math", "expression": "$A * $B + 1"], ["A", "B"])

        let peak = PeakMemory()
        let (median, result) = measure(plan, ["A": .frames(frames, notices: []), "B": .frames(frames, notices: [])])
        let bytes = peak.bytesSince

        precondition(result.count == 1000)
        report("math-series.nanoseconds", median)
        report("math-series.bytes", Double(bytes))
    }

    // MARK: SQL

    private static let statement =
        "SELECT host, count(*), avg(v), max(v) FROM A WHERE v > 100 GROUP BY host ORDER BY host"

    private func sql() throws {
        let hosts = (0..<Self.rowCount).map { "host-\($0 % 100)" }
        let values = (0..<Self.rowCount).map { Double($0 * 7919 % 10_007) / 8 }
        let table = DataFrame(fields: [Field("host", hosts), Field("v", values)])
        let plan = try plan(["type": "sql", "expression": .string(Self.statement)], ["A"])

        let (median, frames) = measure(plan, ["A": .frames([table], notices: [])])

        precondition(frames.first?.rowCount == 100)
        report("sql.nanoseconds", median)
        let (load, run) = realTable(hosts, values)
        report("sql-table.nanoseconds", run)
        report("sql-load.nanoseconds", load)
    }

    /// How long SQLite needs to fill a table of its own, and to run the statement over it.
    private func realTable(_ hosts: [String], _ values: [Double]) -> (load: Double, run: Double) {
        var database: OpaquePointer?
        precondition(sqlite3_open(":memory:", &database) == SQLITE_OK)
        defer { sqlite3_close(database) }
        var (load, run) = (Timing(), Timing())
        load.measure {
            sqlite3_exec(database, "CREATE TABLE A(host TEXT, v REAL); BEGIN", nil, nil, nil)
            var insert: OpaquePointer?
            sqlite3_prepare_v2(database, "INSERT INTO A VALUES (?, ?)", -1, &insert, nil)
            for (host, value) in zip(hosts, values) {
                sqlite3_bind_text(insert, 1, host, -1, unsafeBitCast(-1, to: sqlite3_destructor_type.self))
                sqlite3_bind_double(insert, 2, value)
                sqlite3_step(insert)
                sqlite3_reset(insert)
            }
            sqlite3_finalize(insert)
            sqlite3_exec(database, "COMMIT", nil, nil, nil)
        }
        for _ in 0..<Self.rounds {
            run.measure {
                var statement: OpaquePointer?
                sqlite3_prepare_v2(database, Self.statement, -1, &statement, nil)
                var rows = 0
                while sqlite3_step(statement) == SQLITE_ROW { rows += 1 }
                sqlite3_finalize(statement)
                precondition(rows == 100)
            }
        }
        return (load.median, run.median)
    }
}
