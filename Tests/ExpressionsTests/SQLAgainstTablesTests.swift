// SPDX-License-Identifier: Apache-2.0
import CSQLite
import PluginABI
import Testing

@testable import Expressions

/// The same statements over frames and over SQLite's own tables give the same rows.
struct SQLAgainstTablesTests {
    private static let statements = [
        "SELECT * FROM A ORDER BY n, x, s", "SELECT count(*), count(n), sum(n), total(x), min(s), max(x) FROM A",
        "SELECT s, count(*), sum(n) FROM A GROUP BY s ORDER BY s", "SELECT DISTINCT n FROM A ORDER BY 1",
        "SELECT a.n, b.x FROM A a JOIN B b ON a.n = b.n ORDER BY 1, 2",
        "SELECT a.s, b.n FROM A a LEFT JOIN B b ON a.s = b.s ORDER BY 1, 2",
        "SELECT count(*) FROM A a JOIN B b ON a.n = b.x", "SELECT count(*) FROM A a JOIN B b ON a.n = b.s",
        "SELECT count(*) FROM A a JOIN B b ON a.s = b.n", "SELECT count(*) FROM A WHERE n = '3'",
        "SELECT count(*) FROM A WHERE n IN (SELECT n FROM B WHERE x > 2)",
        "SELECT n, (SELECT count(*) FROM B WHERE B.n = A.n) FROM A ORDER BY 1, 2",
        "SELECT n, sum(x) OVER (PARTITION BY s ORDER BY n, x ROWS UNBOUNDED PRECEDING) AS r FROM A ORDER BY s, n, x",
        "SELECT n FROM A EXCEPT SELECT n FROM B ORDER BY 1", "SELECT n FROM A INTERSECT SELECT n FROM B ORDER BY 1",
        "SELECT a.n FROM A a, B b, A c WHERE a.n = b.n AND b.s = c.s ORDER BY 1 LIMIT 20 OFFSET 3",
        "WITH t(k, v) AS (SELECT s, avg(x) FROM A GROUP BY s) SELECT t.k, B.n FROM t JOIN B ON t.k = B.s ORDER BY 1, 2",
    ]

    @Test(arguments: seeds)
    func rowsAreTheSame(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (a, b) = (Self.frame(&random), Self.frame(&random))
        let database = try #require(Self.database())
        defer { sqlite3_close(database) }
        Self.fill("A", a, database)
        Self.fill("B", b, database)

        for statement in Self.statements {
            let outcome = try TestRequest.sql(statement, a: [a], b: [b])

            #expect(outcome.error == nil, "\(statement)")
            #expect(outcome.frames.first?.rows ?? [] == Self.rows(statement, database), "\(statement)")
        }
    }

    /// Up to forty rows of few different values, a part of a longer column.
    private static func frame(_ random: inout SeededGenerator) -> DataFrame {
        let count = Int.random(in: 1...40, using: &random)
        let whole = (0..<count).map { _ in Bool.random(using: &random) ? Int64.random(in: 0...6, using: &random) : nil }
        let real = (0..<count).map { _ in Int.random(in: 0..<5, using: &random) > 0 ? random.halves() : nil }
        let text = (0..<count).map { _ in ["", "a", "3", "ü", nil].randomElement(using: &random) ?? nil }
        let fields = [Field("n", whole), Field("x", real), Field("s", text)]
        let first = Int.random(in: 0..<count, using: &random)
        return DataFrame(fields: fields.map { Field($0.name, column: $0.column.slice(first..<count)) })
    }

    private static func database() -> OpaquePointer? {
        var database: OpaquePointer?
        return sqlite3_open(":memory:", &database) == SQLITE_OK ? database : nil
    }

    private static func fill(_ name: String, _ frame: DataFrame, _ database: OpaquePointer) {
        func literal(_ field: Field, _ row: Int) -> String {
            if field.column.isNull(at: row) { return "NULL" }
            if let text = field.column.string(at: row) { return "'\(text)'" }
            if let whole = field.column[row, as: Int64.self] { return "\(whole)" }
            return "\(field.column.double(at: row) ?? 0)"
        }
        sqlite3_exec(database, "CREATE TABLE \(name)(n INTEGER, x REAL, s TEXT)", nil, nil, nil)
        for row in 0..<frame.rowCount {
            let values = frame.fields.map { literal($0, row) }.joined(separator: ",")
            sqlite3_exec(database, "INSERT INTO \(name) VALUES (\(values))", nil, nil, nil)
        }
    }

    private static func rows(_ text: String, _ database: OpaquePointer) -> [[String]] {
        var statement: OpaquePointer?
        sqlite3_prepare_v2(database, text, -1, &statement, nil)
        defer { sqlite3_finalize(statement) }
        var rows: [[String]] = []
        while sqlite3_step(statement) == SQLITE_ROW {
            rows.append(
                (0..<sqlite3_column_count(statement)).map { index in
                    switch sqlite3_column_type(statement, index) {
                    case SQLITE_NULL: "null"
                    case SQLITE_TEXT: String(cString: sqlite3_column_text(statement, index))
                    default: JSONValue.number(sqlite3_column_double(statement, index)).encoded()
                    }
                })
        }
        return rows
    }
}

extension SeededGenerator {
    /// A number whose sums are exact.
    fileprivate mutating func halves() -> Double { Double(Int.random(in: 0...12, using: &self)) / 2 }
}
