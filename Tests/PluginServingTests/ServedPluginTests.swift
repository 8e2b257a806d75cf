// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import PluginABI
import PluginHost
import TestSupport
import Testing

/// Plugins of ours behind hashicorp's go-plugin and grpc-go, as an unmodified Grafana has them.
@Suite(.serialized) struct ServedPluginTests {
    static let hello = "grafana-helloc-datasource"
    static let sine = "grafana-sineswift-datasource"
    static let testData = "grafana-testdata-datasource"

    enum Way: String, CaseIterable, Sendable {
        case socket, mutualTLS, port
    }

    @Test(arguments: Way.allCases)
    func everyServiceAnswers(_ way: Way) async throws {
        let context = GoHost.context(Self.hello)
        let results = try await GoHost.run(
            [
                ["do": "ping"],
                GoHost.query(context, [("A", ["amplitude": 2.5, "period": 60])]),
                GoHost.call("Diagnostics/CheckHealth", ["pluginContext": context]),
                GoHost.call(
                    "Resource/CallResource",
                    ["pluginContext": context, "path": "greeting", "url": "greeting", "method": "GET"]),
                GoHost.call(
                    "Resource/CallResource", ["pluginContext": context, "path": "x", "url": "x?y=z", "method": "GET"]),
                GoHost.call("Diagnostics/CollectMetrics", ["pluginContext": context]),
                GoHost.call("AdmissionControl/ValidateAdmission", ["pluginContext": context]),
                GoHost.call("ResourceConversion/ConvertObjects", ["pluginContext": context]),
                GoHost.call("Stream/SubscribeStream", ["pluginContext": context, "path": "p"]),
                ["do": "kill"],
            ], plugin: GoHost.example("hello-c"), options: way == .port ? ["--tcp"] : [],
            usesTLS: way == .mutualTLS)

        try #require(results.count == 11, "\(results)")
        #expect(results[1].code == 0, "\(results[1])")
        let local = try await LocalPlugin.with(GoHost.example("hello-c")) { plugin in
            try await plugin.query(["amplitude": 2.5, "period": 60])
        }
        #expect(try results[2].response("A")?.frames == local.frames)
        #expect(results[2].response("A")?["status"]?.int == 200)
        #expect(results[3].answer?["status"]?.string == "OK", "\(results[3])")
        #expect(results[3].answer?["message"]?.string == "Hello from C")
        #expect(results[4].answer?["code"]?.int == 200)
        #expect(results[4].answer?["body"]?.text == #"{"greeting":"Hello from C"}"#)
        #expect(results[4].answer?["headers"]?["Content-Type"]?["values"]?[0]?.string == "application/json")
        #expect(results[5].answer?["code"]?.int == 404)
        #expect(results[6].code == 0)
        #expect(results[7].code == 12)
        #expect(results[8].code == 12)
        #expect(results[9].code == 12, "hello-c has no streams: \(results[9])")
        #expect(results[10].code == 0, "\(results[10])")
        let lines = (results[10]["lines"]?.array ?? []).compactMap(\.string)
        #expect(lines.contains { $0.contains(#""@message":"plugin exited""#) }, "it ended by itself: \(lines)")
        #expect(lines.contains { $0.contains("Plugin registered") && $0.contains(#""@level":"info""#) }, "\(lines)")
    }

    @Test func theScenariosOfTestDataAreTheSame() async throws {
        let models: [JSONValue] = [
            ["scenarioId": "predictable_pulse", "pulseWave": ["timeStep": 10, "onCount": 3, "offCount": 2]],
            ["scenarioId": "csv_metric_values", "stringInput": "1,20,null,90,30,5,0"],
            ["scenarioId": "no_data_points"], ["scenarioId": "manual_entry"],
            ["scenarioId": "table_static"], ["scenarioId": "error_with_source"],
            ["scenarioId": "server_error_500"], ["scenarioId": "csv_content", "csvContent": "a,b\n1,x\n2,ü"],
        ]
        let context = GoHost.context(Self.testData)
        let results = try await GoHost.run(
            models.map { GoHost.query(context, [("A", $0)]) }
                + models.map { GoHost.query(context, [("A", $0)], method: "Data/QueryChunkedData") },
            plugin: GoHost.testData)

        try await LocalPlugin.with(GoHost.testData) { plugin in
            for (index, model) in models.enumerated() {
                let local = try await plugin.query(model)
                let response = try #require(results[index + 1].response("A"), "\(model): \(results[index + 1])")
                #expect(try response.frames == local.frames, "\(model)")
                #expect(response["error"]?.string ?? "" == local.error?.message ?? "", "\(model)")
                let status = local.error.map { $0.httpStatus ?? $0.code.httpStatus } ?? 200
                #expect(response["status"]?.int == status, "\(model)")

                let chunks = results[index + 1 + models.count]["answers"]?.array ?? []
                let frames = try chunks.filter { $0["frame"]?.string?.isEmpty == false }
                    .map { try DataFrame(arrow: $0["frame"]?.bytes ?? []) }
                #expect(DataFrame.joining(frames)?.rowCount == DataFrame.joining(local.frames)?.rowCount, "\(model)")
                let failed = chunks.compactMap { $0["error"]?.string }.filter { !$0.isEmpty }
                #expect(failed == (local.error.map { [$0.message] } ?? []), "\(model)")
            }
        }
    }

