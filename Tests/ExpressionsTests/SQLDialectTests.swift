// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// Names, casts and functions are those of MySQL.
struct SQLDialectTests {
    private static let table = DataFrame(fields: [
        Field("n", [1] as [Int64]), Field("s", ["x"]), Field("time", times([0])),
    ])

    private func frame(_ text: String) throws -> DataFrame? {
        let outcome = try TestRequest.sql(text, a: [Self.table])
        if let error = outcome.error { throw error }
        return outcome.frames.first
    }

    @Test(arguments: [
        ("select n/2 from A", ["n/2"]), ("select  n / 2 , n from A -- end", ["n / 2", "n"]),
        ("select 1||0, 1 && n, '1/2' from A", ["1||0", "1 && n", "'1/2'"]),
        (
            "select cast('1' as char), cast(n as char(3)) c, cast(n as signed) from A",
            [
                "cast('1' as char)", "c", "cast(n as signed)",
            ]
        ),
        ("select date_add('2026-01-31', interval 1 month)", ["date_add('2026-01-31', interval 1 month)"]),
        ("select n/2 half, n/2 as \"a b\", n/2 'c', n/n `d` from A", ["half", "a b", "c", "d"]),
        ("select distinct n/2 from A", ["n/2"]), ("select all 1/n from A", ["1/n"]),
        (
            "select min(time), max(n) m, now() is not null, n/2 is null from A",
            [
                "min(time)", "m", "now() is not null", "n/2 is null",
            ]
        ),
        ("select * from (select n/2, s from A)", ["n/2", "s"]),
        ("with x as (select n/2 from A) select * from x", ["n/2"]),
        (
            "select case when n then n/2 end, (select n/2 from A) from A",
            [
                "case when n then n/2 end", "(select n/2 from A)",
            ]
        ),
        ("select n/2 from A union all select n/4 from A order by 1", ["n/2"]),
        ("select 2/n, 1 / n is not distinct from 1 from A where n/2 < 1;", ["2/n", "1 / n is not distinct from 1"]),
        (
            "select max(n) over (), max(n/2) over w from A window w as (order by n)",
            ["max(n) over ()", "max(n/2) over w"]
        ),
        ("select n/\"n\" from A", ["n/\"n\""]),
    ])
    func columnsAreCalledAsWritten(text: String, names: [String]) throws {
        #expect(try frame(text)?.fields.map(\.name) == names)
    }

    @Test(arguments: [
        ("round(1234.5, -2)", "1200"), ("round(1250, -2)", "1300"), ("round(-1250, -2)", "-1300"), ("round(7)", "7"),
        ("round(2.5)", "3"), ("round(-2.5)", "-3"), ("round(1.005, 2)", "1.01"), ("round(9.995, 2)", "10"),
        ("round(0.04, 1)", "0"), ("round(1e300, 2)", "1e+300"), ("round('2.7')", "3"), ("round(NULL)", "null"),
        ("round(9223372036854775807, -18)", "9000000000000000000"), ("round(5, -1)", "10"), ("round(0.5, -1)", "0"),
        ("cast(3.7 as signed)", "4"), ("cast(-3.5 as signed integer)", "-4"), ("cast('3.7' as signed)", "3"),
        ("cast(9007199254740993 as unsigned) = 9007199254740993", "1"),
        ("cast(1e30 as signed) = 9223372036854775807", "1"),
        ("cast(1.005 as decimal(10,2))", "1.01"), ("cast(12345.6 as decimal(5,2))", "999.99"),
        ("cast(2.5 as decimal)", "3"), ("cast('1.25' as double)", "1.25"), ("cast('abc' as char(2))", "ab"),
        ("cast('äöü' as char(2))", "äö"), ("cast(NULL as char(2))", "null"), ("cast(5 as char) = 5", "1"),
        ("cast('5' as signed) = '5'", "1"),
        ("concat(cast('2026-01-02T03:04:05.6Z' as datetime), '.')", "2026-01-02 03:04:06."),
        ("cast('2026-01-02T03:04:05.6Z' as date)", "2026-01-02"), ("cast('2026-01-02 03:04:05' as time)", "03:04:05"),
        ("cast('3:04' as time)", "03:04:00"), ("cast('x' as date)", "null"), ("cast('7' as integer)", "7"),
        ("substring('hello', 0)", ""), ("substring('hello', 2, -1)", ""), ("substring('hello', -3, 2)", "ll"),
        ("substr('hello', 2)", "ello"), ("substr('hello', 9)", ""), ("substring('hello', -9)", ""),
        ("substring('äöü', 2, 1)", "ö"), ("substring(12345, 2, 2)", "23"), ("substring(NULL, 1)", "null"),
        ("upper('äß')", "Äß"), ("lower('ÄÉ')", "äé"), ("upper(NULL)", "null"),
        ("hour('23:59:58')", "23"), ("minute('23:59:58')", "59"), ("second('23:59:58.5')", "58"), ("hour('x')", "null"),
        ("hour('100:00')", "100"), ("unix_timestamp('1970-01-01 00:00:01.25')", "1.25"),
        ("unix_timestamp('1970-01-01 00:00:01')", "1"), ("unix_timestamp('1969-12-31 23:59:59.5')", "-0.5"),
    ])
    func functionHasTheValue(text: String, expected: String) throws {
        #expect(try frame("SELECT \(text)")?.rows == [[expected]])
    }

