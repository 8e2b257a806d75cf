// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// SQL over frames: types, tables, and what is refused.
struct SQLTests {
    static let hosts = DataFrame(fields: [
        Field("host", ["a", "b", nil, "a"] as [String?]), Field("cpu", [1.5, 2, 3, nil] as [Double?]),
        Field("cores", [4, 8, 16, 4] as [Int64]), Field("up", [true, false, nil, true] as [Bool?]),
        Field("seen", times([0, 1, 2, 1_700_000_000])),
    ])

    private func rows(_ text: String, b: [DataFrame]? = nil) throws -> [[String]] {
        let outcome = try TestRequest.sql(text, a: [Self.hosts], b: b)
        if let error = outcome.error { throw error }
        return outcome.frames.first?.rows ?? []
    }

    @Test func columnsKeepTheirTypesAndNulls() throws {
        let frame = try #require(try TestRequest.sql("SELECT * FROM A", a: [Self.hosts]).frames.first)

        #expect(frame.fields.map(\.name) == ["host", "cpu", "cores", "up", "seen"])
        #expect(frame.fields.map(\.type) == [.string, .float64, .int64, .bool, .time])
        #expect(frame.rows == Self.hosts.rows)
        #expect(frame.refID == "R")
    }

    /// As in MySQL: dividing whole numbers gives fractions, and the two bars are OR.
    @Test(arguments: [
        ("SELECT cores / 3.0, 1 / 4, cores / 16 FROM A LIMIT 1", [["1.3333333333333333", "0.25", "0.25"]]),
        (
            "SELECT count(*) / 8, 7 / 2 / 2, 2 * 3 / 4, -(1) / 2, 1 / 0 FROM A",
            [["0.5", "1.75", "1.5", "-0.5", "null"]]
        ),
        ("SELECT sum(cores / 64) FROM A -- a / b", [["0.5"]]),
        (
            "SELECT '1/2', /* 1/2 */ 0 || 1, 1 && 0, 1 | 2, cores FROM A WHERE 0 || cores = 8",
            [["1/2", "1", "0", "3", "8"]]
        ),
    ])
    func operatorsAreThoseOfMySQL(text: String, expected: [[String]]) throws {
        #expect(try rows(text) == expected)
    }

    @Test func aColumnNamedIntervalIsNoUnit() throws {
        let table = DataFrame(fields: [Field("interval", [1, 2] as [Int64])])

        #expect(try TestRequest.sql("SELECT sum(interval / 2) FROM A", a: [table]).frames.first?.rows == [["1.5"]])
    }

    static let everyType: [(Field, FieldType, [String])] = [
        (Field("x", [-128, 127] as [Int8]), .int64, ["-128", "127"]),
        (Field("x", [-32768, 32767] as [Int16]), .int64, ["-32768", "32767"]),
        (Field("x", [Int32.min, Int32.max]), .int64, ["-2147483648", "2147483647"]),
        (Field("x", [1, nil] as [Int64?]), .int64, ["1", "null"]),
        (Field("x", [255, 0] as [UInt8]), .int64, ["255", "0"]),
        (Field("x", [65535, 0] as [UInt16]), .int64, ["65535", "0"]),
        (Field("x", [UInt32.max, 0]), .int64, ["4294967295", "0"]),
        (Field("x", [1, 2] as [UInt64]), .int64, ["1", "2"]),
        (Field("x", [UInt64.max, 2]), .float64, ["18446744073709552000", "2"]),
        (Field("x", [1.5, nil] as [Float?]), .float64, ["1.5", "null"]),
        (Field("x", [Double.nan, .infinity]), .float64, ["null", "null"]),
        (Field("x", ["", "ü\u{1F600}"]), .string, ["", "ü\u{1F600}"]),
        (Field("x", [JSONText("{\"a\":1}"), nil] as [JSONText?]), .json, ["{\"a\":1}", "null"]),
        (Field("x", [true, false]), .bool, ["true", "false"]),
        (Field("x", [Timestamp(nanoseconds: -1), Timestamp(nanoseconds: 1)]), .time, ["-0.000001", "0.000001"]),
        (Field("x", [EnumIndex(1), EnumIndex(0)], config: enumConfig), .string, ["on", "off"]),
        (Field("x", [Double?](repeating: nil, count: 2)), .float64, ["null", "null"]),
        (Field("x", [String?](repeating: nil, count: 2)), .string, ["null", "null"]),
    ]

    static let enumConfig: FieldConfig = {
        var config = FieldConfig()
        config.enumTexts = ["off", "on"]
        return config
    }()

    @Test(arguments: 0..<everyType.count)
    func everyTypeGoesInAndOut(index: Int) throws {
        let (field, type, values) = Self.everyType[index]

        let outcome = try TestRequest.sql("SELECT x FROM A", a: [DataFrame(fields: [field])])

        #expect(outcome.error == nil)
        #expect(outcome.frames.first?.fields[0].type == type)
        #expect(outcome.frames.first?.rows.map { $0[0] } == values)
    }

