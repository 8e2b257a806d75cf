// SPDX-License-Identifier: Apache-2.0
import PluginABI
import PluginHost
import Testing

@testable import PluginTesting

/// That the kit can fail: a plugin differs in one thing, and the report names it.
@Suite(.timeLimit(.minutes(2)))
struct KitFindsTests {
    /// One mode of the plugin, and what the report has to say.
    struct Finding: CustomTestStringConvertible, Sendable {
        var mode: String
        var words: String
        var reading = ConformanceReading.toTheEnd

        var testDescription: String { mode }
    }

    static let queries = [
        Finding(mode: "value", words: "at L2: query 'A', frame 0 'numbers', field 'value', row 1: 2.25, at L1: 1.5"),
        Finding(mode: "nan", words: "row 2: nan(0x7ff8000000000001), at L1: nan(0x7ff8000000000000)"),
        Finding(mode: "null", words: "field 'value', row 1: null, at L1: 1.5"),
        Finding(mode: "text", words: "field 'text', row 0: 'other', at L1: 'text'"),
        Finding(mode: "meta", words: #"frame 0 'numbers', meta: {"custom":2}, at L1: {"custom":1}"#),
        Finding(mode: "label", words: "labels: {host=b}, at L1: {host=a}"),
        Finding(mode: "more", words: "event 1: a frame 'numbers' of 1 rows, at L1: nothing more"),
        Finding(mode: "order", words: "its kind: a notice 'a remark', at L1: a frame 'numbers' of 3 rows"),
        Finding(mode: "fails, code", words: "code of the error: not-found, at L1: invalid"),
        Finding(mode: "fails, words", words: "message of the error: 'no', at L1: 'never'"),
        Finding(mode: "random", words: "at L1: query 'A'", reading: .slowly),
        Finding(mode: "slow", words: "nothing more, expected: a frame 'numbers'", reading: .slowly),
        Finding(mode: "crowd", words: "row 0: 1.5", reading: .together),
    ]

    @Test(arguments: queries)
    func aDifferenceIsNamed(finding: Finding) async throws {
        var kit = try DifferingPlugin.kit()
        kit.queries = [ConformanceQuery(#"{"mode": "\#(finding.mode)"}"#)]

        let report = await kit.run()

        #expect(!report.isPassed)
        let found = report.differences.filter { $0.caseName == "query 1: \(finding.reading.rawValue)" }
        #expect(found.contains { $0.description.contains(finding.words) }, "\(report)")
    }

    @Test(arguments: [
        ("status", "status: 404, at L1: 200"), ("type", "headers: content-type: text/plain"), ("body", "byte 5: '{"),
    ])
    func aResourceThatDiffersIsNamed(path: String, words: String) async throws {
        var kit = try DifferingPlugin.kit()
        kit.resources = [ResourceCall(method: "GET", path: path)]

        let report = await kit.run()

        let found = report.differences.filter { $0.caseName == "resource 1 GET \(path): to the end" }
        #expect(found.contains { "\($0)".lowercased().contains(words.lowercased()) }, "\(report)")
    }

    @Test func settingsAndHealthThatDifferAreNamed() async throws {
        var kit = try DifferingPlugin.kit()
        kit.settings.jsonData = ["mode": "health"]
        kit.refusedSettings = [["mode": "refuse"], ["mode": "taken"]]

        let report = await kit.run()

        let texts = report.differences.map { "\($0.caseName): \($0)" }
        let ill = "health: to the end: at L2: event 0, message: 'ill', at L1: 'well'"
        #expect(texts.contains { $0.contains(ill) }, "\(report)")
        #expect(texts.contains { $0.contains("refused settings 1: ") && $0.contains("'no', at L1: 'never'") })
        #expect(texts.contains { $0.contains("refused settings 2: at L1") && $0.contains("nothing was refused") })
    }

    @Test func aPluginThatBreaksARuleIsFound() async throws {
        var kit = try DifferingPlugin.kit()
        kit.queries = [#"{"mode": "twice"}"#]

        let report = await kit.run()

        #expect(report.differences.contains { $0.caseName == "conduct" && $0.place == .process }, "\(report)")
        #expect(!report.differences.contains { $0.caseName == "conduct" && $0.place == .inProcess }, "\(report)")
    }

    @Test func aPlaceWhereThePluginDoesNotLoadIsADifference() async throws {
        var kit = try DifferingPlugin.kit()
        kit.places = [.inProcess, .grpc]

        let report = await kit.run()

        #expect(report.differences.contains { $0.place == .grpc && $0.caseName == "load" }, "\(report)")
    }

    @Test func oneSteadyPluginPasses() async throws {
        var kit = try DifferingPlugin.kit()
        kit.queries = [#"{"mode": "none"}"#, #"{"mode": "fails"}"#]
        kit.resources = [ResourceCall(method: "GET", path: "any")]
        kit.refusedSettings = [["mode": "refuse"]]
        kit.places = [.inProcess, .inProcess]

        await expectConformance(kit)
    }

    @Test func aDeclaredExceptionIsShownAndOneThatIsNotNeededFails() async throws {
        var kit = try DifferingPlugin.kit()
        kit.queries = [#"{"mode": "value"}"#]
        kit.exceptions = [ConformanceException(at: .process, "query 1", because: "it cannot count there")]

        let passed = await kit.run()
        kit.queries = [#"{"mode": "none"}"#]
        let failed = await kit.run()

        #expect(passed.isPassed, "\(passed)")
        #expect("\(passed)".contains("as declared (it cannot count there): at L2"))
        #expect(!failed.isPassed)
        #expect("\(failed)".contains("an exception is not needed any more: L2 'query 1': it cannot count there"))
    }

    @Test func onePlaceIsNothingToCompare() async throws {
        var kit = try DifferingPlugin.kit()
        kit.places = [.inProcess]

        let report = await kit.run()

        #expect(!report.isPassed)
    }
}
