// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

@testable import PluginHost

/// The example in Python: a program that knows grpcio and pyarrow and nothing of this repository's code.
struct FilesPythonTests {
    @Test func itAnswersQueryHealthAndResource() async throws {
        let test = try TestPlatform()
        try FileManager.default.copyItem(
            atPath: LoadingFolder.examples.appending(path: "files-python").path, toPath: test.folder["files"])
        try test.folder.write(
            "data/t.csv", "when,celsius,place\n2026-01-02T03:04:05,1.5,Berlin\n2026-01-02T03:05:05,,Ulm\n")
        await test.platform.load()
        #expect(test.platform.refusals == [])
        let source = test.source(
            "grafana-filespython-datasource", json: ["folder": .string(test.folder["data"])])

        let answer = try await test.answer(
            [test.query(#"{"file":"t.csv"}"#), test.query(#"{"file":"../../etc/passwd"}"#, refID: "B")], of: source)
        let health = try await test.platform.checkHealth(of: source, facts: CallFacts())
        let resource = try await test.platform.callResource(
            ResourceCall(method: "GET", path: "files"), of: source, facts: CallFacts())
        var body: [UInt8] = []
        try await resource.forEachChunk { body += $0.array }

        let frame = try #require(answer.frames.first)
        #expect(frame.name == "t.csv")
        #expect(frame.fields.map(\.name) == ["when", "celsius", "place"])
        #expect(frame.fields.map(\.type) == [.time, .float64, .string])
        #expect(frame.fields[1].column[0, as: Double.self] == 1.5)
        #expect(frame.fields[1].column.isNull(at: 1))
        #expect(answer.failures["B"]?.source == .downstream)
        #expect(health == HealthResult(.ok, "1 files", details: ["files": 1]))
        #expect(String(decoding: body, as: UTF8.self) == #"["t.csv"]"#)
        await test.platform.shutDown()
    }
}
