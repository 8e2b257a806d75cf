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
    for rules in [SQLLexer.Rules.mySQL, .sqlite] { _ = SQLLexer(sql, rules).statements }
    guard let text = try? PostgreSQLMacros(times: times).expand(sql).text else { return }
    let (numbered, _) = text.parameterized { "$\($0)" }
    guard text.literal != numbered, SQLParameters.fit(numbered, text, .postgreSQL) else { return }
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