    @Test func framesAsJSONAndSeveralQueriesAtOnce() async throws {
        let context = GoHost.context(Self.testData)
        let results = try await GoHost.run(
            [
                GoHost.query(
                    context,
                    [
                        ("B", ["scenarioId": "csv_metric_values", "stringInput": "1,2"]),
                        ("A", ["scenarioId": "server_error_500"]), ("C", "no object"),
                    ], format: "JSON"),
                GoHost.query(
                    context, [("A", ["scenarioId": "manual_entry"]), ("A", ["scenarioId": "manual_entry"])]),
                GoHost.query(context, []),
                GoHost.query(["orgId": 1], [("A", [:])]),
            ], plugin: GoHost.testData)

        let frame = try #require(results[1].response("B")?["frames"]?[0]?.bytes)
        #expect(try DataFrame(json: frame).refID == "B")
        #expect(results[1].response("B")?["format"]?.string == "JSON")
        #expect(results[1].response("A")?["status"]?.int == 500)
        #expect(results[1].response("C")?["status"]?.int == 400)
        #expect(results[2].code == 3, "two queries of one name: \(results[2])")
        #expect(results[3].code == 0)
        #expect(results[4].code == 3, "no settings: \(results[4])")
    }

    @Test func anInstanceLivesAsLongAsItsSettings() async throws {
        let health = { (updated: Int64, secrets: JSONObject) in
            GoHost.call(
                "Diagnostics/CheckHealth",
                ["pluginContext": GoHost.context(Self.sine, updated: updated, secrets: secrets)])
        }
        let results = try await GoHost.run(
            [health(1, [:]), health(1, ["apiKey": "x"]), health(2, ["apiKey": "x"])],
            plugin: GoHost.example("sine-swift"))

        // The same time means the same settings: the instance stays.
        #expect(results[1...3].map { $0.answer?["status"]?.string } == ["ERROR", "ERROR", "OK"], "\(results)")
    }

    @Test func aStreamRunsUntilItsHostLeaves() async throws {
        let context = GoHost.context(Self.sine)
        let results = try await GoHost.run(
            [
                GoHost.call("Stream/SubscribeStream", ["pluginContext": context, "path": "wave"]),
                GoHost.call("Stream/PublishStream", ["pluginContext": context, "path": "wave"]),
                GoHost.call("Stream/RunStream", ["pluginContext": context, "path": "wave"], ["take": 2]),
                GoHost.call("Stream/RunStream", ["pluginContext": context, "path": "wave"], ["deadlineMillis": 300]),
                GoHost.query(context, [("A", [:])]),
            ], plugin: GoHost.example("sine-swift"))

        #expect(results[1].answer?["status"]?.string == "OK")
        #expect(results[2].answer?["status"]?.string == "PERMISSION_DENIED")
        let packets = try (results[3]["answers"]?.array ?? []).map { try JSONValue(parsing: $0["data"]?.text ?? "") }
        try #require(packets.count == 2, "\(results[3])")
        #expect(packets[0]["schema"] != nil && packets[0]["data"] != nil)
        #expect(packets[1]["schema"] == nil && packets[1]["data"] != nil)
        #expect(results[3].code == 1, "\(results[3])")
        #expect(results[4].code == 4, "\(results[4])")
        #expect(try results[5].response("A")?.frames.first?.rowCount == 100, "the connection goes on")
    }

