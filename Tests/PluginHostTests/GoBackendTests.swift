// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

@testable import PluginHost

/// A Go plugin in the plugins folder, over the whole platform.
@Suite(.serialized) struct GoBackendTests {
    static let id = "peer-datasource"

    @Test func theFramesOfAllVectorsAreTheSame() async throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "../shared/fixtures/frames").standardized
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".arrow") }
        try await GoPlugins.run { test in
            for name in names {
                let file = folder.appending(path: name)
                let answer = try await test.answer(
                    [test.query(#"{"do":"file","path":"\#(file.path)"}"#)], of: test.source(Self.id))
                var expected = try DataFrame(arrow: Array(try Data(contentsOf: file)))
                if expected.refID.isEmpty { expected.refID = "A" }
                #expect(answer.error == nil)
                #expect(answer.frames == [expected], "\(name)")
            }
        }
    }

    @Test func failuresKeepTheirStatusAndSource() async throws {
        try await GoPlugins.run { test in
            let answer = try await test.answer(
                [
                    test.query(#"{"do":"context"}"#, refID: "A"), test.query("[]", refID: "B"),
                    test.query(#"{"do":"bad-frame"}"#, refID: "C"), test.query(#"{"do":"echo"}"#, refID: "D"),
                ], of: test.source(Self.id))
            #expect(answer.error == nil)
            #expect(answer.failures["A"]?.httpStatus == 418)
            #expect(answer.failures["A"]?.source == .downstream)
            #expect(answer.failures["B"]?.httpStatus == 400)
            #expect(answer.failures["C"]?.code == .badData)
            #expect(answer.failures["D"] == nil)

            let whole = try await test.answer([test.query(#"{"do":"whole"}"#)], of: test.source(Self.id))
            #expect(whole.error?.message == "everything failed")
            #expect(whole.error?.code == .internal)
        }
    }

    @Test func thePluginLearnsWhoAsksAndForWhat() async throws {
        try await GoPlugins.run(grafanaConfig: ["GF_APP_URL": "http://localhost:3000/"]) { test in
            var source = test.source(Self.id, json: ["path": "x"])
            source.secrets = ["apiKey": "secret"]
            let facts = CallFacts(
                principal: Principal(orgID: 1, login: "ada", name: "Ada", email: "a@b.c", role: "Editor"),
                headers: ["x-grafana-user": "ada", "cookie": "a=b", "fromalert": "true"])
            let answer = try await Answer(
                test.platform.queryData([test.query(#"{"do":"context"}"#)], of: source, facts: facts))
            let text = answer.failures["A"]?.message ?? ""
            for part in [
                #""orgId":1"#, #""pluginId":"peer-datasource""#, #""login":"ada""#, #""role":"Editor""#,
                #""pluginVersion":"1.0.0""#, #""userAgent":"Grafana/12.4.0 (linux; "#, #""uid":"uid""#,
                #""decryptedSecureJsonData":{"apiKey":"secret"}"#, #""GF_APP_URL":"http://localhost:3000/""#,
                #""http_X-Grafana-User":"ada""#, #""Cookie":"a=b""#, #""FromAlert":"true""#,
            ] {
                #expect(text.contains(part), "\(part) in \(text)")
            }
        }
    }

    @Test func healthResourcesAndStreamsArePassedOn() async throws {
        try await GoPlugins.run { test in
            var source = test.source(Self.id)
            let bad = try await test.platform.checkHealth(of: source, facts: CallFacts())
            #expect(bad == HealthResult(.error, "API key is missing"))
            source.secrets = ["apiKey": "secret"]
            source.version = 2
            let good = try await test.platform.checkHealth(of: source, facts: CallFacts())
            #expect(good.status == .ok)
            #expect(good.message == "key of 6 characters")

            let resource = try await test.platform.callResource(
                ResourceCall(
                    method: "POST", path: "a/b", query: "c=d", headers: ["x-test": "1", "X-Test": "2"],
                    body: Array("body".utf8)), of: source, facts: CallFacts())
            var body: [UInt8] = []
            try await resource.forEachChunk { body += $0.array }
            #expect(resource.status == 200)
            #expect(resource.headers.filter { $0.name == "X-Seen" }.map(\.value) == ["1", "2"])
            #expect(String(decoding: body, as: UTF8.self) == "POST a/b?c=d\nbodybodybody")

            let denied = try await test.platform.subscribeStream(
                StreamRequest(path: "denied"), of: source, facts: CallFacts())
            #expect(denied.status == .permissionDenied)
            let published = try await test.platform.publishStream(
                StreamRequest(path: "p", data: Array("{}".utf8)), of: source, facts: CallFacts())
            #expect(published.status == .ok)
            #expect(published.bytes == Array("{}".utf8))
            var packets = 0
            for await event in try await test.platform.runStream(
                StreamRequest(path: "p"), of: source, facts: CallFacts())
            {
                guard case .bytes(let chunk) = event else { continue }
                #expect(chunk.array == Array(#"{"data":{"values":[[\#(packets)]]}}"#.utf8))
                packets += 1
                if packets == 20_000 { break }
            }
            #expect(packets == 20_000)
        }
    }

    @Test func chunksOfAFrameAreJoined() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "chunk-\(UUID().uuidString).arrow")
        let frame = DataFrame(name: "n", fields: [Field("v", [1.5, 2.5])])
        try Data(frame.arrowFile()).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await GoPlugins.run(chunked: true) { test in
            let answer = try await test.answer(
                [test.query(#"{"do":"file","count":3,"path":"\#(file.path)"}"#)], of: test.source(Self.id))
            #expect(answer.error == nil)
            #expect(answer.frames.map(\.rowCount) == [6])
        }
    }

    @Test(arguments: [
        Field("v", [Int8](repeating: 1, count: 1_000)), Field("v", ["a", "b"]),
        Field("v", [Int64?](repeating: 1, count: 2)),
    ])
    func aChunkOfOtherTypesFailsItsQuery(_ other: Field) async throws {
        let folder = try LoadingFolder()
        let first = try folder.write(
            "first", bytes: DataFrame(fields: [Field("v", [Int64](repeating: 1, count: 8))]).arrowFile())
        let then = try folder.write("then", bytes: DataFrame(fields: [other]).arrowFile())
        try await GoPlugins.run(chunked: true) { test in
            let query = try test.query(#"{"do":"file","count":2,"path":"\#(first)","then":"\#(then)"}"#)
            let answer = try await test.answer([query], of: test.source(Self.id))
            #expect(answer.failures["A"]?.code == .badData)
            #expect(answer.frames.map(\.rowCount) == [8])
        }
    }

    @Test func textThatIsNoJSONFailsItsQuery() async throws {
        let folder = try LoadingFolder()
        // Of the length of a value that can be written, so that nothing but the text differs.
        var bytes = DataFrame(fields: [Field("v", [JSONText(#"{"a":"needle"}"#)])]).arrowFile()
        let place = try #require(bytes.firstRange(of: Array(#"{"a":"needle"}"#.utf8)))
        bytes.replaceSubrange(place, with: Array(#"{"a":"b"}}]}},"#.utf8))
        let path = try folder.write("forged", bytes: bytes)
        try await GoPlugins.run { test in
            let answer = try await test.answer(
                [test.query(#"{"do":"file","path":"\#(path)"}"#)], of: test.source(Self.id))
            #expect(answer.failures["A"]?.code == .badData)
            #expect(answer.frames.isEmpty)
        }
    }

    @Test func aPluginThatDoesNotRunRefusesEachCallOnce() async throws {
        try await GoPlugins.run { test in
            let process = try #require(test.platform.registry[Self.id]?.generation?.library.runtime.process)
            process.end()
            try await eventually("the plugin is stopped") { process.status.state == .stopped }
            let answer = try await test.answer([test.query(#"{"do":"echo"}"#)], of: test.source(Self.id))
            #expect(answer.error?.code == .crashed)
            #expect(answer.error?.message.contains("does not run") == true)
        }
    }

    @Test func severalLargeFramesWaitForTheirReader() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "large-\(UUID().uuidString).arrow")
        let frame = DataFrame(name: "n", fields: [Field("v", (0..<1_000_000).map(Double.init))])
        try Data(frame.arrowFile()).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await GoPlugins.run { test in
            let answer = try await test.answer(
                [test.query(#"{"do":"file","count":8,"path":"\#(file.path)"}"#)], of: test.source(Self.id))
            #expect(answer.error == nil)
            #expect(answer.frames.map(\.rowCount) == Array(repeating: 1_000_000, count: 8))
            #expect(answer.frames.last?.fields[0].column[999_999, as: Double.self] == 999_999)
        }
    }

    @Test func aCrashFailsTheCallAndNotTheNextOne() async throws {
        try await GoPlugins.run { test in
            let crashed = try await test.answer([test.query(#"{"do":"crash"}"#)], of: test.source(Self.id))
            #expect(crashed.error?.code == .crashed)
            let status = test.platform.registry[Self.id]?.generation?.library.runtime.process?.status
            #expect(status?.lastFailure.contains("exit status 2") == true, "\(status?.lastFailure ?? "")")
            #expect(status?.lastFailure.contains("panic: asked to crash") == true)
        }
    }

    @Test func aCallThatTakesTooMuchProcessorTimeIsEnded() async throws {
        try await GoPlugins.run(runner: RunnerSettings(callProcessorTime: .milliseconds(200))) { test in
            let spun = try await test.answer([test.query(#"{"do":"spin"}"#)], of: test.source(Self.id))
            #expect(spun.error?.code == .crashed, "\(spun)")
            #expect(spun.error?.message.contains("max_call_cpu_time") == true, "\(spun)")
            let status = test.platform.registry[Self.id]?.generation?.library.runtime.process?.status
            #expect(status?.limitsHit["cpu"] ?? 0 > 0)
            let answer = try await test.answer([test.query(#"{"do":"echo"}"#)], of: test.source(Self.id))
            #expect(answer.error == nil)
        }
    }

    @Test func aCancelledCallThatGoesOnIsEnded() async throws {
        try await GoPlugins.run(
            limits: CallLimits(time: .milliseconds(50)), runner: RunnerSettings(callProcessorTime: .milliseconds(500))
        ) { test in
            let spun = try await test.answer([test.query(#"{"do":"spin","count":4}"#)], of: test.source(Self.id))
            #expect(spun.error?.code == .timeout)
            let process = try #require(test.platform.registry[Self.id]?.generation?.library.runtime.process)

            try await eventually("its process is ended") { process.status.limitsHit["cpu"] == 1 }
        }
    }

    /// The call beside it is sent to the next process, which is charged for nothing that the one before took.
    @Test func aCallBesideOneThatTakesTooMuchIsAnswered() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "spun-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        try await GoPlugins.run(runner: RunnerSettings(callProcessorTime: .milliseconds(200))) { test in
            let source = test.source(Self.id)
            async let spun = test.answer([test.query(#"{"do":"spin","path":"\#(file)"}"#)], of: source)
            let slept = try await test.answer([test.query(#"{"do":"sleep","millis":1500}"#)], of: source)
            #expect(slept.error == nil)
            let error = try await spun.error
            #expect(error == nil)
            let status = test.platform.registry[Self.id]?.generation?.library.runtime.process?.status
            #expect(status?.limitsHit["cpu"] == 1)
        }
    }

    @Test func aKilledPluginAnswersTheNextCall() async throws {
        try await GoPlugins.run { test in
            let process = try #require(test.platform.registry[Self.id]?.generation?.library.runtime.process)
            kill(process.status.processID, SIGKILL)
            // The connection may still look alive: the question is then asked again.
            let answer = try await test.answer([test.query(#"{"do":"echo"}"#)], of: test.source(Self.id))
            #expect(answer.error == nil)
        }
    }

    @Test func aPluginIsReplacedAndRemovedLive() async throws {
        try await GoPlugins.run { test in
            let first = try #require(test.platform.registry[Self.id]?.generation?.library.runtime.process?.status)
            try await test.platform.reload(id: Self.id)
            let second = try #require(test.platform.registry[Self.id]?.generation?.library.runtime.process?.status)
            #expect(first.processID != second.processID)
            let answer = try await test.answer([test.query(#"{"do":"echo"}"#)], of: test.source(Self.id))
            #expect(answer.error == nil)

            try test.folder.remove("peer")
            await test.platform.reload()
            #expect(test.platform.plugin(id: Self.id) == nil)
        }
    }

    @Test func aDeadlineEndsTheCall() async throws {
        try await GoPlugins.run(limits: CallLimits(time: .milliseconds(100))) { test in
            let answer = try await test.answer(
                [test.query(#"{"do":"sleep","millis":60000}"#)], of: test.source(Self.id))
            #expect(answer.error?.code == .timeout)
        }
    }

    /// The host keeps what it knows of a plugin for ever, and the program with it, if it may.
    @Test func aReloadedPluginKeepsNoProgramOpen() async throws {
        let name = "reloaded-\(UUID().uuidString.prefix(8))"
        let test = try TestPlatform(goPlugins: GoPluginSettings())
        try test.folder.writePlugin(
            name, id: Self.id, #""backend": true, "executable": "\#(name)", "info": {"version": "1.0.0"}"#)
        let bytes = Array(try Data(contentsOf: URL(filePath: try await GoPlugins.program.value)))
        chmod(try test.folder.write("\(name)/\(name)_\(Platform.current)", bytes: bytes), 0o700)
        await test.platform.load()
        #expect(test.platform.refusals == [])

        for _ in 0..<3 { try await test.platform.reload(id: Self.id) }

        try await eventually("one program is open") { Self.openFiles(named: name) == 1 }
        await test.platform.shutDown()
    }

    private static func openFiles(named name: String) -> Int {
        let links = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return links.count { link in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(link)"))?.contains(name)
                == true
        }
    }

    // MARK: Programs that cannot run

    @Test func programsThatCannotRunAreRefusedInWords() async throws {
        let peer = Array(try Data(contentsOf: URL(filePath: try await GoPlugins.program.value)))
        var foreign = peer
        foreign[18] = 183
        let refusals: [(bytes: [UInt8], code: PluginRefusal.Code)] = [
            (foreign, .programWrongArchitecture), (Array("#!/nowhere/python9\n".utf8), .interpreterMissing),
            (Array("not a program".utf8), .programNotExecutable), ([], .programNotExecutable),
            (Array("#!/bin/sh\nexit 3\n".utf8), .startFailed),
        ]
        for (bytes, code) in refusals {
            let test = try GoPlugins.platform(program: bytes)
            await test.platform.load()
            #expect(test.platform.refusals.map(\.code) == [code])
            await test.platform.shutDown()
        }
    }
}

/// The Go peer as an installed plugin.
enum GoPlugins {
    /// Built from Debian's packages, see Tests/Peers/go-plugin.
    static let program: Task<String, any Error> = Task {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let script = root.appending(path: "Tests/Peers/go-plugin/build.sh").path
        let folder = root.appending(path: ".build/peers").path
        let (status, output) = try await Tool.run("sh", [script, folder], seconds: 600)
        guard status == 0 else { throw RealServerError("the Go plugin was not built: \(output)") }
        return "\(folder)/go-plugin-peer"
    }

    static func platform(
        program bytes: [UInt8], limits: CallLimits = CallLimits(), runner: RunnerSettings = RunnerSettings(),
        settings: GoPluginSettings = GoPluginSettings()
    ) throws -> TestPlatform {
        let test = try TestPlatform(limits: limits, runner: runner, goPlugins: settings)
        try test.folder.writePlugin(
            "peer", id: GoBackendTests.id,
            #""backend": true, "executable": "peer", "info": {"version": "1.0.0"}"#)
        let path = try test.folder.write("peer/peer_\(Platform.current)", bytes: bytes)
        chmod(path, 0o700)
        return test
    }

    static func run(
        limits: CallLimits = CallLimits(), runner: RunnerSettings = RunnerSettings(),
        grafanaConfig: [String: String] = [:], chunked: Bool = false,
        _ body: (TestPlatform) async throws -> Void
    ) async throws {
        let settings = GoPluginSettings(
            grafanaConfig: grafanaConfig, chunkedIDs: chunked ? [GoBackendTests.id] : [])
        let bytes = Array(try Data(contentsOf: URL(filePath: try await program.value)))
        let test = try platform(program: bytes, limits: limits, runner: runner, settings: settings)
        await test.platform.load()
        #expect(test.platform.refusals == [])
        do {
            try await body(test)
            await test.platform.shutDown()
        } catch {
            await test.platform.shutDown()
            throw error
        }
    }
}