    @Test func slicesAreReadWhereTheyLie() throws {
        let fields = Self.hosts.fields.map { Field($0.name, column: $0.column.slice(1..<4)) }

        let outcome = try TestRequest.sql("SELECT * FROM A", a: [DataFrame(fields: fields)])

        #expect(outcome.frames.first?.rows == Array(Self.hosts.rows[1...]))
    }

    @Test(arguments: [
        ("SELECT host, count(*) AS n FROM A GROUP BY host ORDER BY host", [["null", "1"], ["a", "2"], ["b", "1"]]),
        ("SELECT sum(cores) FROM A WHERE up", [["8"]]),
        ("SELECT max(seen) AS t FROM A", [["1700000000000"]]),
        ("SELECT host FROM A WHERE seen > '2020-01-01'", [["a"]]),
        ("WITH x AS (SELECT cores FROM A WHERE cores > 4) SELECT count(*) FROM x", [["2"]]),
        ("SELECT cores, row_number() OVER (ORDER BY cores DESC) FROM A LIMIT 2", [["16", "1"], ["8", "2"]]),
        ("SELECT `host` FROM `A` WHERE `cpu` = 2 UNION ALL SELECT 'x'", [["b"], ["x"]]),
        ("SELECT CASE WHEN cores > 8 THEN 'big' ELSE 'small' END AS size FROM A WHERE cores = 16;", [["big"]]),
        ("SELECT a.host, b.cores FROM A a JOIN A b ON a.cores = b.cores AND a.host = 'b'", [["b", "8"]]),
        ("SELECT 1 WHERE 'x' IN (SELECT host FROM A)", []), ("select CORES from a where HOST = 'b'", [["8"]]),
        ("SELECT [host] FROM [A] WHERE [host] = 'b'", [["b"]]),
        ("SELECT count(*) FROM (SELECT DISTINCT host FROM A WHERE host IS NOT NULL)", [["2"]]),
    ])
    func statementHasTheRows(text: String, expected: [[String]]) throws {
        #expect(try rows(text) == expected)
    }

    @Test func calculatedTimesAreTimes() throws {
        let outcome = try TestRequest.sql(
            "SELECT min(seen) AS t, date_format(seen, '%Y') AS y FROM A GROUP BY host", a: [Self.hosts])

        #expect(outcome.frames.first?.fields.map(\.type) == [.time, .string])
    }

    @Test(arguments: [
        ("concat('a', 1, 'b')", "a1b"), ("concat('a', NULL)", "null"), ("if(1 > 2, 'x', 'y')", "y"),
        ("length('ü')", "2"), ("char_length('ü')", "1"), ("round(log(exp(2)), 6)", "2"), ("log(2, 8)", "3"),
        ("log(-1)", "null"), ("substring_index('a.b.c', '.', 2)", "a.b"), ("substring_index('a.b.c', '.', -1)", "c"),
        ("substring('hello', 2, 3)", "ell"), ("mod(7, 4)", "3"), ("json_unquote('\"a\\n\"')", "a\n"),
        ("json_length('[1,2,3]')", "3"), ("json_contains('[1,[2]]', '[2,3]')", "0"),
        ("json_contains('[1,2]', '2')", "1"),
        ("json_contains('{\"a\":{\"b\":1}}', '{\"a\":{}}')", "1"), ("json_extract('{\"a\":[5]}', '$.a[0]')", "5"),
        ("year('2024-02-29 12:34:56')", "2024"), ("month('2024-02-29')", "2"), ("day('2024-02-29')", "29"),
        ("weekday('2024-02-29')", "3"), ("weekday('1969-12-28')", "6"), ("datediff('2024-03-01', '2024-02-28')", "2"),
        ("unix_timestamp('1970-01-02T00:00:00Z')", "86400"), ("date_format(from_unixtime(0), '%d.%m.%y')", "01.01.70"),
        (
            "date_format('2024-02-29 15:04:05.25', '%W %a %e %M %b %c %H %k %h %l %i %s %f %p %T %%')",
            "Thursday Thu 29 February Feb 2 15 15 03 3 04 05 250000 PM 15:04:05 %"
        ),
        ("concat(str_to_date('29 Feb 2024 7:08', '%d %b %Y %H:%i'), '.')", "2024-02-29 07:08:00."),
        ("concat(date_add('2024-01-31', INTERVAL 1 MONTH), '.')", "2024-02-29 00:00:00."),
        ("concat(date_sub('2024-01-01', INTERVAL 1 SECOND), '.')", "2023-12-31 23:59:59."),
        ("str_to_date('x', '%d')", "null"), ("CAST('12.7' AS SIGNED)", "12"), ("CAST(5 AS CHAR)", "5"),
        ("coalesce(NULL, 3)", "3"), ("nullif(1, 1)", "null"), ("ifnull(NULL, 'z')", "z"), ("power(2, 10)", "1024"),
        ("'abc' LIKE 'a%'", "1"),
    ])
    func functionHasTheValue(text: String, expected: String) throws {
        #expect(try rows("SELECT \(text)") == [[expected]])
    }