    @Test func callsEndWhenTheHostDoesNotWait() async throws {
        let context = GoHost.context("grafana-misbehaving-datasource")
        let forever: [(String, JSONValue)] = [("A", ["mode": "never-completes"])]
        let results = try await GoHost.run(
            [
                GoHost.query(context, forever, ["deadlineMillis": 200]),
                GoHost.query(context, forever, ["cancelMillis": 100]),
                GoHost.query(context, [("A", ["mode": "behaves"])]),
                GoHost.query(context, [("A", ["mode": "floods-log"])]),
            ], plugin: GoHost.example("misbehaving-c"))

        #expect(results[1].code == 4, "\(results[1])")
        #expect(results[2].code == 1, "\(results[2])")
        #expect(try results[3].response("A")?.frames.first?.rowCount == 3)
        #expect(try results[4].response("A")?.frames.first?.rowCount == 3)
    }

    @Test func aCrashIsTheEndOfTheProcessAlone() async throws {
        let context = GoHost.context("grafana-misbehaving-datasource")
        let results = try await GoHost.run(
            [GoHost.query(context, [("A", ["mode": "exits"])]), ["do": "log"]],
            plugin: GoHost.example("misbehaving-c"), endsWell: false)

        #expect(results[1].code == 14, "\(results[1])")
    }

    @Test func nonsenseFailsAlone() async throws {
        let context = GoHost.context(Self.hello)
        let results = try await GoHost.run(
            [
                ["do": "garbage", "call": "/pluginv2.Data/QueryData"],
                ["do": "garbage", "call": "/pluginv2.Resource/CallResource"],
                ["do": "garbage", "call": "/pluginv2.Stream/RunStream"],
                ["do": "noise"],
                GoHost.query(["orgId": 1, "dataSourceInstanceSettings": ["jsonData": "W10="]], [("A", [:])]),
                GoHost.query(
                    context, [("A", [:])], to: .max, interval: .max, points: .max, ["deadlineMillis": 20_000]),
                GoHost.query(context, [("A", ["period": -1])]),
                GoHost.query(context, [("A", [:])]),
            ], plugin: GoHost.example("hello-c"))

        #expect(results[1...3].map(\.code) == [13, 13, 13], "\(results)")
        #expect(results[4].code == 0, "\(results[4])")
        #expect(results[5].code == 3, "jsonData is an array: \(results[5])")
        #expect(results[7].response("A")?["status"]?.int == 400)
        #expect(results[7].response("A")?["error"]?.string == "period is -1 seconds; give more than 0")
        #expect(try results[8].response("A")?.frames.first?.rowCount == 100)
    }

    @Test func messagesHaveTheSizeThatTheyNeed() async throws {
        let context = GoHost.context(Self.hello)
        let resource: JSONValue = ["pluginContext": context, "path": "x", "url": "x", "method": "POST"]
        let million = 1_000_000
        let results = try await GoHost.run(
            [
                GoHost.call("Resource/CallResource", resource, ["body": .integer(15 << 20)]),
                GoHost.call("Resource/CallResource", resource, ["body": .integer(17 << 20)]),
                GoHost.query(
                    context, [("A", [:])], to: 1_000_000 + Int64(million), interval: 1, points: Int64(million),
                    ["sizes": true]),
                GoHost.query(
                    context, [("A", [:])], to: 1_000_000 + Int64(million), interval: 1, points: Int64(million),
                    method: "Data/QueryChunkedData", ["sizes": true]),
            ], plugin: GoHost.example("hello-c"))

        #expect(results[1].answer?["code"]?.int == 404, "\(results[1])")
        #expect(results[2].code == 8, "\(results[2])")
        #expect((results[3]["sizes"]?[0]?.int ?? 0) > 16 * million, "\(results[3])")
        #expect((results[4]["sizes"]?.array ?? []).reduce(0) { $0 + ($1.int ?? 0) } > 16 * million, "\(results[4])")
    }

    // MARK: The program