    /// From the manual of MySQL, and the ends of years.
    @Test(arguments: [
        ("1999-01-01", "%X %V", "1998 52"), ("1999-01-01", "%U %u %v %x", "00 00 53 1998"), ("2006-06-01", "%d", "01"),
        ("2009-10-04 22:23:00", "%W %M %Y", "Sunday October 2009"),
        ("1900-10-04 22:23:00", "%D %y %a %d %m %b %j", "4th 00 Thu 04 10 Oct 277"),
        ("1997-10-04 22:23:00", "%H %k %I %r %T %S %w", "22 22 10 10:23:00 PM 22:23:00 00 6"),
        ("2008-02-20", "%U %u", "07 08"), ("2008-12-31", "%u %v %x", "53 01 2009"),
        ("2000-01-01", "%U %V %X", "00 52 1999"),
        ("2026-11-01", "%D", "1st"), ("2026-11-02", "%D", "2nd"), ("2026-11-03", "%D", "3rd"),
        ("2026-11-11", "%D", "11th"), ("2026-11-12", "%D", "12th"), ("2026-11-13", "%D", "13th"),
        ("2026-11-22", "%D", "22nd"), ("2024-12-31", "%j", "366"), ("1970-01-01 00:30:00", "%r", "12:30:00 AM"),
        ("2021-01-03", "%U %u %V %v %X %x", "01 00 01 53 2021 2020"), ("2026-01-01", "%z%%", "z%"),
    ])
    func datesAreWritten(date: String, format: String, expected: String) throws {
        #expect(try frame("SELECT date_format('\(date)', '\(format)')")?.rows == [[expected]])
    }

    @Test(arguments: [
        ("May 1, 2013", "%M %d,%Y", "2013-05-01 00:00:00"), ("01,5,2013", "%d,%m,%Y", "2013-05-01 00:00:00"),
        ("1/2/2026 3:04 PM", "%c/%e/%Y %h:%i %p", "2026-01-02 15:04:00"),
        ("1/2/2026 12:04 am", "%c/%e/%Y %l:%i %p", "2026-01-02 00:04:00"),
        ("Fri 2nd Jan 2026 23:04:05.5", "%a %D %b %Y %T.%f", "2026-01-02 23:04:05.5"),
        ("2024 366", "%Y %j", "2024-12-31 00:00:00"), ("09:30:17", "%h:%i:%s", "09:30:17"),
        ("10:11:12 PM", "%r", "22:11:12"), ("2026-02-30", "%Y-%m-%d", "null"), ("2026", "%Y", "null"),
        ("13 PM", "%h %p", "null"), ("13 PM", "%H %p", "null"), ("2026-1-2", "%Y-%m-%d", "2026-01-02 00:00:00"),
    ])
    func datesAreRead(text: String, format: String, expected: String) throws {
        // With a letter at its end it stays a text.
        let rows = try frame("SELECT concat(str_to_date('\(text)', '\(format)'), 'x')")?.rows

        #expect(rows == [[expected == "null" ? expected : expected + "x"]])
    }

    @Test(arguments: [
        ("1.5 HOUR", "2026-01-31 02:00:00"), ("-1.5 HOUR", "2026-01-30 22:00:00"),
        ("'1.5' HOUR", "2026-01-31 01:00:00"),
        ("1.5 SECOND", "2026-01-31 00:00:01.5"), ("1 MONTH", "2026-02-28 00:00:00"),
        ("1 MICROSECOND", "2026-01-31 00:00:00.000001"),
    ])
    func timesAreShifted(interval: String, expected: String) throws {
        #expect(
            try frame("SELECT concat(date_add('2026-01-31', INTERVAL \(interval)), 'x')")?.rows == [[expected + "x"]])
    }

    @Test(arguments: [
        ("SELECT \"x\"", "no such column: x; \"x\" is the name of a column, a text is written 'x'"),
        ("SELECT n FROM A WHERE s = \"X y\"", "no such column: X y; \"X y\" is the name of a column"),
        ("SELECT cast(-1 as unsigned)", "CAST AS UNSIGNED is not supported for numbers below 0"),
        ("SELECT cast(time as signed) FROM A", "CAST of a time to a number is not supported"),
        ("SELECT cast(20260101 as date)", "CAST of a number to a time is not supported"),
        ("SELECT cast('a' as binary)", "CAST(… AS BINARY) is not supported"),
        ("SELECT cast(1 as decimal(70,2))", "DECIMAL(70, 2) is not supported"),
        ("SELECT str_to_date('2026 1', '%X %V')", "str_to_date: %X is not supported"),
        ("SELECT cast(1 as char", "incomplete input"), ("SELECT cast(1 as", "near \"as\": syntax error"),
        ("SELECT date_add(now(), interval '1:30' minute_second)", "syntax error"),
    ])
    func whatIsNotSupportedSaysSo(text: String, message: String) throws {
        let outcome = try TestRequest.sql(text, a: [Self.table])

        #expect(outcome.error?.message.contains(message) == true, "\(outcome)")
    }
}
