// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// Each defence that the threat model names is shown by a test that exists.
struct ThreatModelTests {
    /// `Suite.test` in backticks, as the last column of the tables has them.
    static let named: [String] = {
        let text = (try? Repository.text("docs/threat-model.md")) ?? ""
        return Set(text.matches(of: /`(\w+Tests\.\w+)`/).map { String($0.output.1) }).sorted()
    }()

    /// Suite → the texts of the files that define or extend it.
    static let suites: [String: [String]] = {
        var suites: [String: [String]] = [:]
        for file in Repository.files(in: "Tests", extensions: ["swift"]) {
            guard let text = try? Repository.text(file) else { continue }
            for match in text.matches(of: /(?:struct|class|enum|extension) (?:\w+\.)*(\w+Tests)\b/) {
                suites[String(match.output.1), default: []].append(text)
            }
        }
        return suites
    }()

    @Test func theModelNamesTests() {
        #expect(Self.named.count >= 20)
    }

    @Test(arguments: named)
    func theTestExists(name: String) throws {
        let parts = name.split(separator: ".").map(String.init)
        let texts = try #require(Self.suites[parts[0]], "there is no suite \(parts[0])")

        #expect(texts.contains { $0.contains("func \(parts[1])(") }, "\(parts[0]) has no test \(parts[1])")
    }

    /// Every row of a table of attacks has a test, or says that nothing stops it.
    @Test func everyRowSaysWhatShowsIt() throws {
        let rows = try Repository.lines("docs/threat-model.md").filter { $0.hasPrefix("| ") && $0.contains(" | ") }
        let attacks = rows.filter { $0.split(separator: "|").count == 3 && !$0.hasPrefix("| Who") }

        #expect(attacks.count >= 15)
        for row in attacks {
            #expect(row.contains(/`\w+Tests\.\w+`/), "\(row)")
        }
    }
}