    /// It goes to machines that have neither librnp nor jansson.
    @Test func itBringsItsLibrariesAlong() async throws {
        let (status, output) = try await Tool.run("readelf", ["-d", try GoHost.program()])
        try #require(status == 0, "\(output)")
        let needed = output.split(separator: "\n").filter { $0.contains("(NEEDED)") }
        #expect(!needed.isEmpty)
        for name in ["librnp", "libjansson", "libbotan"] {
            #expect(!needed.contains { $0.contains(name) }, "\(needed)")
        }

        let sources = GoHost.root.appending(path: "Sources")
        let stand = try String(contentsOf: sources.appending(path: "CNoOpenPGP/no_openpgp.c"), encoding: .utf8)
        let folder = sources.appending(path: "Signing/OpenPGP")
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
            let text = try String(contentsOf: file, encoding: .utf8)
            for name in Set(text.matches(of: /\brnp_[a-z0-9_]+\(/).map { String($0.output.dropLast()) }) {
                #expect(
                    stand.contains("(\(name))") || stand.contains(" \(name)(") || stand.contains("*\(name)("), "\(name)"
                )
            }
        }
    }

    @Test func whoStartsItByHandIsToldWhatItIs() async throws {
        let hello = GoHost.example("hello-c")
        let named = try await Tool.run(try GoHost.program(), [hello])
        #expect(named.status == 1)
        #expect(named.output.contains("the Grafana plugin '\(Self.hello)' 1.0.0"), "\(named.output)")
        let nameless = try await Tool.run(try GoHost.program(), [])
        #expect(nameless.status == 1)
        #expect(nameless.output.contains("grafana-plugin package --target grafana"), "\(nameless.output)")
        let wrong = try await Tool.run("env", ["grafana_plugin_type=no", try GoHost.program(), hello])
        #expect(wrong.status == 1 && !wrong.output.contains("1|2|"), "\(wrong.output)")
    }

    @Test func aLibraryThatCannotBeServedIsNamed() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "served-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let json = #"{"id": "acme-x-datasource", "type": "datasource", "backend": true, "library": "x", "abi": 1}"#
        try Data(json.utf8).write(to: folder.appending(path: "plugin.json"))

        let missing = try await GoHost.run([], plugin: folder.path)
        #expect(missing[0].code == -1)
        let lines = (missing[0]["lines"]?.array ?? []).compactMap(\.string).joined()
        #expect(lines.contains("library-missing"), "\(missing)")

        try Data("no library".utf8).write(to: folder.appending(path: "x_\(Platform.current).so"))
        let broken = try await GoHost.run([], plugin: folder.path)
        #expect("\(broken)".contains("library-not-elf"), "\(broken)")
    }

    /// As `grafana-plugin package --target grafana` lays it out.
    @Test func aPackageIsFoundByTheNameOfItsProgram() async throws {
        // On the file system of the program, of which there is a second name in it and no copy.
        let program = URL(filePath: try GoHost.program())
        let folder = program.deletingLastPathComponent().appending(path: "served-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.copyItem(atPath: GoHost.example("hello-c"), toPath: folder.path)
        let started = folder.appending(path: "gpx_hello_\(Platform.current)")
        try FileManager.default.linkItem(at: program, to: started)
        let nothing = try await GoHost.run([], plugin: "", program: started.path)
        #expect("\(nothing)".contains("gpx_hello.json' cannot be read"), "\(nothing)")

        try FileManager.default.moveItem(
            at: folder.appending(path: "plugin.json"), to: folder.appending(path: "gpx_hello.json"))
        let results = try await GoHost.run(
            [GoHost.query(GoHost.context(Self.hello), [("A", [:])])], plugin: "", program: started.path)
        #expect(try results[1].response("A")?.frames.first?.rowCount == 100)
    }

    @Test func thisServerRunsItAsAnyProgram() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "served-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let json =
            #"{"id": "\#(Self.hello)", "type": "datasource", "backend": true, "executable": "gpx_hello", "#
            + #""info": {"version": "1.0.0"}}"#
        try Data(json.utf8).write(to: folder.appending(path: "plugin.json"))
        let script = folder.appending(path: "gpx_hello_\(Platform.current)")
        try Data("#!/bin/sh\nexec '\(try GoHost.program())' '\(GoHost.example("hello-c"))'\n".utf8).write(to: script)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script.path)

        let models: [JSONValue] = [[:], ["amplitude": 3], ["period": 0]]
        for model in models {
            let native = try await LocalPlugin.with(GoHost.example("hello-c")) { try await $0.query(model) }
            let served = try await LocalPlugin.with(folder.path) { try await $0.query(model) }
            #expect(served.frames == native.frames, "\(model)")
            #expect(served.error?.message == native.error?.message && served.error?.code == native.error?.code)
        }
    }

    @Test func itEndsWithItsHost() async throws {
        let run = try await GoHost.start(
            [["do": "pid"], ["do": "hang"]], plugin: GoHost.example("hello-c"))
        try await eventually("the plugin runs", within: 60) { run.results.count == 2 }
        let plugin = Int32(run.results[1]["number"]?.int ?? 0)
        try #require(plugin > 0 && ProcessState.isRunning(plugin))
        #expect(run.sockets.count == 1)

        run.program.signal(SIGKILL)

        try await eventually("the plugin is gone", within: 60) { !ProcessState.isRunning(plugin) }
        #expect(run.sockets.isEmpty)
    }
}
