// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

@testable import Server

struct TimeExpressionTests {
    /// Every row that Grafana's own library answered: four zones, both ends, two fiscal years.
    @Test func everyRowOfTheReferenceAgrees() throws {
        let path = repositoryRoot.appendingPathComponent("../shared/fixtures/sdk/time_ranges.json")
        let fixture = try JSONValue(parsing: Array(try Data(contentsOf: path)))
        let now = try #require(RFC3339.milliseconds(fixture["now"]?.string ?? ""))
        var count = 0
        for row in fixture["rows"]?.array ?? [] {
            let expression = try #require(row["expr"]?.string)
            let zone = try #require(TimeZone(identifier: row["zone"]?.string ?? ""))
            for (key, end, month) in [
                ("from", TimeExpression.End.from, 1), ("to", .to, 1), ("fromMondayApril", .from, 4),
                ("toMondayApril", .to, 4),
            ] as [(String, TimeExpression.End, Int64)] {
                let calendar = TimeCalendar(
                    offset: { Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double($0)))) },
                    firstWeekday: 1, firstFiscalMonth: month)
                let moment = (try? TimeExpression(expression))?.milliseconds(now: now, as: end, in: calendar)
                let expected = row[key]?.string.flatMap(RFC3339.milliseconds)
                #expect(moment == expected, "\(expression) \(key) \(zone.identifier)")
                count += 1
            }
        }
        #expect(count > 500)
    }

    @Test(arguments: [
        "now-999999999y", "now+999999999y", "now-999999999w/w", "now+9999999M/M", "now-999999999s",
        "now+999999999h+999999999h+999999999h",
    ])
    func hugeAmountsStayWithinTheRange(text: String) throws {
        let moment = try TimeExpression(text).milliseconds(now: 1_700_000_000_000, as: .to)
        #expect(abs(moment) <= TimeCalendar.latestMilliseconds)
    }

    @Test(arguments: [
        "now-9999999999s", "now//d", "now-", "now/", "now/f", "now/fd", "NOW", "now-1h ", "2026-13-01", "2026-02-30",
        "2026-01-02T25:00:00Z", "1e5", "+5", "--5", "99999999999999999999", "now" + String(repeating: "-1h", count: 17),
    ])
    func malformedTextsAreRefused(text: String) {
        #expect(throws: TimeExpression.Failure.self) { try TimeExpression(text) }
    }

    @Test func zonesAndFractionsOfRFC3339AreRead() {
        #expect(RFC3339.milliseconds("1970-01-01T01:00:00.5+01:00") == 500)
        #expect(RFC3339.milliseconds("1970-01-01T00:00:00.123456789Z") == 123)
        #expect(RFC3339.text(milliseconds: -1) == "1969-12-31T23:59:59Z")
    }
}
