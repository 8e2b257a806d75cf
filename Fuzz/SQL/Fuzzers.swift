// SPDX-License-Identifier: Apache-2.0
import PluginABI

private let times = MacroTimes(
    from: Timestamp(nanoseconds: -1), to: Timestamp(milliseconds: 1_767_225_600_123), intervalMilliseconds: 90_000,
    now: 1_767_225_600)

/// Macros and the lexer: what passes as one statement that reads must stay one when its values are place holders.
func fuzzSQLText(_ bytes: [UInt8]) {
    let sql = String(decoding: bytes, as: UTF8.self)
    _ = try? MySQLMacros(times: times).expand(sql)
    _ = try? MySQLMacros.checkSecrets(in: sql)
    let lite = SQLiteMacros(from: times.from, to: times.to, intervalMilliseconds: times.intervalMilliseconds)
    if let text = try? lite.expand(sql).text {
        _ = SQLParameters.fit(text.parameterized { "?\($0)" }, .sqlite)
    }
    for rules in [SQLLexer.Rules.mySQL, .sqlite] { _ = SQLLexer(sql, rules).statements }
    guard let text = try? PostgreSQLMacros(times: times).expand(sql).text else { return }
    let prepared = text.parameterized { "$\($0)" }
    let numbered = Array(prepared.text.utf8)
    for place in prepared.places { precondition(numbered[place] == UInt8(ascii: "$"), "a place that is none") }
    guard SQLParameters.fit(prepared, .postgreSQL) else { return }
    let literal = SQLLexer(text.literal, .postgreSQL).statements
    precondition(literal.count == 1, "a place holder hid a statement: \(text.literal)")
}

/// Arrays of PostgreSQL: what comes out is JSON.
func fuzzSQLArray(_ bytes: [UInt8]) {
    guard String(validating: bytes, as: UTF8.self) != nil else { return }
    for element in [PostgreSQLType.Element.number, .bool, .text] {
        let json = bytes.withUnsafeBufferPointer { PostgreSQLArray.json(of: $0, element: element) }
        if let json { precondition((try? JSONSlices.value(at: [], in: json)) != nil, "no JSON: \(json)") }
    }
}

/// Times: what is read is written back as the same time.
func fuzzSQLTime(_ bytes: [UInt8]) {
    guard let time = bytes.withUnsafeBufferPointer({ DateTimeText.parse($0) }) else { return }
    let again = Array(DateTimeText.rfc3339(time).utf8).withUnsafeBufferPointer { DateTimeText.parse($0) }
    precondition(again == time, "\(DateTimeText.rfc3339(time)) is another time")
}

/// Numbers: whole ones are what the standard library reads, and those that a float64 holds lose nothing.
func fuzzSQLNumber(_ bytes: [UInt8]) {
    bytes.withUnsafeBufferPointer { text in
        let isInexact = SQLNumber.isInexactWhole(text)
        guard let whole: Int64 = SQLNumber.integer(text) else { return }
        precondition(Int64(String(decoding: text, as: UTF8.self)) == whole, "another number")
        let isExact = SQLNumber.double(text).flatMap { Int64(exactly: $0) } == whole
        precondition(isInexact == !isExact, "\(whole) loses digits, or is said to")
    }
}