    @Test func spreadIsThatOfThePopulation() throws {
        let text = "SELECT std(cores), stddev_pop(cores), variance(cores), var_pop(NULL) FROM A"

        let frame = try #require(try TestRequest.sql(text, a: [Self.hosts]).frames.first)

        #expect(frame.fields[2].column.double(at: 0) == 24)
        #expect(frame.fields[0].column.double(at: 0) == 24.0.squareRoot())
        #expect(frame.rows[0][3] == "null")
    }

    @Test(arguments: [
        ("DELETE FROM A", "table A may not be modified"), ("INSERT INTO A VALUES (1)", "no such table: A"),
        ("UPDATE A SET cpu = 1", "no such table: A"), ("DROP TABLE A", "no such table: A"),
        ("DELETE FROM A WHERE 1", "table A may not be modified"),
        ("CREATE TABLE x (a)", "blocked node"), ("CREATE TEMP TABLE x (a)", "blocked node"),
        ("CREATE VIEW x AS SELECT 1", "blocked node"), ("CREATE VIRTUAL TABLE x USING fts5(a)", "blocked node"),
        ("ATTACH 'file.db' AS x", "blocked node attach - not supported in queries"),
        ("DETACH main", "blocked node detach - not supported in queries"),
        ("PRAGMA table_info(A)", "blocked node pragma - not supported in queries"),
        ("SELECT * FROM pragma_table_info('A')", "blocked node"), ("VACUUM", "blocked node vacuum"),
        ("VACUUM INTO 'x'", "blocked node vacuum"),
        ("BEGIN", "blocked node transaction - not supported in queries"), ("SAVEPOINT x", "blocked node savepoint"),
        ("ANALYZE", "blocked node"), ("REINDEX", "blocked node reindex - not supported in queries"),
        ("SELECT load_extension('x')", "blocked function load_extension - not supported in queries"),
        ("SELECT readfile('/etc/passwd')", "no such function: readfile"),
        ("SELECT randomblob(1000000000)", "blocked function randomblob - not supported in queries"),
        ("SELECT zeroblob(1000000000)", "blocked function zeroblob - not supported in queries"),
        ("SELECT printf('%.*c', 100000000, 'x')", "blocked function printf - not supported in queries"),
        ("SELECT sqlite_version()", "blocked function sqlite_version - not supported in queries"),
        ("EXPLAIN SELECT 1", "blocked node explain - not supported in queries"),
        ("SELECT 1; SELECT 2", "only one statement is allowed, and another begins with 'SELECT 2'"),
        ("SELECT ?", "too many SQL variables"), ("SELEKT 1", "near \"SELEKT\": syntax error"),
        ("SELECT missing FROM A", "no such column: missing"), ("-- nothing", "there is no statement in the text"),
        ("SELECT json_extract('{', '$')", "malformed JSON"),
    ])
    func whatDoesNotReadIsRefused(text: String, message: String) throws {
        let outcome = try TestRequest.sql(text, a: [Self.hosts])

        #expect(outcome.frames.isEmpty)
        #expect(outcome.error?.message.hasPrefix("sql expression: ") == true, "\(outcome)")
        #expect(outcome.error?.message.contains(message) == true, "\(outcome.error?.message ?? "")")
    }

    @Test(arguments: [
        ("SELECT * FROM A", ["A"]), ("select a from `A b`, \"C\" c join D on x", ["A b", "C", "D"]),
        ("WITH x AS (SELECT 1 FROM A), y(a, b) AS (SELECT 2) SELECT * FROM x JOIN y JOIN B", ["A", "B"]),
        ("SELECT (SELECT max(v) FROM B) FROM (SELECT 1 FROM A) t WHERE x IN (SELECT y FROM C)", ["B", "A", "C"]),
        ("SELECT 'FROM x' -- FROM y\n FROM A /* JOIN z */", ["A"]), ("SELECT 1", []),
        ("SELECT a FROM A WHERE b IS NOT DISTINCT FROM c", ["A"]),
        ("SELECT * FROM A JOIN B USING (x, y), C", ["A", "B", "C"]),
        ("SELECT * FROM json_each('[]')", []), ("SELECT a FROM A UNION SELECT b FROM B ORDER BY 1, 2", ["A", "B"]),
        ("SELECT * FROM (A JOIN B)", ["A", "B"]), ("FROM", []), ("SELECT * FROM 'A", []), ("(((", []),
    ])
    func tablesAreFound(text: String, names: [String]) {
        #expect(SQLTableNames.find(in: text) == names)
    }

    @Test(arguments: ["X", "sqlite_master", "sqlite_schema", "pragma_database_list", "main", "dbstat"])
    func unknownTableRefusesTheRequest(name: String) {
        #expect(throws: ExpressionError(.graph, "unable to find dependent node '\(name)'")) {
            try TestRequest.sql("SELECT * FROM \(name)\(name == "main" ? ".sqlite_master" : "")", a: [Self.hosts])
        }
    }
}
