// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// Times in SQL compare as moments, however they are written.
struct SQLTimeTests {
    /// 2026-01-01 00:00:00, a quarter of a second later, 01:00:00, and none.
    private static let start: Double = 1_767_225_600
    private static let table = DataFrame(fields: [
        Field(
            "time",
            [start, start + 0.25, start + 3600, nil].map { second in
                second.map { Timestamp(nanoseconds: Int64($0 * 1000) * 1_000_000) }
            }), Field("n", [1, 2, 3, 4] as [Int64]),
        Field("text", ["2026-01-01T00:00:00Z", "2026-01-01", "2026-01-01 01:00:00", ""]),
    ])

    private func rows(_ text: String) throws -> [[String]] {
        let outcome = try TestRequest.sql(text, a: [Self.table], b: [Self.table])
        if let error = outcome.error { throw error }
        return outcome.frames.first?.rows ?? []
    }

    @Test(arguments: [
        ("time = '2026-01-01 00:00:00.000'", ["1"]), ("time = '2026-01-01T00:00:00Z'", ["1"]),
        ("time = '2026-01-01T00:00:00.000Z'", ["1"]), ("time = '2026-01-01'", ["1"]),
        ("time = '2026-01-01T01:00:00+01:00'", ["1"]), ("time = '2026-01-01T00:00'", ["1"]),
        ("'2026-01-01T00:00:00Z' = time", ["1"]), ("time = '2026-01-01 00:00:00.250000'", ["2"]),
        ("time >= '2026-01-01 00:00:00.000'", ["1", "2", "3"]), ("time > '2026-01-01T00:00:00Z'", ["2", "3"]),
        ("time < '2026-01-01T01:00:00Z'", ["1", "2"]), ("time <= '2026-01-01T01:00:00.000Z'", ["1", "2", "3"]),
        ("time <> '2026-01-01T00:00:00Z'", ["2", "3"]),
        ("time BETWEEN '2026-01-01T00:00:00.250Z' AND '2026-01-01T01:00:00Z'", ["2", "3"]),
        ("time IN ('2026-01-01T00:00:00Z', '2026-01-01', '2026-01-01T01:00:00Z')", ["1", "3"]),
        ("time NOT IN ('2026-01-01T00:00:00Z')", ["2", "3"]), ("time IN (SELECT text FROM B)", ["1", "3"]),
        ("CAST(time AS DATE) = '2026-01-01'", ["1", "2", "3"]), ("CAST(time AS DATE) = '2025-12-31'", []),
        ("CAST(time AS TIME) = '01:00:00'", ["3"]), ("CAST(time AS DATETIME) = '2026-01-01T00:00:00Z'", ["1", "2"]),
        ("date(time) = '2026-01-01'", ["1", "2", "3"]),
        ("time >= CAST('2026-01-01T00:00:00.1Z' AS DATETIME(3))", ["2", "3"]),
        ("date_add(time, INTERVAL 1 HOUR) = '2026-01-01T02:00:00Z'", ["3"]),
        ("time >= date_sub('2026-01-01T02:00:00Z', INTERVAL 1 HOUR)", ["3"]),
        ("coalesce(time, '2026-01-02') >= '2026-01-02T00:00:00Z'", ["4"]), ("time LIKE '2026-01-01 01%'", ["3"]),
        ("time > '2026-01-01 00:30'", ["3"]), ("time > '2026-01'", ["1", "2", "3"]), ("time > 'x'", []),
        ("time < '9999-12-31T00:00:00Z'", ["1", "2", "3"]), ("time = '2026-02-31'", []), ("time = ''", []),
        ("CASE time WHEN '2026-01-01T00:00:00Z' THEN 1 END", ["1"]), ("text = '2026-01-01 00:00:00'", []),
        ("EXISTS (SELECT 1 FROM B WHERE A.time = B.text)", ["1", "3"]),
    ])
    func rowsAreFoundByMoment(condition: String, expected: [String]) throws {
        #expect(try rows("SELECT n FROM A WHERE \(condition) ORDER BY n").map { $0[0] } == expected)
    }

    @Test(arguments: [
        ("SELECT a.n, b.n FROM A a JOIN B b ON a.time = b.time ORDER BY 1", [["1", "1"], ["2", "2"], ["3", "3"]]),
        (
            "SELECT a.n, b.n FROM A a JOIN B b ON a.time = b.text ORDER BY 1, 2",
            [["1", "1"], ["1", "2"], ["3", "3"]]
        ),
        ("SELECT n FROM A JOIN (SELECT '2026-01-01T00:00:00Z' AS t) x ON A.time = x.t", [["1"]]),
        ("SELECT max(n) FROM A GROUP BY CAST(time AS DATETIME) ORDER BY 1", [["2"], ["3"], ["4"]]),
        ("SELECT count(*) FROM (SELECT min(time) AS t FROM A GROUP BY n) WHERE t >= '2026-01-01T00:00:00Z'", [["3"]]),
        ("SELECT n FROM A GROUP BY n HAVING max(time) > '2026-01-01T00:00:00.250Z'", [["3"]]),
        ("SELECT n FROM A ORDER BY time DESC", [["3"], ["2"], ["1"], ["4"]]),
        ("SELECT count(DISTINCT time) FROM A", [["3"]]),
        ("SELECT count(*) FROM (SELECT time FROM A UNION SELECT text FROM A)", [["5"]]),
        (
            "SELECT max(time) OVER (), min(time) FILTER (WHERE n > 2) OVER () FROM A LIMIT 1",
            [["1767229200000", "1767229200000"]]
        ),
        ("WITH date(a) AS (SELECT 1) SELECT a FROM date", [["1"]]),
        ("SELECT min(n) FROM A UNION SELECT max(n) FROM A ORDER BY min(n) DESC", [["4"], ["1"]]),
    ])
    func statementsKnowMoments(text: String, expected: [[String]]) throws {
        let found = try rows(text)

        #expect(found == expected)
    }

    /// So many rows that the join looks them up.
    @Test func joinsOnTimesAndTextsFindAllRows() throws {
        let seconds = (0..<500).map { Int64($0) }
        let left = DataFrame(fields: [Field("time", times(seconds))])
        let texts = seconds.map {
            SQLMoment(nanoseconds: $0 * 1_000_000_000).text.replacing(" ", with: "T") + ".0Z"
        }
        let right = DataFrame(fields: [Field("s", texts), Field("time", times(seconds))])

        for condition in ["A.time = B.s", "A.time = B.time", "B.time = A.time"] {
            let outcome = try TestRequest.sql("SELECT count(*) FROM B JOIN A ON \(condition)", a: [left], b: [right])

            #expect(outcome.frames.first?.rows == [["500"]], "\(condition) \(outcome)")
        }
    }

    @Test func timesAndOtherTextsHaveOneOrder() throws {
        let texts = [
            "2026-01-01", "2026-01-01 00:00:00", "2026-01-01T00:00:00Z", "2026-01-01 23:00:00", "2026-01-01 9", "2026",
            "", "x", "2026-01-01T05", "2026-01-01 00:00:00.5", "2026-01-01T00:00:00.50Z", "0000-01-01T00:00:00+14:00",
        ]
        let table = DataFrame(fields: [Field("s", texts)])
        let circles = """
            SELECT count(*) FROM A x, A y, A z WHERE x.s <= y.s COLLATE moment AND y.s <= z.s COLLATE moment
            AND x.s > z.s COLLATE moment
            """

        #expect(try TestRequest.sql(circles, a: [table]).frames.first?.rows == [["0"]])
    }
}
